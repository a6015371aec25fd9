"""Sessions that a failed call was granted: kept for the next call, or released."""

from __future__ import annotations

import concurrent.futures
import functools
import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from odyssey._live.provisioning import Grant, as_websocket, request_token
from odyssey._logging import Secret
from odyssey._rest.client import HttpClient
from odyssey._runtime.background import run_in_thread
from odyssey._runtime.deadline import Deadline
from odyssey.errors import OdysseyError, OdysseyTimeoutError

if TYPE_CHECKING:
    from odyssey._runtime.portal import Portal

logger = logging.getLogger(__name__)

#: Seconds that releasing a session may take.
RELEASE_TIMEOUT = 2.0
#: Seconds that a call waits for what the one before left under way.
ENDING_TIMEOUT = 2.0
#: Seconds that ending the loop for it may take.
STOP_TIMEOUT = 0.4


class SessionKeeper:
    """Keeps sessions that nobody uses, as each counts against the account's limit.

    Safe to share between threads.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        # Guards the fields below; nothing waits while holding it.
        self._lock = threading.Lock()
        self._kept: list[Grant] = []
        self._ending: list[Future[None]] = []  # replaced as a whole
        self._closed = False

    def keep(self, grant: Grant) -> None:
        """Keeps a session for the next `take`; after `close` releases it instead."""
        with self._lock:
            if not self._closed:
                self._kept.append(grant)
                return
        self._release(grant)

    def keep_late(self, outcome: Future[Grant]) -> None:
        """Keeps the session of a request that nobody waits for any more, once it is granted."""
        over: Future[None] = Future()

        def done(outcome: Future[Grant]) -> None:
            if outcome.exception() is None:
                logger.debug("a session was granted after its call was over; it is kept")
                self.keep(outcome.result())
            over.set_result(None)

        self.await_end(over)
        outcome.add_done_callback(done)

    def await_end(self, ending: Future[None]) -> None:
        """Has `take` wait for what a call left under way, which may keep its session yet."""
        with self._lock:
            self._ending = [each for each in self._ending if not each.done()] + [ending]

    def take(self, deadline: Deadline) -> Grant | None:
        """Hands out the session kept longest, if there is one whose time is not over.

        Raises:
            OdysseyTimeoutError: The call before was still getting one at the deadline.
        """
        _, late = concurrent.futures.wait(self._ending, deadline.within(ENDING_TIMEOUT))
        if late and deadline.passed():
            raise OdysseyTimeoutError("the call before still waited for its session")
        with self._lock:
            self._drop_expired()
            return self._kept.pop(0) if self._kept else None

    def has_any(self) -> bool:
        """Whether there is one for the next `take`."""
        with self._lock:
            self._drop_expired()
            return bool(self._kept)

    def close(self, loop: Portal | None) -> list[Future[None]]:
        """Begins to release what is kept. Idempotent.

        Args:
            loop: One that runs: where the program ends, Python 3.12 starts no thread for another.

        Returns:
            For each session, what is done when it is released, or `RELEASE_TIMEOUT` is over.
        """
        with self._lock:
            self._closed = True
            kept, self._kept = self._kept, []
        return [self._release(grant, loop) for grant in kept if not grant.expiry.passed()]

    def _drop_expired(self) -> None:
        self._kept = [grant for grant in self._kept if not grant.expiry.passed()]

    def _release(self, grant: Grant, loop: Portal | None = None) -> Future[None]:
        release = functools.partial(_release, self._http, grant, loop)
        return run_in_thread(release, "odyssey-release")


def _release(http: HttpClient, grant: Grant, loop: Portal | None) -> None:
    """Connects to the session and says goodbye: there is no other way to give it back."""
    from odyssey._rtc.signaling import release
    from odyssey._runtime.portal import Portal

    deadline = Deadline.after(RELEASE_TIMEOUT)
    try:
        credentials = request_token(http, grant, deadline)
        url = as_websocket(credentials.signaling_url)
        portal = loop or Portal("odyssey-release-loop")
        try:
            portal.call(
                release,
                *(url, credentials.session_id, Secret(credentials.session_token), RELEASE_TIMEOUT),
                deadline=deadline,
                waiting_for=lambda: "the signaling server did not answer in time",
            )
        finally:
            if portal is not loop:
                portal.stop(STOP_TIMEOUT)
    except OdysseyError as exc:
        logger.info("a session could not be released, and counts until it times out: %s", exc)
