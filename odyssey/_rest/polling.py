"""Looking again and again, ever less often, until something is there."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from odyssey._runtime.deadline import Deadline

GROWTH = 1.5
#: The longest pause, in times of the first.
LONGEST = 5.0


class Pauses:
    """Pauses that grow from `interval` seconds, with jitter, so that many waiters spread out."""

    def __init__(self, interval: float) -> None:
        self._longest = interval * LONGEST
        self._next = interval

    def sleep(self, deadline: Deadline) -> bool:
        """The next pause, cut to the deadline; False if that has passed already."""
        if deadline.passed():
            return False
        pause = self._next * random.uniform(0.75, 1.25)  # noqa: S311 - guards no secret
        self._next = min(self._next * GROWTH, self._longest)
        time.sleep(deadline.within(pause))
        return True


def poll_deadlines(
    seconds: float | None, interval: float, patience: float | None
) -> Iterator[Deadline]:
    """The deadline of each look, as long as there is time for one. Waits before all but the first.

    The last one begins a little before the time is over, as a look needs some, too.

    Args:
        seconds: for all of them; 0 for one look, None for no limit.
        interval: before the second one; it grows from there.
        patience: the longest that one may take, None for no limit; with `seconds` 0 the only limit.
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
