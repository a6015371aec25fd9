"""One connection to the service, from the first try to its end. Runs on the media thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Protocol

import av

from odyssey._logging import Secret, scrub, shown_text
from odyssey._protocol import messages
from odyssey._protocol.state import NEXT_STATUS, Need, describe_missing
from odyssey._rtc.conversation import Conversation, EventListener
from odyssey._rtc.peer import IceServerLike, Peer
from odyssey._rtc.sdp_bounds import excess
from odyssey._rtc.signaling import CLEAN_CODES, LONGEST_READ, Refused, Signaling, TooLarge
from odyssey._rtc.silence import SilenceWatch
from odyssey._rtc.video_receiver import live_frame
from odyssey._runtime.tasks import Tasks
from odyssey.config import AdvancedConfig
from odyssey.errors import (
    OdysseyConnectionError,
    OdysseyError,
    error_from_signaling_reason,
)
from odyssey.frames.fanout import FrameFanout
from odyssey.frames.frame import VideoFrame
from odyssey.frames.queue import StreamState
from odyssey.models import ClientCredentials, ConnectionStatus

logger = logging.getLogger(__name__)

#: Seconds for opening the signaling socket, once.
OPEN_TIMEOUT = 10.0
#: Seconds that closing may take: a frozen server must not hold the caller up.
CLOSE_TIMEOUT = 1.2
#: Seconds that ending an open stream may take on closing.
END_TIMEOUT = 0.4
#: Seconds between the media's end and a verdict: the socket, which knows why, may speak yet.
VERDICT_GRACE = 1.0


class Listener(EventListener, Protocol):
    """Gets the events, and frames on the decoder's thread; no call blocks."""

    def frame(self, frame: VideoFrame) -> None: ...
    def finish(self) -> None: ...


class Connection:
    """Signaling and the peer, until one of them ends; what is said over them is its `conversation`.

    The coroutines run on the media thread, and everything but `frames_received` is changed there
    only. Other threads read the public attributes: each is one value, replaced as a whole.

    Attributes:
        released: The service was told that the session is free again.
        refused: The service won't connect the session, however often it is tried.
    """

    def __init__(self, fanout: FrameFanout, listener: Listener, advanced: AdvancedConfig) -> None:
        self.status = ConnectionStatus.DISCONNECTED
        self.session_id: str | None = None
        self.failure: OdysseyError | None = None
        self.frames_received = 0
        self.released = False
        self.refused = False
        self._fanout = fanout
        self._listener = listener
        self._retry_delays = advanced.retry_delays()
        silence = SilenceWatch(advanced.frame_timeout_s, self._heard_at, self._fell_silent)
        self.conversation = Conversation(fanout, listener, silence)
        self._signaling: Signaling | None = None
        self._peer: Peer | None = None
        self._offered = False
        self._opening: asyncio.Task[None] | None = None
        # Of the present try: when all is there or it has failed, and why it has.
        self._ready: asyncio.Future[None] | None = None
        self._refused: Refused | None = None
        self._tasks = Tasks(self.task_failed)
        self._teardown: asyncio.Task[None] | None = None

    # Connecting.

    async def authenticate(self) -> None:
        """Sets the status while the caller's thread requests a session from the REST API.

        Raises:
            OdysseyConnectionError: `close` came first.
        """
        if self._teardown is not None:
            raise _disconnected()
        self._set_status(ConnectionStatus.AUTHENTICATING)

    async def open(
        self, credentials: ClientCredentials, base_url: str, servers: Sequence[IceServerLike]
    ) -> None:
        """Connects, trying again as configured; returns when the connection is ready.

        After it has failed it may be called again, with another session.

        Args:
            base_url: The signaling address as ws(s).

        Raises:
            OdysseyAuthError, OdysseyConnectionError: It failed for good.
        """
        if self._teardown is not None:
            raise _disconnected()
        self.session_id = credentials.session_id
        self._opening = asyncio.current_task()
        try:
            await self._drop(say_goodbye=True)
            self.released = self.refused = False
            if self.status is not ConnectionStatus.RECONNECTING:
                self._set_status(ConnectionStatus.CONNECTING)
            await self._attempts(credentials, base_url, servers)
        except asyncio.CancelledError:
            if self._teardown is not None:
                raise _disconnected() from None
            raise
        finally:
            self._opening = None
        assert self._peer is not None
        assert self._signaling is not None
        self.conversation.open(self._peer, self._signaling)
        self._fanout.set_state(StreamState.READY)
        self._set_status(ConnectionStatus.CONNECTED)
        self._listener.emit("on_connected")

    def missing(self) -> str:
        """Describes what is missing, for the message of a timeout."""
        return describe_missing(self._missing())

    async def _attempts(
        self, credentials: ClientCredentials, base_url: str, servers: Sequence[IceServerLike]
    ) -> None:
        delays = iter(self._retry_delays)
        while True:
            refused = await self._attempt(credentials, base_url, servers)
            if refused is None:
                return
            delay = None if refused.final else next(delays, None)
            if delay is None:
                self.refused = refused.final
                raise refused.error
            logger.info("connecting failed (%s); trying again in %.1f s", refused.error, delay)
            self._set_status(ConnectionStatus.RECONNECTING, str(refused.error))
            await self._drop(say_goodbye=False)
            await asyncio.sleep(delay)

    async def _attempt(
        self, credentials: ClientCredentials, base_url: str, servers: Sequence[IceServerLike]
    ) -> Refused | None:
        """Tries once; why it failed, or None."""
        self._ready = asyncio.get_running_loop().create_future()
        self._refused = None
        self._offered = False
        signaling = await Signaling.open(
            base_url, credentials.session_id, Secret(credentials.session_token), OPEN_TIMEOUT
        )
        if isinstance(signaling, Refused):
            return signaling
        self._signaling = signaling
        peer = self._peer = Peer(servers, self)
        self._tasks.spawn(self._read(signaling, peer))
        self._tasks.spawn(signaling.keep_alive())
        await self._ready
        refused = self._refused  # perhaps since all was there, before this task's turn came
        if refused is None and signaling.close_code is not None:
            error = OdysseyConnectionError(
                "the signaling socket closed as the connection was ready"
            )
            return Refused(error, final=False)
        return refused

    async def _read(self, signaling: Signaling, peer: Peer) -> None:
        """Acts on what the signaling server says, until its socket closes."""
        async for message in signaling.messages():
            if isinstance(message, messages.Offer):
                await self._take_offer(signaling, peer, message)
            elif isinstance(message, messages.RemoteCandidate):
                peer.add_candidate(message)
            elif isinstance(message, TooLarge):
                self._received_too_much(message)
            elif isinstance(message, messages.SignalingError):
                reason = shown_text(message.reason)
                self._lose(error_from_signaling_reason(reason), final=True)
        self._socket_closed(signaling.close_code)

    def _received_too_much(self, message: TooLarge) -> None:
        said = (
            f"the signaling server sent a message of {message.size} characters, where at most "
            f"{LONGEST_READ} are read"
        )
        if self.status is ConnectionStatus.CONNECTED:
            logger.warning("%s: ignored", said)
        else:
            self._lose(OdysseyConnectionError(said), final=True)

    async def _take_offer(self, signaling: Signaling, peer: Peer, offer: messages.Offer) -> None:
        self._offered = True
        if (too_large := excess(offer.sdp)) is not None:
            error = OdysseyConnectionError(f"the service's offer is too large: {too_large}")
            self._lose(error, final=True)
            return
        try:
            answer = await peer.answer(offer.sdp)
        except Exception as exc:
            logger.debug("the offer", exc_info=scrub(exc))
            error = OdysseyConnectionError(
                f"the service's offer can't be answered ({type(exc).__name__})"
            )
            self._lose(error, final=False)
            return
        with contextlib.suppress(OdysseyConnectionError):  # its closing is noticed by `_read`
            await signaling.send(messages.answer(answer))
            self._tasks.spawn(self._send_late_candidates(signaling, peer))

    async def _send_late_candidates(self, signaling: Signaling, peer: Peer) -> None:
        # Closed with the task, not when it is collected: that ends the queries.
        async with contextlib.aclosing(peer.late_candidates()) as candidates:
            with contextlib.suppress(OdysseyConnectionError):
                async for candidate in candidates:
                    await signaling.send(candidate)

    def _missing(self) -> set[Need]:
        missing = {Need.MEDIA, Need.TRACK, Need.SENDING, Need.RECEIVING}
        if self._signaling is None:
            return missing | {Need.SOCKET, Need.OFFER}
        if self._peer is not None:
            missing = self._peer.missing()
        return missing if self._offered else missing | {Need.OFFER}

    # Called by the peer (PeerListener).

    def frame_decoded(self, frame: av.VideoFrame, arrived_at: float) -> None:
        """Hands a frame on; called on the decoder's thread, the only one that counts frames."""
        index = self.frames_received
        self.frames_received += 1
        stream_id, prompt = self.conversation.shown_by(arrived_at)
        video_frame = live_frame(frame, index, stream_id, prompt)
        self._fanout.put(video_frame, idle=stream_id is None)
        self._listener.frame(video_frame)

    def message_received(self, data: str | bytes) -> None:
        if self.status is not ConnectionStatus.CONNECTED:
            return
        self.conversation.receive(data)
        if self.conversation.verdict is not None:
            # The service is about to close: until then nothing could be done with it.
            self._fail(self.conversation.verdict)

    def needs_changed(self) -> None:
        if self._ready is not None and not self._ready.done() and not self._missing():
            self._ready.set_result(None)

    def peer_lost(self, why: str) -> None:
        error = OdysseyConnectionError(f"the connection was lost: {why}")
        if self.status is not ConnectionStatus.CONNECTED:
            self._lose(error, final=False)
        else:
            asyncio.get_running_loop().call_later(VERDICT_GRACE, self._fail, error)

    def task_failed(self, exc: Exception) -> None:
        error = OdysseyConnectionError(
            f"the connection can't go on: an unexpected {type(exc).__name__}"
        )
        error.__cause__ = exc
        self._lose(error, final=False)

    def _heard_at(self) -> float | None:
        return None if self._peer is None else self._peer.heard_at

    def _fell_silent(self, why: str) -> None:
        self._fail(OdysseyConnectionError(f"the connection was lost: {why} although a stream runs"))

    # Endings.

    def _socket_closed(self, code: int | None) -> None:
        if self.conversation.verdict is not None:
            self._lose(self.conversation.verdict, final=True)
        elif self.status is ConnectionStatus.CONNECTED and code in CLEAN_CODES:
            self._finish(ConnectionStatus.DISCONNECTED, None)
        else:
            when = (
                f"before the connection was ready; missing: {self.missing()}"
                if self.status is not ConnectionStatus.CONNECTED
                else "while connected"
            )
            self._lose(
                OdysseyConnectionError(f"the signaling socket closed (code {code}) {when}"),
                final=False,
            )

    def _lose(self, error: OdysseyError, *, final: bool) -> None:
        """Ends the connection, or while connecting, the present try."""
        if self.status is ConnectionStatus.CONNECTED:
            self._fail(error)
        elif self._ready is not None and self._refused is None:
            self._refused = Refused(error, final)
            if not self._ready.done():
                self._ready.set_result(None)

    def _fail(self, error: OdysseyError) -> None:
        if self.status is ConnectionStatus.CONNECTED:
            self._finish(ConnectionStatus.FAILED, self.conversation.verdict or error)

    async def abort(self, error: OdysseyError | None) -> None:
        """Cleans up after connecting failed with `error`, or was interrupted (None)."""
        status = ConnectionStatus.DISCONNECTED if error is None else ConnectionStatus.FAILED
        self._finish(status, error)
        await self._wait_torn_down()

    async def close(self) -> None:
        """Ends the stream and the connection; wakes everybody who waits on it. Idempotent."""
        if self.conversation.stream_id is not None:
            with contextlib.suppress(OdysseyError, TimeoutError):
                await asyncio.wait_for(self.conversation.end(), END_TIMEOUT)
        self._finish(ConnectionStatus.DISCONNECTED, None)
        await self._wait_torn_down()
        if self.status is ConnectionStatus.FAILED:
            self._set_status(ConnectionStatus.DISCONNECTED)

    def _finish(self, status: ConnectionStatus, error: OdysseyError | None) -> None:
        """Ends the connection, ready or not. All ends come here; only the first one counts."""
        if self._teardown is not None:
            return
        was_up = self.status is ConnectionStatus.CONNECTED
        self.failure = error
        self._set_status(status, None if error is None else str(error))
        if was_up:
            self._fanout.set_state(StreamState.GONE if error is None else StreamState.FAILED, error)
        self.conversation.close(
            error or OdysseyConnectionError("the connection was closed meanwhile")
        )
        if self._opening is not None:
            self._opening.cancel()
        if error is not None:
            self._listener.emit("on_error", error, True)
        if was_up:
            self._listener.emit("on_disconnected")
        self._listener.finish()
        self._teardown = asyncio.get_running_loop().create_task(self._drop(say_goodbye=True))

    async def _wait_torn_down(self) -> None:
        if self._teardown is not None:
            await asyncio.shield(self._teardown)

    async def _drop(self, *, say_goodbye: bool) -> None:
        """Closes the socket and the peer side by side, within `CLOSE_TIMEOUT`."""
        signaling, self._signaling = self._signaling, None
        peer, self._peer = self._peer, None
        closing = []
        if signaling is not None:
            closing.append(asyncio.ensure_future(signaling.close(say_goodbye=say_goodbye)))
        if peer is not None:
            closing.append(asyncio.ensure_future(peer.close()))
        if closing:
            await _bounded(closing)
        self.released = self.released or (signaling is not None and signaling.said_goodbye)
        await self._tasks.cancel(CLOSE_TIMEOUT)

    def _set_status(self, status: ConnectionStatus, message: str | None = None) -> None:
        if status is self.status and status is not ConnectionStatus.RECONNECTING:
            return
        if status not in NEXT_STATUS[self.status]:
            raise AssertionError(f"{self.status.value} can't become {status.value}")
        logger.info(
            "%s -> %s%s", self.status.value, status.value, f": {message}" if message else ""
        )
        self.status = status
        self._listener.emit("on_status_change", status, message)


def _disconnected() -> OdysseyConnectionError:
    return OdysseyConnectionError("disconnected while connecting")


async def _bounded(closing: list[asyncio.Task[None]]) -> None:
    _, late = await asyncio.wait(closing, timeout=CLOSE_TIMEOUT)
    for task in late:
        task.cancel()
    if late:
        logger.warning("the other end did not react to closing within %.1f s", CLOSE_TIMEOUT)
        await asyncio.wait(late, timeout=0.3)
    for task in closing:
        if task.done() and not task.cancelled() and task.exception() is not None:
            logger.debug("on closing", exc_info=task.exception())
