"""The streamer's end of the WebRTC connection: one video track out, two data channels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp, candidate_to_sdp

from odyssey._rtc.private_packets import guard_packets
from odyssey.emulator.faults import Faults, NoChannel, NoTrack
from odyssey.emulator.live.loss import lose_packets
from odyssey.emulator.live.streamer_track import StreamerTrack
from odyssey.emulator.private_ice import fall_back_on_loopback, silence
from odyssey.emulator.private_rtp import keep_time_of_channels, on_key_frame_request
from odyssey.emulator.settings import Codec

__all__ = ["FROM_CLIENT", "TO_CLIENT", "StreamerPeer"]

logger = logging.getLogger(__name__)

FROM_CLIENT = "clientToStreamer"
TO_CLIENT = "streamerToClient"
_CLOSE_SECONDS = 1.0


class StreamerPeer:
    """Makes the offer, takes the answer. `on_message` gets what the client's channel brings."""

    def __init__(
        self,
        track: StreamerTrack,
        codec: Codec,
        faults: Faults,
        on_message: Callable[[str | bytes], None],
    ) -> None:
        self.open = asyncio.Event()  # all channels of the offer are open
        self.ended = asyncio.Event()  # the connection was up, and is so no more, or it failed
        self._track = track
        self._faults = faults
        self._channels: dict[str, RTCDataChannel] = {}
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._connection.on("connectionstatechange", self._on_state)
        if not faults.take(NoTrack):
            self._add_track(codec)
        missing = faults.take(NoChannel)
        for label in (FROM_CLIENT, TO_CLIENT):
            if missing is None or missing.label != label:
                self._add_channel(label, on_message)

    @property
    def state(self) -> str:
        """Aiortc's connection state."""
        return str(self._connection.connectionState)

    async def offer(self, *, trickle: bool) -> tuple[str, list[dict[str, Any]]]:
        """The SDP of the offer, and with `trickle` the candidates as messages of their own."""
        fall_back_on_loopback(self._connection)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        sdp = self._connection.localDescription.sdp
        if not trickle:
            return sdp, []
        lines = sdp.splitlines(keepends=True)
        candidates = ("a=candidate:", "a=end-of-candidates")
        sdp = "".join(line for line in lines if not line.startswith(candidates))
        return sdp, self._candidate_messages()

    async def accept(self, sdp: str) -> None:
        """Takes the client's answer. Raises what aiortc raises for one it can't use."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        keep_time_of_channels(self._connection)
        guard_packets(self._connection)
        for sender in self._connection.getSenders():  # whose transport is the one that stays, now
            lose_packets(sender, self._track, self._faults)

    async def add_candidate(self, message: dict[str, Any]) -> None:
        """Takes a candidate that came over the socket; an empty one ends them."""
        text = str(message.get("candidate") or "")
        if not text:
            await self._connection.addIceCandidate(None)
            return
        candidate = candidate_from_sdp(text.removeprefix("candidate:"))
        candidate.sdpMid = message.get("sdpMid")
        candidate.sdpMLineIndex = message.get("sdpMLineIndex")
        await self._connection.addIceCandidate(candidate)

    def send(self, data: str | bytes) -> None:
        """Sends on the channel to the client; dropped when it isn't open."""
        channel = self._channels.get(TO_CLIENT)
        if channel is None or channel.readyState != "open":
            logger.debug("a message to the client was dropped: the channel is not open")
            return
        channel.send(data)

    def kill(self) -> None:
        """Sends and hears nothing more, without a word to the client."""
        silence(self._connection)

    async def end_track(self) -> None:
        """Ends the video track, and say so (RTCP BYE); the rest of the connection stays."""
        for sender in self._connection.getSenders():
            await sender.stop()

    async def close(self) -> None:
        """Closes the connection, within a bounded time."""
        try:
            await asyncio.wait_for(self._connection.close(), _CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("the peer connection did not close within %g s", _CLOSE_SECONDS)
        self.ended.set()

    def _add_track(self, codec: Codec) -> None:
        transceiver = self._connection.addTransceiver(self._track, direction="sendonly")
        capabilities = RTCRtpSender.getCapabilities("video").codecs
        wanted = (f"video/{codec}", "video/rtx")
        transceiver.setCodecPreferences([c for c in capabilities if c.mimeType.lower() in wanted])
        on_key_frame_request(transceiver.sender, self._track.request_key_frame)

    def _add_channel(self, label: str, on_message: Callable[[str | bytes], None]) -> None:
        channel = self._connection.createDataChannel(label)
        self._channels[label] = channel
        channel.on("open", self._on_channel_open)
        if label == FROM_CLIENT:
            channel.on("message", on_message)

    def _on_channel_open(self) -> None:
        if all(channel.readyState == "open" for channel in self._channels.values()):
            self.open.set()

    def _on_state(self) -> None:
        logger.debug("peer: %s", self.state)
        if self.state in ("failed", "closed"):
            self.ended.set()

    def _candidate_messages(self) -> list[dict[str, Any]]:
        return [
            {
                "type": "ice_candidate",
                "candidate": "candidate:" + candidate_to_sdp(candidate),
                "sdpMid": "0",  # aiortc numbers the media sections; all share the first's transport
                "sdpMLineIndex": 0,
            }
            for candidate in self._ice_transport().iceGatherer.getLocalCandidates()
        ]

    def _ice_transport(self) -> Any:
        """Returns the one transport of all media sections; None when the offer has none of them."""
        for transceiver in self._connection.getTransceivers():
            return transceiver.sender.transport.transport
        sctp = self._connection.sctp
        return None if sctp is None else sctp.transport.transport
