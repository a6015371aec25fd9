"""The live half of a client: its one connection at a time, and the calls that wait for it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

import attrs

from odyssey._checks import check_text, check_timeout
from odyssey._live.cancellation import Cancellation
from odyssey._live.provisioning import (
    Grant,
    as_http,
    as_websocket,
    ice_servers,
    request_session,
    request_token,
)
from odyssey._live.session_keeper import RELEASE_TIMEOUT, SessionKeeper
from odyssey._live.telemetry import Telemetry, reported
from odyssey._rest.client import HttpClient
from odyssey._runtime.background import run_in_thread
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.exit import close_at_exit
from odyssey._runtime.fork import ForkGuard
from odyssey.config import Settings
from odyssey.errors import (
    ConcurrentLimitReachedError,
    OdysseyError,
    OdysseyRequestError,
    OdysseyStreamError,
    OdysseyTimeoutError,
)
from odyssey.frames.fanout import FrameFanout
from odyssey.frames.queue import FrameQueue, Overflow
from odyssey.models import ConnectionStatus

if TYPE_CHECKING:
    from odyssey._live.callbacks import Callbacks
    from odyssey._live.callbacks import OdysseyEventHandlers as Handlers
    from odyssey._rtc.connection import Connection
    from odyssey._runtime.portal import Portal
    from odyssey.frames.live_stream import LiveStream
    from odyssey.frames.stats import ClientStats
    from odyssey.models import ClientCredentials, StreamerCapabilities

logger = logging.getLogger(__name__)

#: Seconds that `disconnect` waits for the media thread, which bounds its own steps below that; one
#: that is stuck gets `CLEAN_UP` on top.
DISCONNECT_TIMEOUT = 2.0
#: Seconds that `close` may take in all; what is left of them goes to waiting for the threads.
CLOSE_TIMEOUT = 2.9
#: Seconds that `close` waits for a thread to end.
JOIN_TIMEOUT = 0.4
#: Seconds that a `connect` whose time is over waits for its clean-up.
ABORT_GRACE = 0.35
#: Seconds after a call's end in which a session that the service grants yet is kept.
LATE_ANSWER = 5.0


@attrs.define(eq=False)
class _Attempt:
    """One `connect`, and the connection that comes of it."""

    connection: Connection
    callbacks: Callbacks
    cancellation: Cancellation  # by `disconnect`
    capabilities: StreamerCapabilities | None = None
    grant: Grant | None = None  # the session in use, if the service granted it to this client


class LiveClient:
    """The part of a client that is live: connects, steers, disconnects; owns the media thread.

    Safe to share between threads.
    """

    def __init__(self, settings: Settings, http: HttpClient, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self._settings = settings
        self._http = http
        self._fork_guard = ForkGuard()
        frames = FrameQueue(settings.frame_buffer, timeout=settings.timeout)
        self.fanout = FrameFanout(frames)
        # Held while one thread connects; the others wait for it with their deadlines.
        self._connecting = threading.Lock()
        # Guards `_loop`, `_attempt`, `_cancellation` and `_closed`; nothing waits while holding it.
        self._state = threading.Lock()
        self._loop: Portal | None = None
        self._attempt: _Attempt | None = None
        self._cancellation: Cancellation | None = None  # of the present or last `connect`
        self._closed = False
        self._sessions = SessionKeeper(http)

    def deadline(self, timeout: float | None) -> Deadline:
        """Of a call that was given `timeout`; None: the client's own."""
        return Deadline.after(self._settings.timeout if timeout is None else check_timeout(timeout))

    # Snapshots.

    @property
    def is_open(self) -> bool:
        """Whether the media thread runs, in this process."""
        return self._loop is not None and self._fork_guard.is_here

    @property
    def _current(self) -> _Attempt | None:
        """The present or last connection; none in a forked child, which has no part in it."""
        return self._attempt if self._fork_guard.is_here else None

    @property
    def status(self) -> ConnectionStatus:
        attempt = self._current
        return ConnectionStatus.DISCONNECTED if attempt is None else attempt.connection.status

    @property
    def session_id(self) -> str | None:
        attempt = self._current
        connected = attempt is not None and self.status is ConnectionStatus.CONNECTED
        return attempt.connection.session_id if attempt is not None and connected else None

    @property
    def stream(self) -> LiveStream | None:
        """The stream that runs now."""
        attempt = self._current
        return None if attempt is None else attempt.connection.conversation.stream

    @property
    def applied_prompt(self) -> str | None:
        attempt = self._current
        return None if attempt is None else attempt.connection.conversation.applied_prompt

    @property
    def capabilities(self) -> StreamerCapabilities | None:
        attempt = self._current
        return None if attempt is None else attempt.capabilities

    @property
    def stats(self) -> ClientStats:
        from odyssey.frames.stats import ClientStats

        attempt = self._current
        if attempt is None:
            return ClientStats(frames=self.fanout.main.stats)
        return ClientStats(
            frames_received=attempt.connection.frames_received,
            callback_frames=attempt.callbacks.frames_delivered,
            callback_dropped=attempt.callbacks.frames_dropped,
            frames=self.fanout.main.stats,
        )

    def subscribe(self, maxsize: int, overflow: Overflow) -> FrameQueue:
        self._fork_guard.require()
        self.check_open()
        return self.fanout.subscribe(maxsize, overflow, self._settings.timeout)

    # Connecting.

    @reported("connected")
    def connect(
        self, handlers: Handlers, deadline: Deadline, credentials: ClientCredentials | None
    ) -> None:
        """Returns when the connection is ready; at once if there is one, which gets the handlers.

        `credentials`: a session that there is already; else one is asked for.
        """
        self._fork_guard.require()
        with self._one_at_a_time(deadline):
            if self._attempt is not None and self.status is ConnectionStatus.CONNECTED:
                self._attempt.callbacks.replace(handlers)
                return
            if credentials is None:
                self._settings.require_key()
            loop, attempt = self._begin(handlers, deadline)
            try:
                self._open(loop, attempt, deadline, credentials)
            except BaseException as exc:
                self._abort(loop, attempt, exc, deadline)
                raise

    def create_credentials(self, deadline: Deadline) -> ClientCredentials:
        """A session for another program, with its token."""
        self.check_open()
        self._settings.require_key()
        cancellation = Cancellation()
        while True:
            kept = self._sessions.take(deadline)
            grant = kept or self._request_session(cancellation, deadline)
            try:
                return request_token(self._http, grant, deadline)
            except OdysseyRequestError:  # it is not there any more
                if kept is None:
                    raise
            except BaseException:
                self._sessions.keep(grant)
                raise

    def _begin(self, handlers: Handlers, deadline: Deadline) -> tuple[Portal, _Attempt]:
        cancellation = Cancellation()
        with self._state:
            self._cancellation = cancellation
        if "odyssey._rtc.connection" not in sys.modules:
            # On a thread: Ctrl-C in the middle of an import leaves it half done.
            loading = run_in_thread(
                lambda: importlib.import_module("odyssey._rtc.connection"), "odyssey-import"
            )
            cancellation.wait(loading, deadline, "aiortc was not loaded in time")
        from odyssey._live.callbacks import Callbacks
        from odyssey._rtc.connection import Connection
        from odyssey._runtime.portal import Portal

        with self._state:
            self.check_open()
            cancellation.check()
            if self._loop is None:
                self._loop = Portal("odyssey-media")
                close_at_exit(self)
            callbacks = Callbacks(handlers)
            connection = Connection(self.fanout, callbacks, self._settings.advanced)
            self._attempt = _Attempt(connection, callbacks, cancellation)
            return self._loop, self._attempt

    def _open(
        self,
        loop: Portal,
        attempt: _Attempt,
        deadline: Deadline,
        credentials: ClientCredentials | None,
    ) -> None:
        if credentials is not None:
            self._connect(loop, attempt, credentials, deadline)
            return
        loop.call(
            attempt.connection.authenticate,
            deadline=deadline,
            waiting_for=lambda: "the media thread did not start in time",
        )
        kept = self._sessions.take(deadline)
        refusal = None if kept is None else self._connect_kept(loop, attempt, kept, deadline)
        if kept is not None and refusal is None:
            return
        try:
            grant = self._request_session(attempt.cancellation, deadline)
        except ConcurrentLimitReachedError:
            if attempt.connection.refused and refusal is not None:
                raise refusal from None  # the place that is missing is that of the kept session
            raise
        self._connect_granted(loop, attempt, grant, deadline)

    def _connect_kept(
        self, loop: Portal, attempt: _Attempt, grant: Grant, deadline: Deadline
    ) -> OdysseyError | None:
        """Why another session has to be asked for, if this one does not serve."""
        try:
            self._connect_granted(loop, attempt, grant, deadline)
        except OdysseyError as exc:
            is_known = not isinstance(exc, OdysseyRequestError)
            if is_known and (not attempt.connection.refused or self._sessions.has_any()):
                raise
            logger.info("the session that was kept is refused; asking for another: %s", exc)
            attempt.grant = None
            if is_known:  # and so it counts, and may be let in another time
                self._sessions.keep(grant)
            return exc
        return None

    def _request_session(self, cancellation: Cancellation, deadline: Deadline) -> Grant:
        """Asks for a session; one that is granted when nobody waits any more is kept."""
        outcome = run_in_thread(
            lambda: request_session(
                self._http,
                deadline,
                self._settings.queue_timeout,
                cancellation.sleep,
                LATE_ANSWER,
            ),
            "odyssey-connecting",
        )
        try:
            return cancellation.wait(outcome, deadline, "could not get a session in time")
        except BaseException:
            self._sessions.keep_late(outcome)
            raise

    def _connect_granted(
        self, loop: Portal, attempt: _Attempt, grant: Grant, deadline: Deadline
    ) -> None:
        attempt.grant = grant
        asking = run_in_thread(
            lambda: request_token(self._http, grant, deadline), "odyssey-connecting"
        )
        credentials = attempt.cancellation.wait(asking, deadline, "no session token in time")
        self._connect(loop, attempt, credentials, deadline)

    def _connect(
        self, loop: Portal, attempt: _Attempt, credentials: ClientCredentials, deadline: Deadline
    ) -> None:
        connection = attempt.connection
        attempt.capabilities = credentials.capabilities
        signaling_url = as_websocket(credentials.signaling_url)
        asking = run_in_thread(
            lambda: ice_servers(self._http, as_http(signaling_url), deadline), "odyssey-connecting"
        )
        servers = attempt.cancellation.wait(asking, deadline, "no ICE servers in time")
        loop.call(
            connection.open,
            credentials,
            signaling_url,
            servers,
            deadline=deadline,
            waiting_for=lambda: f"not connected in time; missing: {connection.missing()}",
        )

    def _abort(
        self, loop: Portal, attempt: _Attempt, exc: BaseException, deadline: Deadline
    ) -> None:
        """Cleans up after a failed or interrupted try: its session is released, or else kept.

        Ctrl-C and the deadline are answered at once; then the clean-up goes on without its caller.
        """
        connection = attempt.connection

        def keep() -> None:
            if attempt.grant is not None and not connection.released:
                self._sessions.keep(attempt.grant)

        async def abort() -> None:
            try:
                await connection.abort(exc if isinstance(exc, OdysseyError) else None)
            finally:
                keep()

        try:
            aborting = loop.submit(abort)
        except OdysseyError:  # the client was closed meanwhile
            keep()
        else:
            self._sessions.await_end(aborting)
            seconds = DISCONNECT_TIMEOUT if isinstance(exc, Exception) else 0.3
            concurrent.futures.wait([aborting], deadline.later(ABORT_GRACE).within(seconds))
        attempt.callbacks.finish()

    @contextlib.contextmanager
    def _one_at_a_time(self, deadline: Deadline) -> Iterator[None]:
        left = deadline.remaining()
        if not self._connecting.acquire(timeout=-1 if left is None else left):
            raise OdysseyTimeoutError("another thread was connecting this client all the time")
        try:
            self.check_open()
            yield
        finally:
            self._connecting.release()

    # Streams.

    @reported("stream_started")
    def start(
        self,
        prompt: str,
        deadline: Deadline,
        *,
        portrait: bool,
        image: str | None,
        broadcast: bool,
        bypass_prompt_expansion: bool | None,
        end_if_late: bool,
    ) -> LiveStream:
        loop, connection = self._connected("start a stream")

        async def start() -> LiveStream:
            return await connection.conversation.start(
                prompt,
                portrait=portrait,
                image=image,
                broadcast=broadcast,
                bypass_prompt_expansion=bypass_prompt_expansion,
                end_if_late=end_if_late,
            )

        return loop.call(
            start,
            deadline=deadline,
            waiting_for=lambda: "the service did not say in time that the stream started",
        )

    @reported(None)
    def interact(self, prompt: str, deadline: Deadline, stream: LiveStream | None = None) -> str:
        """`stream`: the one that is meant, which may be over; None: the one that runs."""
        if not check_text(prompt, "prompt").strip():
            raise ValueError("prompt must not be empty: say what should change")
        if stream is not None:
            self.require_running(stream)
        loop, connection = self._connected("interact")
        return loop.call(
            connection.conversation.interact,
            prompt,
            stream,
            deadline=deadline,
            waiting_for=lambda: "the service did not acknowledge the prompt in time",
        )

    @reported("stream_ended")
    def end(self, deadline: Deadline, stream: LiveStream | None = None) -> None:
        """`stream`: the one that is meant, which may be over; None: the one that runs."""
        loop, connection = self._connected("end the stream")
        loop.call(
            connection.conversation.end,
            stream,
            deadline=deadline,
            waiting_for=lambda: "the service did not say in time that the stream ended",
        )

    def require_running(self, stream: LiveStream) -> None:
        """Raises `OdysseyStreamError` where that stream is over."""
        self._fork_guard.require()
        if self.stream is not stream:
            raise stream.over()

    def require_connected(self, operation: str) -> None:
        """Raises `OdysseyStreamError` where there is no connection."""
        self._connected(operation)

    def _connected(self, operation: str) -> tuple[Portal, Connection]:
        self._fork_guard.require()
        self.check_open()
        loop, attempt = self._loop, self._attempt
        if loop is None or attempt is None or self.status is not ConnectionStatus.CONNECTED:
            failure = None if attempt is None else attempt.connection.failure
            why = f" ({failure})" if failure is not None else ""
            raise OdysseyStreamError(
                f"can't {operation}: not connected{why}; call connect() first",
                reason="not_connected",
            )
        return loop, attempt.connection

    # Ending.

    def disconnect(self) -> None:
        """Ends the connection, or a try to connect in another thread. Idempotent; never raises."""
        if not self._fork_guard.is_here:
            return
        with self._state:
            loop, attempt, cancellation = self._loop, self._attempt, self._cancellation
        if cancellation is not None:
            cancellation.cancel()
        if loop is None or attempt is None:
            return
        with contextlib.suppress(OdysseyError):
            loop.call(
                attempt.connection.close,
                deadline=Deadline.after(DISCONNECT_TIMEOUT),
                waiting_for=lambda: "disconnecting took too long",
            )
        attempt.callbacks.finish()

    def begin_closing(self) -> Future[None] | None:
        """Begins to disconnect, without waiting for it; for the end of the program."""
        loop, attempt = self._loop, self._attempt
        if loop is not None and attempt is not None and self._fork_guard.is_here:
            with contextlib.suppress(OdysseyError):
                return loop.submit(attempt.connection.close)
        return None

    def close(self) -> None:
        """Disconnects for good and ends the threads. Idempotent; never raises."""
        if not self._fork_guard.is_here:
            self._closed = True
            return
        deadline = Deadline.after(CLOSE_TIMEOUT)
        with self._state:
            self._closed = True
        self.telemetry.finish()
        releases = self._sessions.close(self._loop)
        self.disconnect()
        concurrent.futures.wait(releases, deadline.within(RELEASE_TIMEOUT))
        with self._state:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop(deadline.within(JOIN_TIMEOUT))
        if self._attempt is not None:
            self._attempt.callbacks.join(deadline.sooner(JOIN_TIMEOUT))
        self.telemetry.join()

    def check_open(self) -> None:
        if self._closed:
            raise OdysseyError("this client was closed; make a new Odyssey()")
