"""The WebRTC peer: answers the service's offer, receives the video, carries the data channels."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtcicetransport import parse_stun_turn_uri
from aiortc.sdp import candidate_from_sdp

from odyssey._protocol import messages
from odyssey._protocol.messages import RemoteCandidate
from odyssey._protocol.state import CLIENT_TO_STREAMER, STREAMER_TO_CLIENT, Need
from odyssey._rtc import private_ice, private_packets, private_rtp
from odyssey._rtc.sdp_bounds import MOST_CANDIDATE_TEXT, MOST_CANDIDATES
from odyssey._rtc.video_receiver import VideoReceiver, drain
from odyssey._runtime.tasks import Tasks
from odyssey.errors import printable

logger = logging.getLogger(__name__)

#: What a peer takes in one data channel message if its offer doesn't say (RFC 8841).
DEFAULT_MESSAGE_SIZE = 65536


class IceServerLike(Protocol):
    @property
    def urls(self) -> tuple[str, ...]: ...
    @property
    def username(self) -> str | None: ...
    @property
    def credential(self) -> str | None: ...


_ICE_PASSWORD = re.compile(r"(a=ice-pwd:)[^\r\n]*")


class _LibraryFilter(logging.Filter):
    """Makes printable what aiortc and aioice log of the service: whole descriptions, the names of
    hosts. The passwords of ICE, which are in a description, go.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        lines = _ICE_PASSWORD.sub(r"\1…", record.getMessage()).splitlines()
        record.msg, record.args = "\n".join(map(printable, lines)), None
        return True


for _name in ("aiortc.rtcpeerconnection", "aioice.ice", "aioice.turn"):
    logging.getLogger(_name).addFilter(_LibraryFilter())


class PeerListener(Protocol):
    """Gets a peer's events on the media thread, `frame_decoded` perhaps on the decoder's."""

    def frame_decoded(self, frame: av.VideoFrame, arrived_at: float) -> None: ...
    def message_received(self, data: str | bytes) -> None: ...
    def needs_changed(self) -> None: ...
    def peer_lost(self, why: str) -> None: ...
    def task_failed(self, exc: Exception) -> None: ...


class Peer:
    """One peer connection. Used on the media thread only."""

    def __init__(self, servers: Sequence[IceServerLike], listener: PeerListener) -> None:
        self._listener = listener
        # An empty list, never None: aiortc takes None for Google's STUN server.
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=usable_servers(servers)))
        self._tasks = Tasks(listener.task_failed)
        self._channels: dict[str, RTCDataChannel] = {}
        self._candidates: list[RemoteCandidate] = []  # that the connection has yet to be given
        self._candidate_count = 0
        self._adding = False
        self._video: VideoReceiver | None = None
        self._max_message_size = DEFAULT_MESSAGE_SIZE
        self._offered = False
        self._closed = False
        guarded = self._tasks.guarded
        self._pc.on("track", guarded(self._on_track))
        self._pc.on("datachannel", guarded(self._on_channel))
        self._pc.on("connectionstatechange", guarded(self._on_state))

    def missing(self) -> set[Need]:
        """Returns what this peer still lacks to be ready."""
        missing = set()
        if self._pc.connectionState != "connected":
            missing.add(Need.MEDIA)
        if self._video is None:
            missing.add(Need.TRACK)
        for label, need in (
            (CLIENT_TO_STREAMER, Need.SENDING),
            (STREAMER_TO_CLIENT, Need.RECEIVING),
        ):
            channel = self._channels.get(label)
            if channel is None or channel.readyState != "open":
                missing.add(need)
        return missing

    @property
    def heard_at(self) -> float | None:
        """When the last video packet came, in `time.monotonic()` seconds; None before the first."""
        return None if self._video is None else self._video.heard_at

    async def answer(self, offer: str) -> str:
        """Takes the service's offer; returns the answer's SDP with this machine's candidates.

        Candidates from STUN servers come from `late_candidates`.

        Raises:
            ValueError: The offer can't be understood.
        """
        self._max_message_size = max_message_size(offer)
        offer = private_rtp.receivable(offer)
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        private_rtp.keep_time_of_channels(self._pc)
        private_packets.guard_packets(self._pc)
        self._offered = True
        self._tasks.spawn(self._add_candidates())
        private_ice.bound_gathering(self._pc, trickle=True)
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        sdp: str = self._pc.localDescription.sdp
        return sdp.replace("a=end-of-candidates\r\n", "") if self._expects_more() else sdp

    def _expects_more(self) -> bool:
        return private_ice.awaits_reflexive(self._pc)

    async def late_candidates(self) -> AsyncGenerator[str, None]:
        """The messages with further candidates, and one that ends them; none if there was nobody
        to ask. For after the answer.
        """
        if not self._expects_more():
            return
        found = re.search(r"^a=mid:(\S+)", self._pc.localDescription.sdp, re.MULTILINE)
        mid = None if found is None else found[1]  # all media share the first one's transport
        async with contextlib.aclosing(private_ice.reflexive_candidates(self._pc)) as candidates:
            async for candidate in candidates:
                yield messages.ice_candidate(f"candidate:{candidate}", mid, 0)
        yield messages.ice_candidate("", mid, 0)

    def add_candidate(self, candidate: RemoteCandidate) -> None:
        """Takes a candidate of the service's, also before its offer. Those that can't be used, and
        those that are too many, are logged.
        """
        self._candidate_count += 1
        if self._candidate_count > MOST_CANDIDATES:
            if self._candidate_count == MOST_CANDIDATES + 1:
                logger.warning("ignored ICE candidates: more than %d came", MOST_CANDIDATES)
            return
        if len(candidate.candidate) + len(candidate.sdp_mid or "") > MOST_CANDIDATE_TEXT:
            logger.warning("ignored an ICE candidate: it is too long")
            return
        self._candidates.append(candidate)
        if self._offered and not self._adding:
            self._tasks.spawn(self._add_candidates())

    async def _add_candidates(self) -> None:
        # Beside the reading of the socket: the name of a `.local` one is looked up for a second.
        self._adding = True
        try:
            while self._candidates:
                await self._add(self._candidates.pop(0))
        finally:
            self._adding = False

    async def _add(self, candidate: RemoteCandidate) -> None:
        text = candidate.candidate.removeprefix("a=").removeprefix("candidate:")
        try:
            if not text:
                await self._pc.addIceCandidate(None)
                return
            parsed = candidate_from_sdp(text)
            parsed.sdpMid = candidate.sdp_mid
            parsed.sdpMLineIndex = candidate.sdp_mline_index
            if parsed.sdpMid is None and parsed.sdpMLineIndex is None:
                parsed.sdpMLineIndex = 0
            await self._pc.addIceCandidate(parsed)
        except (ValueError, AssertionError, IndexError) as exc:
            logger.warning("ignored an ICE candidate that can't be read (%s)", type(exc).__name__)
        except OSError as exc:  # a `.local` one where the port of mDNS is taken
            logger.warning("ignored an ICE candidate that can't be used (%s)", exc.strerror)

    def can_send(self, text: str) -> bool:
        """Whether the channel is open and takes a message of this size."""
        channel = self._channels.get(CLIENT_TO_STREAMER)
        is_open = channel is not None and channel.readyState == "open"
        return is_open and len(text.encode()) <= self._max_message_size

    @property
    def max_message_size(self) -> int:
        """Bytes that the service takes in one message of a data channel."""
        return self._max_message_size

    def send(self, text: str) -> None:
        """Over `clientToStreamer`; ask `can_send` first."""
        self._channels[CLIENT_TO_STREAMER].send(text)

    async def close(self) -> None:
        """Stops receiving and closes the connection. May block when the other end is silent; the
        caller bounds it.
        """
        self._closed = True
        try:
            await private_ice.stop_gathering(self._pc)
            await self._pc.close()
        finally:
            if self._video is not None:
                await self._video.close()
            await self._tasks.cancel()

    # Events of aiortc, guarded: a handler that raises would abort the negotiation, or reading.

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video" and self._video is None:
            self._video = VideoReceiver(
                self._pc,
                track,
                self._listener.frame_decoded,
                lambda: self._lost("the service ended the video track"),
                self._listener.task_failed,
            )
        else:
            private_rtp.keep_time(self._pc, track)
            if not private_rtp.ignore(self._pc, track):
                # aiortc decodes it all the same, into a queue without bound.
                self._tasks.spawn(drain(track, lambda _: None))
        self._listener.needs_changed()

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label not in (CLIENT_TO_STREAMER, STREAMER_TO_CLIENT):
            return
        self._channels[channel.label] = channel
        guarded = self._tasks.guarded
        if channel.label == STREAMER_TO_CLIENT:
            channel.on("message", guarded(self._listener.message_received))
        lost = functools.partial(self._lost, f"the data channel {channel.label} closed")
        channel.on("close", guarded(lost))
        channel.on("open", guarded(self._listener.needs_changed))
        self._listener.needs_changed()

    def _on_state(self) -> None:
        state = self._pc.connectionState
        logger.debug("peer connection: %s", state)
        if state in ("failed", "closed"):
            self._lost(f"the media connection {'failed' if state == 'failed' else 'was closed'}")
        self._listener.needs_changed()

    def _lost(self, why: str) -> None:
        if not self._closed:
            self._listener.peer_lost(why)


def usable_servers(servers: Sequence[IceServerLike]) -> list[RTCIceServer]:
    """Converts ICE servers for aiortc, and leaves out addresses that it would refuse."""
    usable = []
    for server in servers:
        urls = []
        for url in server.urls:
            if _is_usable(url):
                urls.append(url)
            else:
                logger.warning("ignored an ICE server whose address can't be used")
        if urls:
            usable.append(RTCIceServer(urls, server.username, _credential(server)))
    return usable


class _Credential(str):
    """A str for aiortc whose repr doesn't show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


def _credential(server: IceServerLike) -> str | None:
    return None if server.credential is None else _Credential(server.credential)


def _is_usable(url: str) -> bool:
    try:
        port: int = parse_stun_turn_uri(url)["port"]
    except ValueError:
        return False
    return 0 < port < 65536


def max_message_size(sdp: str) -> int:
    """Bytes of a data channel message that the SDP's sender takes; 0 there means: any."""
    match = re.search(r"^a=max-message-size:(\d+)\s*$", sdp, re.MULTILINE)
    size = DEFAULT_MESSAGE_SIZE if match is None else int(match[1])
    return size or 2**31
