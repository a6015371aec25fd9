"""Looking again and again, ever less often, until something is there."""

from __future__ import annotations

import random
import time

from odyssey._deadline import Deadline

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
