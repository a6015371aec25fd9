"""A spectator's peer: makes the offer, receives the video, until the stream's end or a loss."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

import av
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.sdp import MediaDescription, SessionDescription

from odyssey._logging import scrub
from odyssey._rtc import private_ice, private_packets, private_rtp
from odyssey._rtc.peer import IceServerLike, usable_servers
from odyssey._rtc.sdp_bounds import excess
from odyssey._rtc.silence import SilenceWatch
from odyssey._rtc.video_receiver import VideoReceiver, drain, live_frame
from odyssey._runtime.tasks import Tasks
from odyssey.config import DEFAULT_FRAME_TIMEOUT
from odyssey.errors import OdysseyConnectionError, OdysseyError, OdysseyServerError
from odyssey.frames.frame import VideoFrame

logger = logging.getLogger(__name__)

#: Seconds that closing may take.
CLOSE_TIMEOUT = 0.6
#: Seconds between the end of a track or of the connection and the end of the whole.
GRACE = 0.1
#: Seconds after which a key frame that has not come is asked for again.
KEY_FRAME_PATIENCE = 0.5
#: Seconds between two looks whether there is anybody to ask.
SOURCE_INTERVAL = 0.02


class SpectatorListener(Protocol):
    """Gets the events on the media thread, and `frame` on the decoder's; no call blocks."""

    def began(self) -> None: ...
    def frame(self, frame: VideoFrame) -> None: ...
    def ended(self, failure: OdysseyError | None) -> None: ...
    def torn_down(self) -> None: ...


class Spectator:
    """One stream that is watched. The coroutines run on the media thread."""

    def __init__(self, listener: SpectatorListener) -> None:
        self._listener = listener
        self._pc: RTCPeerConnection | None = None
        self._ready: asyncio.Future[None] | None = None
        self._track: MediaStreamTrack | None = None
        self._video: VideoReceiver | None = None
        self._silence = SilenceWatch(DEFAULT_FRAME_TIMEOUT, self._heard_at, self._end_soon)
        self._frames_received = 0
        self._failure: str | None = None
        self._cause: Exception | None = None  # of the failure, where it was an exception
        self._ending = False
        self._ended = False
        self._tasks = Tasks(self._task_failed)
        self._teardown: asyncio.Task[None] | None = None

    async def offer(self, servers: Sequence[IceServerLike]) -> str:
        """Returns the SDP of the offer, with all candidates."""
        self._ready = asyncio.get_running_loop().create_future()
        pc = self._pc = RTCPeerConnection(
            RTCConfiguration(
                iceServers=usable_servers(servers), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE
            )
        )
        pc.on("track", self._tasks.guarded(self._on_track))
        pc.on("connectionstatechange", self._tasks.guarded(self._on_state))
        for kind in ("video", "audio"):
            pc.addTransceiver(kind, direction="recvonly")
        private_ice.bound_gathering(pc)
        await pc.setLocalDescription(await pc.createOffer())
        return str(pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Takes the service's answer; returns when media can come.

        Raises:
            OdysseyServerError: The answer is none that can be used.
            OdysseyConnectionError: No connection was established.
        """
        assert self._pc is not None
        assert self._ready is not None
        if (too_large := excess(answer)) is not None:
            raise OdysseyServerError(f"the service's SDP answer is too large: {too_large}")
        try:
            sdp = without_rejected(answer, self._pc.localDescription.sdp)
            sdp = private_rtp.receivable(sdp)
            await self._pc.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
            private_packets.guard_packets(self._pc)
        except Exception as exc:
            logger.debug("the answer", exc_info=scrub(exc))
            raise OdysseyServerError(
                f"the service's SDP answer can't be used ({type(exc).__name__})"
            ) from exc
        if self._track is None:
            raise OdysseyServerError("the service's SDP answer has no video in it")
        await self._ready

    async def close(self) -> None:
        """Stops receiving and closes the connection, within `CLOSE_TIMEOUT`. Idempotent."""
        self._ended = True
        self._silence.stop()
        if self._teardown is None:
            self._teardown = asyncio.get_running_loop().create_task(self._tear_down())
        await asyncio.shield(self._teardown)

    async def _tear_down(self) -> None:
        if self._pc is not None:
            await private_ice.stop_gathering(self._pc)
            try:
                await asyncio.wait_for(self._pc.close(), CLOSE_TIMEOUT)
            except TimeoutError:
                logger.warning("the peer connection did not close within %.1f s", CLOSE_TIMEOUT)
        if self._video is not None:
            await self._video.close()
        await self._tasks.cancel()

    # Events of aiortc.

    def _on_track(self, track: MediaStreamTrack) -> None:
        assert self._pc is not None
        if track.kind == "video" and self._track is None:
            self._track = track
            self._video = VideoReceiver(
                self._pc, track, self._deliver, self._end_soon, self._task_failed
            )
        else:
            private_rtp.keep_time(self._pc, track)
            if not private_rtp.ignore(self._pc, track):
                # aiortc decodes it all the same, into a queue without bound.
                self._tasks.spawn(drain(track, lambda _: None))

    def _on_state(self) -> None:
        assert self._pc is not None
        assert self._ready is not None
        state = self._pc.connectionState
        logger.debug("peer connection: %s", state)
        if state == "connected" and not self._ready.done():
            self._listener.began()
            self._silence.start()
            self._tasks.spawn(self._ask_for_key_frame())
            self._ready.set_result(None)
        elif state in ("failed", "closed"):
            self._end_soon()

    def _deliver(self, frame: av.VideoFrame, _arrived_at: float) -> None:
        """Hands a frame on; called on the decoder's thread."""
        index = self._frames_received
        self._frames_received += 1
        self._listener.frame(live_frame(frame, index))

    async def _ask_for_key_frame(self) -> None:
        """Requests a key frame until a picture comes, as the next regular one may be far away."""
        assert self._pc is not None
        assert self._track is not None
        while True:
            asked = await private_rtp.request_key_frame(self._pc, self._track)
            if asked is None:
                return
            await asyncio.sleep(KEY_FRAME_PATIENCE if asked else SOURCE_INTERVAL)
            if asked and self._frames_received:
                return

    def _heard_at(self) -> float | None:
        return None if self._video is None else self._video.heard_at

    def _task_failed(self, exc: Exception) -> None:
        self._end_soon(f"an unexpected {type(exc).__name__}", exc)

    def _end_soon(self, failure: str | None = None, cause: Exception | None = None) -> None:
        """Ends after `GRACE`, so that decoded frames come first. Only the first call counts."""
        assert self._pc is not None
        if not self._ended and not self._ending:
            self._ending = True
            self._silence.stop()
            if failure is None and private_ice.went_silent(self._pc):
                failure = "no answer any more"
            self._failure, self._cause = failure, cause
            asyncio.get_running_loop().call_later(GRACE, self._end)

    def _end(self) -> None:
        assert self._ready is not None
        if self._ended:
            return
        self._ended = True
        if not self._ready.done():
            self._ready.set_exception(
                self._error("no media connection to the stream was established")
                if self._failure is not None
                else self._error("the stream ended before the connection was ready")
            )
            self._ready.exception()  # a cancelled `accept` doesn't await it any more
            return
        failure = self._failure
        self._listener.ended(
            None
            if failure is None
            else self._error(f"the connection to the stream was lost: {failure}")
        )
        self._teardown = asyncio.get_running_loop().create_task(self._tear_down())
        self._teardown.add_done_callback(lambda _: self._listener.torn_down())

    def _error(self, text: str) -> OdysseyConnectionError:
        error = OdysseyConnectionError(text)
        error.__cause__ = self._cause
        return error


def without_rejected(answer: str, offer: str) -> str:
    """Returns the answer in a form that aiortc accepts.

    A rejected section (port 0, no transport), such as audio that the stream lacks, becomes an
    inactive one on the transport of the others.

    Raises:
        ValueError, IndexError: The answer can't be read.
    """
    description, offered = SessionDescription.parse(answer), SessionDescription.parse(offer)
    rejected = [m for m in description.media if m.port == 0 and not _has_transport(m)]
    model = next((m for m in description.media if m not in rejected), None)
    if not rejected or model is None:
        return answer
    for media in rejected:
        media.port, media.direction = 9, "inactive"
        media.ice, media.dtls, media.rtcp_mux = model.ice, model.dtls, True
        media.rtp = offered.media[description.media.index(media)].rtp
    for media in description.media:
        # Without a port for RTCP aiortc doesn't write down that it has none of its own.
        media.rtcp_port = media.rtcp_port or 9
    return str(description)


def _has_transport(media: MediaDescription) -> bool:
    return media.ice is not None and media.ice.usernameFragment is not None
