"""What is said on the data channels: starts, prompts and ends, and the streamer's replies."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Protocol

from odyssey._logging import shown_text
from odyssey._protocol import messages
from odyssey._protocol.replies import PendingReplies, Request
from odyssey._rtc.late_start import LateStart
from odyssey._rtc.peer import Peer
from odyssey._rtc.signaling import Signaling
from odyssey._rtc.silence import SilenceWatch
from odyssey.errors import (
    OdysseyConnectionError,
    OdysseyError,
    OdysseyStreamError,
    error_from_stream_reason,
    own_copy,
)
from odyssey.frames.fanout import FrameFanout
from odyssey.frames.live_stream import LiveStream
from odyssey.frames.queue import StreamState
from odyssey.models import BroadcastInfo
from odyssey.models.model import with_raw

logger = logging.getLogger(__name__)

#: Seconds until a start is sent again that the stream of a start before stood in the way of.
START_PAUSE = 0.1


#: Gets the stream of a start, the acknowledged prompt of an interaction.
_Waiter = asyncio.Future[LiveStream | str]


class EventListener(Protocol):
    """Who hears of events; the call does not block."""

    def emit(self, name: str, *args: object) -> None: ...


class Conversation:
    """The stream on a connection, and the calls that wait for a reply. On the media thread only,
    but for the attributes and `shown_by`: what they read is one value, replaced as a whole.

    Attributes:
        stream: The stream that runs.
        applied_prompt: The prompt last acknowledged, of this stream or the last one.
        verdict: Why the service is about to end the connection, where it said so before doing it.
    """

    def __init__(self, fanout: FrameFanout, listener: EventListener, silence: SilenceWatch) -> None:
        self.stream: LiveStream | None = None
        self.applied_prompt: str | None = None
        self.verdict: OdysseyError | None = None
        self._fanout = fanout
        self._listener = listener
        self._silence = silence  # on while a stream runs
        self._pending: PendingReplies[_Waiter] = PendingReplies()
        self._peer: Peer | None = None
        self._signaling: Signaling | None = None
        self._late_start = LateStart()

    @property
    def stream_id(self) -> str | None:
        return None if self.stream is None else self.stream.id

    def shown_by(self, arrived_at: float) -> tuple[str | None, str | None]:
        """The stream that a picture belongs to and the prompt that it should show.

        A picture that arrived before the stream's start, and was decoded after it, is none of it.
        """
        stream = self.stream
        if stream is None or arrived_at < stream.since:
            return None, None
        return stream.id, stream.prompt

    def open(self, peer: Peer, signaling: Signaling) -> None:
        """The connection is ready: from now on there is something to talk over."""
        self._peer, self._signaling = peer, signaling

    def close(self, error: OdysseyError) -> None:
        """The connection is over: everybody who waits gets `error`."""
        self._peer = self._signaling = None
        self._show_nothing()
        _refuse(self._pending.close(), error)

    async def start(
        self,
        prompt: str,
        *,
        portrait: bool,
        image: str | None,
        broadcast: bool,
        bypass_prompt_expansion: bool | None,
        end_if_late: bool = False,
    ) -> LiveStream:
        """Starts a stream.

        Args:
            end_if_late: The stream is ended again if it starts after this call was cancelled.
        """
        message = messages.interactive_stream_start(
            prompt,
            portrait=portrait,
            image=image,
            broadcast=broadcast,
            bypass_prompt_expansion=bypass_prompt_expansion,
        )
        while True:
            before = self._late_start.is_in_the_way
            try:
                started = await self._request(
                    Request.START, prompt, message, image is not None, end_if_late
                )
            except OdysseyStreamError as exc:
                # The stream that is in the way may be that of a start that gave up.
                if exc.reason != "invalid_state" or not (before or self._late_start.is_in_the_way):
                    raise
            else:
                assert isinstance(started, LiveStream)
                return started
            # Its answer, once its stream is over, could be taken for that of this start.
            await self._late_start.answer()
            self._end_late_start()
            await asyncio.sleep(START_PAUSE)

    async def interact(self, prompt: str, stream: LiveStream | None = None) -> str:
        """Steers the stream that runs; the prompt as acknowledged.

        Args:
            stream: The one that is meant: an error if that is over.
        """
        if stream is not None and stream is not self.stream:
            raise stream.over()
        self._require_stream("interact")
        peer, _ = self._require_open("interact")
        message = messages.update(prompt)
        if len(message.encode()) > peer.max_message_size:
            raise ValueError(
                f"the prompt is too long: the service takes at most {peer.max_message_size} bytes "
                "in a message"
            )
        return str(await self._request(Request.INTERACT, prompt, message))

    async def end(self, stream: LiveStream | None = None) -> None:
        """Ends the stream that runs.

        Args:
            stream: The one that is meant: nothing is done if that is over.
        """
        if stream is not None and stream is not self.stream:
            return
        self._require_stream("end_stream")
        await self._request(Request.END, None, messages.interactive_stream_end())

    async def _request(
        self,
        request: Request,
        prompt: str | None,
        message: str,
        by_socket: bool = False,
        end_if_late: bool = False,
    ) -> LiveStream | str:
        """Sends, and waits for the reply. The waiter is in line before the message goes out."""
        self._require_open(request.value)
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        entry = self._pending.sent(request, prompt, waiter, self.stream_id)
        try:
            await self._send(request, message, by_socket)
            return await waiter
        except asyncio.CancelledError:
            self._pending.abandon(entry, unwanted=end_if_late)
            if end_if_late:
                self._late_start.gave_up()
            raise
        except OdysseyError:
            if not waiter.done():
                self._pending.withdraw(entry)
            raise

    async def _send(self, request: Request, message: str, by_socket: bool) -> None:
        """Over the data channel; a start with a picture, or too large for it, over signaling."""
        peer, signaling = self._require_open(request.value)
        if not by_socket and peer.can_send(message):
            peer.send(message)
        elif request is Request.START:
            await signaling.send(message)
        else:
            raise OdysseyConnectionError("the data channel to the streamer is closed")

    def _require_open(self, operation: str) -> tuple[Peer, Signaling]:
        if self._peer is None or self._signaling is None:
            raise OdysseyStreamError(
                f"can't {operation}: not connected; call connect() first", reason="not_connected"
            )
        return self._peer, self._signaling

    def _require_stream(self, operation: str) -> None:
        self._require_open(operation)
        if self.stream is None and not self._pending.expects(Request.START):
            raise OdysseyStreamError(
                f"can't {operation}: no stream is running; call start_stream() first",
                reason="invalid_state",
            )

    def receive(self, data: str | bytes) -> None:
        """A message of `streamerToClient`; what can't be read is logged."""
        try:
            message = messages.read_streamer_message(data)
        except messages.MalformedMessage as exc:
            logger.warning("ignored on the data channel: %s", exc)
            return
        if message is None:
            logger.debug("ignored on the data channel: a message of unknown type")
        elif isinstance(message, messages.StreamStarted):
            self._stream_started(message)
        elif isinstance(message, messages.UpdateAcknowledged):
            self._acknowledged(message.prompt)
        elif isinstance(message, messages.StreamEnded):
            self._stream_ended()
        elif isinstance(message, messages.BroadcastReady):
            info = BroadcastInfo(message.hls_url, message.webrtc_url, message.spectator_token)
            self._listener.emit("on_broadcast_ready", with_raw(info, message.raw))
        elif isinstance(message, messages.BroadcastIncomplete):
            said = "the service announced a broadcast without its address or its token"
            self._listener.emit("on_stream_error", "broadcast_error", said)
        else:
            self._stream_error(shown_text(message.reason), shown_text(message.message))

    def _end_late_start(self) -> None:
        """Ends the stream of a start that gave up. Nobody waits for the reply."""
        peer, _ = self._require_open("end_stream")
        if self._late_start.is_ended:
            return
        message = messages.interactive_stream_end()
        if peer.can_send(message):
            self._late_start.ended()
            # Its reply ends no stream that runs later: none has this id.
            self._pending.sent(Request.END, None, None, stream_id="")
            peer.send(message)

    def _show_nothing(self) -> None:
        self._silence.stop()
        self.stream = None

    # What the streamer says.

    def _stream_started(self, message: messages.StreamStarted) -> None:
        if message.stream_id == self.stream_id or not self._pending.expects(Request.START):
            logger.warning("ignored a stream_started that answers no start")
            return
        entry = self._pending.started(message.applied_prompt)
        assert entry is not None
        if entry.unwanted:
            logger.info("stream %r started too late: it is ended again", message.stream_id)
            self._late_start.answered()
            self._end_late_start()
            return
        self._late_start.forget()
        prompt = entry.prompt if message.applied_prompt is None else message.applied_prompt
        stream = LiveStream(message.stream_id, prompt, time.monotonic())
        self.stream, self.applied_prompt = stream, prompt
        self._silence.start()
        # The queue is live before the caller hears of it, so that it misses no frame.
        self._fanout.set_state(StreamState.LIVE, stream=stream)
        self._listener.emit("on_stream_started", message.stream_id)
        _answer(entry.waiter, stream)

    def _acknowledged(self, prompt: str) -> None:
        entry = self._pending.acknowledged(prompt)
        if self.stream is not None:
            self.stream.prompt = self.applied_prompt = prompt
        self._listener.emit("on_interact_acknowledged", prompt)
        if entry is None:
            logger.debug("an acknowledgement that answers no interaction")
        else:
            _answer(entry.waiter, prompt)

    def _stream_ended(self) -> None:
        entry = self._pending.ended()
        if self.stream is None and entry is None:
            logger.debug("ignored a stream_ended without a stream")
            return
        given_up = entry is not None and entry.waiter is None
        if entry is not None and given_up and entry.stream_id not in (None, self.stream_id):
            logger.debug("ignored a stream_ended of a stream before this one")
            return
        if self.stream is not None:
            self._show_nothing()
            self._fanout.set_state(StreamState.ENDED)
            self._listener.emit("on_stream_ended")
        ended = OdysseyStreamError(
            "the stream ended before the prompt was acknowledged", reason="stream_ended"
        )
        _refuse(self._pending.interactions(), ended)
        if entry is not None:
            _answer(entry.waiter, "")

    def _stream_error(self, reason: str, message: str) -> None:
        error = error_from_stream_reason(reason, message, "the stream failed")
        logger.info("stream error: %s", error)
        self._listener.emit("on_stream_error", reason, message)
        if reason != "session_timeout":
            _refuse(self._pending.refused(), error)
            return
        # The service closes the connection next.
        self.verdict = error
        self._fanout.set_state(StreamState.FAILED, error)
        if self.stream is not None:
            self._show_nothing()
            self._listener.emit("on_stream_ended")
        _refuse(self._pending.close(), error)


def _answer(waiter: _Waiter | None, value: LiveStream | str) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(value)


def _refuse(waiters: Sequence[_Waiter], error: OdysseyError) -> None:
    """Each gets an error of its own: a traceback belongs to one thread."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(own_copy(error))
