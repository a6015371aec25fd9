"""The streamer behind a connection: takes messages, runs one stream after another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from odyssey.emulator.broadcast.broadcasts import Broadcaster
from odyssey.emulator.encoder import FrameEncoder
from odyssey.emulator.faults import StreamRefused
from odyssey.emulator.live.archive import Archive
from odyssey.emulator.live.live_stream import LiveStream
from odyssey.emulator.live.messages import StartRequest, StreamError, prompt_of
from odyssey.emulator.live.replies import Replies
from odyssey.emulator.live.streamer_peer import StreamerPeer
from odyssey.emulator.live.streamer_track import StreamerTrack
from odyssey.emulator.payloads import read_object
from odyssey.emulator.settings import Settings
from odyssey.emulator.workers import Workers

__all__ = ["Streamer"]

logger = logging.getLogger(__name__)

_FIRST_FRAME_SECONDS = 0.5
_REQUEST_SECONDS = 1.0
_MOST_REQUESTS = 64

T = TypeVar("T")


class Streamer:
    """One peer and the streams on it. On the emulator's loop; `close` ends everything."""

    def __init__(
        self, settings: Settings, archive: Archive, account: str, broadcaster: Broadcaster
    ) -> None:
        self.stream: LiveStream | None = None
        self.idle_since = time.monotonic()
        self.prompts: list[str] = []
        self.stream_ids: list[str] = []
        self._settings = settings
        self._archive = archive
        self._account = account
        self._broadcaster = broadcaster
        self._painter = Workers(1, "odyssey-painter")
        self._encoder = FrameEncoder(settings.codec, settings.bitrate)
        self.track = StreamerTrack(self._painter, self._encoder, settings.faults, self._on_failure)
        self.peer = StreamerPeer(self.track, settings.codec, settings.faults, self._on_message)
        self.replies = Replies(self.peer.send, settings.faults)
        self._requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_MOST_REQUESTS)
        self._changing_stream = asyncio.Lock()
        self._tasks = {asyncio.ensure_future(self._answer_requests())}
        self._finishing: asyncio.Future[None] | None = None
        self._handlers = {
            "interactive_stream_start": self._start,
            "update": self._update,
            "interactive_stream_end": self._end,
        }

    def submit(self, message: dict[str, Any]) -> bool:
        """Takes a message of the client; False for one of an unknown type."""
        if str(message.get("type")) not in self._handlers:
            return False
        try:
            self._requests.put_nowait(message)
        except asyncio.QueueFull:
            logger.warning("ignoring a message: %d wait to be answered", _MOST_REQUESTS)
        return True

    def fail(self, reason: str, message: str) -> None:
        """Tells the client of an error. The stream goes on."""
        self.replies.send("interactive_stream_error", reason=reason, message=message)

    async def stop_stream(self, reason: str, message: str) -> bool:
        """Ends the stream from this side: tells the client, closes the recording, serves no more.

        False when the client has just ended it itself.
        """
        async with self._changing_stream:
            if self.stream is None:
                return False
            self.fail(reason, message)
            await self._finish(reason)
            self._cancel_tasks()
            return True

    async def close(self, reason: str) -> None:
        """Ends the stream, if one runs, for this reason, and closes the peer, in bounded time."""
        try:
            # A start under way is not cut off in the middle: its recording would stay behind.
            await asyncio.wait_for(self._changing_stream.acquire(), _REQUEST_SECONDS)
        except TimeoutError:
            logger.warning("a request took longer than %g s; closing without it", _REQUEST_SECONDS)
        self._cancel_tasks()
        await asyncio.wait(self._tasks, timeout=1)
        await self._finish(reason)
        self.replies.close()
        await self.peer.close()
        await self.track.settle()
        self._painter.shutdown()
        self._encoder.close()

    def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _on_message(self, data: str | bytes) -> None:
        message = read_object(data) if isinstance(data, str) else None
        if message is None or not self.submit(message):
            logger.info("ignoring a message on the data channel that makes no sense")

    def _on_failure(self, stream: LiveStream) -> None:
        async def end() -> None:
            async with self._changing_stream:
                if self.stream is stream:
                    self.fail("internal_error", "the stream could not be painted")
                    await self._finish("internal_error")

        self._tasks.add(asyncio.ensure_future(end()))

    async def _answer_requests(self) -> None:
        # A start may come over the socket before the channel that its answer needs is open.
        await self.peer.open.wait()
        while True:
            message = await self._requests.get()
            type_ = str(message["type"])
            try:
                async with self._changing_stream:
                    self._strike(type_)
                    await self._handlers[type_](message)
            except StreamError as exc:
                self.fail(exc.reason, exc.message)
            except Exception:
                logger.exception("answering %s failed", type_)
                self.fail("internal_error", "the request could not be served")

    def _strike(self, type_: str) -> None:
        if fault := self._settings.faults.take(StreamRefused, lambda fault: fault.on == type_):
            raise StreamError(fault.reason, fault.message)

    async def _start(self, message: dict[str, Any]) -> None:
        if self.stream is not None:
            raise StreamError("invalid_state", "a stream is already running")
        request = StartRequest.read(message)
        if request.image is not None and not self._settings.image_to_video:
            raise StreamError("invalid_request", "this model does not start from a picture")
        if request.bypass_expansion and not self._settings.bypass_expansion:
            raise StreamError("forbidden", "the account may not bypass prompt expansion")
        self.prompts.append(request.prompt)
        await self._check_quota()
        applied = self._settings.applied(request.prompt, bypass=request.bypass_expansion)
        id_ = str(uuid.uuid4())
        begin = partial(LiveStream.begin, id_=id_, account=self._account, applied=applied)
        stream = await self._paint(lambda: begin(request, folder=self._archive.folder_of(id_)))
        await self._archive.begin(stream)
        self.stream = stream
        self.stream_ids.append(id_)
        self.replies.send("stream_started", stream_id=id_, applied_prompt=applied)
        if request.broadcast:
            put, announced = self._broadcaster.begin(id_, self.track.request_key_frame)
            stream.on_packet = put
            self.replies.send("broadcast_ready", **announced)
        self.track.play(stream)

    async def _update(self, message: dict[str, Any]) -> None:
        stream = self.stream
        if stream is None:
            raise StreamError("invalid_state", "no stream is running")
        prompt = prompt_of(message)
        self.prompts.append(prompt)
        applied = self._settings.applied(prompt)
        await self._paint(lambda: stream.interact(prompt, applied))
        self.replies.send("update_acknowledged", prompt=applied)

    async def _end(self, _message: dict[str, Any]) -> None:
        if self.stream is None:
            raise StreamError("invalid_state", "no stream is running")
        with contextlib.suppress(TimeoutError):  # no recording without a picture
            await asyncio.wait_for(self.track.painted.wait(), _FIRST_FRAME_SECONDS)
        await self._finish(None)
        self.replies.send("stream_ended")

    async def _check_quota(self) -> None:
        limits = self._settings.limits
        if limits.monthly_hours is not None:
            used = await self._archive.hours_this_month(self._account)
            if used >= limits.monthly_hours:
                raise StreamError("quota_exceeded", "the hours of this month are used up")
        if self._archive.running_count(self._account) >= limits.concurrent_streams:
            raise StreamError("concurrent_limit_exceeded", "too many streams at the same time")

    async def _finish(self, reason: str | None) -> None:
        stream, self.stream = self.stream, None
        if stream is None:
            return
        self.idle_since = time.monotonic()
        # Goes on where the request that ends the stream is cut off by the connection's end: its
        # recording would stay open, and it would count as running for ever.
        self._finishing = asyncio.ensure_future(self._finish_recording(stream, reason))
        await asyncio.shield(self._finishing)

    async def _finish_recording(self, stream: LiveStream, reason: str | None) -> None:
        await self.track.pause()
        self._broadcaster.end(stream.id)
        self._archive.finish(stream, reason)

    async def _paint(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._painter, work)
