"""Waiting for what can't be called off, and that `disconnect` ends in another thread."""

from __future__ import annotations

import concurrent.futures
import contextlib
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError
from typing import Any, TypeVar

from odyssey._runtime.deadline import WAIT_SLICE, Deadline
from odyssey.errors import OdysseyConnectionError, OdysseyTimeoutError

T = TypeVar("T")

#: Seconds that work on a thread has to say by itself that its time is over.
GRACE = 0.15


class Cancellation:
    """Says that a call is over to everything that it waits for.

    Example:
        ```python
        grant = cancellation.wait(run_in_thread(work, "name"), deadline, "no session in time")
        cancellation.cancel()                   # in another thread: `wait` raises
        ```
    """

    def __init__(self) -> None:
        self._called: Future[None] = Future()

    def cancel(self) -> None:
        """Idempotent."""
        with contextlib.suppress(InvalidStateError):
            self._called.set_result(None)

    def check(self) -> None:
        """Raises `OdysseyConnectionError` after `cancel`."""
        if self._called.done():
            raise OdysseyConnectionError("disconnected while connecting")

    def wait(self, outcome: Future[T], deadline: Deadline, too_late: str) -> T:
        """Waits for work on a thread, which can't be called off, but ends by itself.

        Raises:
            OdysseyConnectionError: `cancel` was called in another thread.
            OdysseyTimeoutError: The deadline passed; work that knows it says so better itself.
        """
        end = deadline.later(GRACE)
        while not outcome.done():
            either: list[Future[Any]] = [outcome, self._called]
            concurrent.futures.wait(either, end.within(WAIT_SLICE), return_when=FIRST_COMPLETED)
            self.check()
            if end.passed() and not outcome.done():
                raise OdysseyTimeoutError(too_late)
        return outcome.result()

    def sleep(self, seconds: float) -> None:
        """Raises as `check` does, at once."""
        concurrent.futures.wait([self._called], seconds)
        self.check()
