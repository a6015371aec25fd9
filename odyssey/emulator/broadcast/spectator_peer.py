"""A spectator: one WebRTC peer that gets a stream's packets as they were encoded."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import av
from aiortc import (
    MediaStreamError,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from odyssey._rtc.private_packets import guard_packets
from odyssey.emulator.private_ice import fall_back_on_loopback, silence
from odyssey.emulator.private_rtp import on_key_frame_request
from odyssey.emulator.settings import Codec

__all__ = ["SpectatorPeer", "SpectatorTrack"]

logger = logging.getLogger(__name__)

_MOST_WAITING = 48  # packets, two seconds
_DRAIN_SECONDS = 0.3
_CLOSE_SECONDS = 1.0


class SpectatorTrack(MediaStreamTrack):
    """Packets for one spectator, from a key frame on.

    One that can't keep up loses what waits, and goes on with the next key frame.
    """

    kind = "video"

    def __init__(self, request_key_frame: Callable[[], None]) -> None:
        super().__init__()
        self.drained = asyncio.Event()  # finished, and all of it sent
        self._request_key_frame = request_key_frame
        self._packets: deque[av.Packet[Any]] = deque()
        self._changed = asyncio.Event()
        self._wanted = False  # aiortc asks for packets once the connection is up
        self._key_needed = True
        self._over = False

    def put(self, packet: av.Packet[Any]) -> None:
        """Sends this packet next; never waits."""
        if not self._wanted or self._over:
            return
        if len(self._packets) >= _MOST_WAITING:
            logger.info("a spectator can't keep up; going on with a key frame")
            self._packets.clear()
            self._key_needed = True
            self._request_key_frame()
        if self._key_needed and not packet.is_keyframe:
            return
        self._key_needed = False
        self._packets.append(packet)
        self._changed.set()

    def finish(self) -> None:
        """Ends after what waits."""
        self._over = True
        self._changed.set()

    async def recv(self) -> av.Packet[Any]:
        if not self._wanted:
            self._wanted = True
            self._request_key_frame()
        while not self._packets:
            if self._over or self.readyState != "live":
                self.drained.set()
                raise MediaStreamError
            self._changed.clear()
            await self._changed.wait()
        return self._packets.popleft()


class SpectatorPeer:
    """Takes the offer, makes the answer, sends what `track` is given."""

    def __init__(self, codec: Codec, request_key_frame: Callable[[], None]) -> None:
        self.connected = asyncio.Event()  # or ended
        self.ended = asyncio.Event()
        self.track = SpectatorTrack(request_key_frame)
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._connection.on("connectionstatechange", self._on_state)
        transceiver = self._connection.addTransceiver(self.track, direction="sendonly")
        capabilities = RTCRtpSender.getCapabilities("video").codecs
        wanted = (f"video/{codec}", "video/rtx")
        transceiver.setCodecPreferences([c for c in capabilities if c.mimeType.lower() in wanted])
        on_key_frame_request(transceiver.sender, request_key_frame)

    async def answer(self, offer: str) -> str:
        """The SDP of the answer, with all candidates. Raises what aiortc does for a bad offer."""
        pc = self._connection
        await pc.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        guard_packets(pc)
        fall_back_on_loopback(pc)
        await pc.setLocalDescription(await pc.createAnswer())
        return str(pc.localDescription.sdp)

    def kill(self) -> None:
        """Falls silent, without a word to the spectator."""
        silence(self._connection)

    async def finish(self) -> None:
        """Sends what waits, then close. Bounded in time."""
        self.track.finish()
        if self._connection.connectionState == "connected":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.track.drained.wait(), _DRAIN_SECONDS)
        await self.close()

    async def close(self) -> None:
        """Closes the connection, within a bounded time."""
        self.track.finish()
        try:
            await asyncio.wait_for(self._connection.close(), _CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("a spectator's connection did not close within %g s", _CLOSE_SECONDS)
        self.track.stop()
        self.connected.set()
        self.ended.set()

    def _on_state(self) -> None:
        state = str(self._connection.connectionState)
        logger.debug("spectator: %s", state)
        if state == "connected":
            self.connected.set()
        elif state in ("failed", "closed"):
            self.connected.set()
            self.ended.set()
