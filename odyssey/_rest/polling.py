"""Polling with growing pauses."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from odyssey._runtime.deadline import Deadline
from odyssey.errors import OdysseyError, OdysseyServerError

GROWTH = 1.5
#: The longest pause, as a multiple of the first.
LONGEST = 5.0


class Pauses:
    """Pauses that grow from `interval` seconds, with jitter that spreads many waiters out."""

    def __init__(self, interval: float) -> None:
        self._longest = interval * LONGEST
        self._next = interval

    def sleep(self, deadline: Deadline) -> bool:
        """Sleeps for the next pause, at most to the deadline; False if that has passed already."""
        if deadline.passed():
            return False
        pause = self._next * random.uniform(0.75, 1.25)  # noqa: S311 - guards no secret
        self._next = min(self._next * GROWTH, self._longest)
        time.sleep(deadline.within(pause))
        return True


def poll_deadlines(
    seconds: float | None, interval: float, patience: float | None
) -> Iterator[Deadline]:
    """Yields a deadline for each look, and sleeps between two of them.

    The last look begins a little before the time is over, so that it has some time itself.

    Args:
        seconds: the time for all looks; 0 for one look, None for no limit.
        interval: seconds before the second look; later pauses grow.
        patience: the longest that one look may take, None for no limit. With `seconds` 0 it is the
            only limit.
    """
    over = Deadline.after(seconds)
    last = over if seconds is None else Deadline.after(seconds - min(1, seconds / 10))
    pauses = Pauses(interval)
    while True:
        if not seconds:
            yield Deadline.after(patience)
        else:
            yield over if patience is None else over.sooner(patience)
        if not pauses.sleep(last):
            return


def may_pass(failure: OdysseyError, before: OdysseyError | None) -> bool:
    """Tells whether a later look may fare better.

    Not where an answer came and is wrong in form. A page in place of JSON, such as a proxy's, is
    survived, but not two in a row.

    Args:
        before: How the look before failed, if it did.
    """
    if not isinstance(failure, OdysseyServerError):
        return True
    if failure.status is None or failure.status >= 500:
        return failure.status is not None
    return not isinstance(before, OdysseyServerError) or before.status != failure.status
