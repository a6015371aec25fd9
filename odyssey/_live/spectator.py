"""Watches a stream that somebody else broadcasts."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from odyssey._checks import check_timeout
from odyssey._live.callbacks import (
    Callbacks,
    DisconnectedCallback,
    OdysseyEventHandlers,
    VideoFrameCallback,
)
from odyssey._live.whep import WhepAddress, WhepSession
from odyssey._logging import log_to_stderr, shown_url, without_locals
from odyssey._runtime.background import load, run_in_thread
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.exit import close_at_exit, close_dropped
from odyssey._runtime.fork import ForkGuard
from odyssey.errors import OdysseyError, OdysseyTimeoutError
from odyssey.frames.frame import VideoFrame
from odyssey.frames.queue import FrameQueue, StreamState

if TYPE_CHECKING:
    from odyssey._rtc.spectator import Spectator
    from odyssey._runtime.portal import Portal

#: Seconds for connecting, and for waiting for a frame, unless the caller gives a timeout.
DEFAULT_TIMEOUT = 30.0
#: Seconds of `disconnect` for the request to the service, for closing the peer, for each thread.
LEAVE_TIMEOUT = 0.8
CLOSE_TIMEOUT = 0.8
JOIN_TIMEOUT = 0.4
#: Seconds that closing after a failed connect is waited for, and where its time is over.
ABANDON_TIMEOUT = 2.5
ABANDON_GRACE = 0.35


@without_locals
def connect_to_stream(
    webrtc_url: str,
    spectator_token: str,
    on_video_frame: VideoFrameCallback | None = None,
    on_disconnected: DisconnectedCallback | None = None,
    debug: bool = False,
    *,
    timeout: float | None = None,
) -> SpectatorConnection:
    """Watches a stream that was started with `broadcast=True`; needs no API key.

    Returns when the media connection is up. It requests a key frame, which brings the first
    picture.

    Args:
        webrtc_url: `BroadcastInfo.webrtc_url`.
        spectator_token: `BroadcastInfo.spectator_token`.
        on_video_frame: Called with each `VideoFrame`, on a thread of its own; a slow one misses
            frames and delays nothing.
        on_disconnected: Called once, when the stream has ended, was lost, or was left.
        debug: Logs at DEBUG to stderr.
        timeout: Seconds for connecting, and the default timeout of the queue's methods; 30 if None.

    Raises:
        ValueError, TypeError: An argument is wrong; nothing was sent.
        OdysseyAuthError: The token was refused.
        OdysseyNotFoundError: There is no such stream, or it has ended.
        OdysseyServerError: The service's answer can't be used.
        OdysseyTimeoutError: Not connected in time.
        OdysseyConnectionError: The service can't be reached.

    Example:
        ```python
        with connect_to_stream(info.webrtc_url, info.spectator_token) as watching:
            for frame in watching.frames:           # until the stream ends
                process(frame.data)                 # (1280, 704, 3) uint8
        ```
    """
    address = WhepAddress(webrtc_url, spectator_token)
    handlers = OdysseyEventHandlers(on_video_frame=on_video_frame, on_disconnected=on_disconnected)
    seconds = DEFAULT_TIMEOUT if timeout is None else check_timeout(timeout)
    if debug:
        log_to_stderr()
    deadline = Deadline.after(seconds)
    session = SpectatorSession(address, handlers)
    connection = SpectatorConnection(session, seconds)
    try:
        session.open(deadline)
    except BaseException as exc:
        session.abandon(exc, deadline)
        raise
    return connection


class SpectatorConnection:
    """A stream that is being watched; returned by `connect_to_stream`.

    As a context manager, it disconnects on exit. Safe to share between threads. When neither it nor
    its `frames` is referenced any more, the connection is closed with a `ResourceWarning`.

    Example:
        ```python
        watching = connect_to_stream(info.webrtc_url, info.spectator_token)
        picture = watching.frames.latest().data         # (1280, 704, 3) uint8
        watching.disconnect()
        ```
    """

    def __init__(self, session: SpectatorSession, timeout: float | None) -> None:
        self._session = session
        self._frames = FrameQueue(timeout=timeout)
        session.frames = weakref.ref(self._frames)
        # This object and whoever reads the frames refer to the queue, so the queue is collected
        # last. At the end of the program `close_at_exit` closes the session, without a warning.
        weakref.finalize(self._frames, session.dropped).atexit = False

    @property
    def frames(self) -> FrameQueue:
        """The stream's frames, whose `stream_id` and `prompt` are None.

        Iteration stops at the end of the stream, and raises `OdysseyConnectionError` if the
        connection was lost.

        Example:
            ```python
            clip = watching.frames.stack(48)                # (48, 1280, 704, 3) uint8
            ```
        """
        return self._frames

    @property
    def is_connected(self) -> bool:
        """Whether the stream is being received."""
        return self._session.is_connected

    def disconnect(self) -> None:
        """Leaves the stream and frees everything, in at most 3 s. Idempotent; never raises."""
        self._session.close()

    def __enter__(self) -> SpectatorConnection:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.disconnect()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a SpectatorConnection can't be pickled, as it has a connection and threads: call "
            "connect_to_stream() in each process"
        )

    def __repr__(self) -> str:
        return self._session.described()


class SpectatorSession:
    """The WHEP session, its media thread and its callbacks. The media thread keeps it alive.

    Attributes:
        frames: Returns the queue for the frames, or None when nobody refers to it any more.
    """

    def __init__(self, address: WhepAddress, handlers: OdysseyEventHandlers) -> None:
        self.frames: Callable[[], FrameQueue | None] = lambda: None
        self._url = address.url
        self._connected = False
        self._fork_guard = ForkGuard()
        self._handlers = handlers
        self._whep = WhepSession(address)
        self._loop: Portal | None = None
        self._spectator: Spectator | None = None
        self._callbacks: Callbacks | None = None
        # Guards `_connected`, `_over` and `_leaving`; nothing waits while holding it.
        self._state = threading.Lock()
        self._over = False
        self._leaving = False
        self._left = threading.Event()

    @property
    def is_connected(self) -> bool:
        """Whether the stream is being received; False in a forked child."""
        return self._connected and self._fork_guard.is_here

    def described(self) -> str:
        state = "connected" if self.is_connected else "disconnected"
        return f"<SpectatorConnection {shown_url(self._url)} {state}>"

    def open(self, deadline: Deadline) -> None:
        """Connects; returns when the media connection is up."""
        try:
            load("odyssey._rtc.spectator", deadline)
        except TimeoutError:
            raise OdysseyTimeoutError("aiortc was not loaded in time") from None
        from odyssey._rtc.spectator import Spectator
        from odyssey._runtime.portal import Portal

        servers = self._whep.ice_servers(deadline)
        self._callbacks = Callbacks(self._handlers)
        loop = self._loop = Portal("odyssey-media")
        spectator = self._spectator = Spectator(self)
        close_at_exit(self)
        offer = loop.call(
            spectator.offer,
            servers,
            deadline=deadline,
            waiting_for=lambda: "this machine's addresses were not gathered in time",
        )
        answer = self._whep.join(offer, deadline)
        loop.call(
            spectator.accept,
            answer,
            deadline=deadline,
            waiting_for=lambda: (
                "the media connection to the stream was not up in time; the "
                "network may not let UDP through"
            ),
        )

    def abandon(self, exc: BaseException, deadline: Deadline) -> None:
        """Cleans up after `open` failed with `exc`, without calling `on_disconnected`.

        Ctrl-C and the deadline are answered at once; then the closing goes on without its caller.
        """
        with self._state:
            self._over = True
        closing = run_in_thread(self.close, "odyssey-close")
        seconds = ABANDON_TIMEOUT if isinstance(exc, Exception) else 0.3
        concurrent.futures.wait([closing], deadline.later(ABANDON_GRACE).within(seconds))

    def begin_closing(self) -> Future[None] | None:
        """Begins to close the peer at the end of the program, without waiting for it."""
        if self._loop is not None and self._spectator is not None and self._fork_guard.is_here:
            with contextlib.suppress(OdysseyError):
                return self._loop.submit(self._spectator.close)
        return None

    def close(self) -> None:
        """Closes everything. Idempotent; never raises. A second caller waits for the first."""
        if not self._fork_guard.is_here:
            return
        with self._state:
            first, self._leaving = not self._leaving, True
        if not first:
            self._left.wait(LEAVE_TIMEOUT + CLOSE_TIMEOUT)
            return
        self.ended(None)
        self._whep.leave(Deadline.after(LEAVE_TIMEOUT))
        loop = self._loop
        if loop is not None and self._spectator is not None:
            with contextlib.suppress(OdysseyError):
                loop.call(
                    self._spectator.close,
                    deadline=Deadline.after(CLOSE_TIMEOUT),
                    waiting_for=lambda: "closing took too long",
                )
            loop.stop(JOIN_TIMEOUT)
        self._whep.close()
        self._left.set()
        if self._callbacks is not None:
            self._callbacks.finish()
            self._callbacks.join(Deadline.after(JOIN_TIMEOUT))

    def dropped(self) -> None:
        """Closes the session when nothing refers to its frames any more."""
        if self.is_connected:
            close_dropped(self.close, self.described(), self)

    # Called on the media thread (SpectatorListener).

    def began(self) -> None:
        with self._state:
            if self._over:
                return
            self._connected = True
        self._set_state(StreamState.LIVE)

    def frame(self, frame: VideoFrame) -> None:
        if (frames := self.frames()) is not None:
            frames.put(frame)
        if self._callbacks is not None:
            self._callbacks.frame(frame)

    def ended(self, failure: OdysseyError | None) -> None:
        """Notes that the stream is over, for whatever reason; only the first call counts."""
        with self._state:
            if self._over:
                return
            self._over = True
            self._connected = False
            if failure is None and not self._leaving:
                self._whep.forget()
        self._set_state(StreamState.GONE if failure is None else StreamState.FAILED, failure)
        if self._callbacks is not None:
            self._callbacks.emit("on_disconnected")
            self._callbacks.finish()

    def _set_state(self, state: StreamState, failure: OdysseyError | None = None) -> None:
        if (frames := self.frames()) is not None:
            frames.set_state(state, failure)

    def torn_down(self) -> None:
        """Frees the rest when the peer is closed, as `disconnect` need not be called after that."""
        self._whep.close()
        if self._loop is not None:
            self._loop.stop(0)
