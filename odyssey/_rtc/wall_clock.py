"""Stand-ins for parts of aiortc that measure time on the wall clock, which may be set."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: Milliseconds that the estimate's clock goes on between two packets, at most: aiortc counts each.
LONGEST_PAUSE_MS = 2000
#: Seconds that a setting of the clock is worth noticing.
SMALLEST_STEP = 0.01
#: Ticks of a jitter, which is a number of 32 bits in reports.
MOST_JITTER = 2**32 - 1
#: Seconds for which round trips are not believed after the clock was set: some began before.
DOUBT = 5.0


def offset() -> float:
    """Returns how far the wall clock is ahead of `time.monotonic()`, in seconds."""
    return time.time() - time.monotonic()


class Moments(dict[Any, float]):
    """Moments of the wall clock. When it is set they move with it, and stay as long ago."""

    def __setitem__(self, key: Any, moment: float) -> None:
        super().__setitem__(key, moment - offset())

    def __getitem__(self, key: Any) -> float:
        return super().__getitem__(key) + offset()


class SteadyEstimate:
    """Stands in for aiortc's estimate of the bandwidth: counts time on a clock that never jumps."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._now_ms = 0
        self._looked = time.monotonic()

    def add(self, **packet: int) -> Any:
        """Takes a packet; its `arrival_time_ms`, of the wall clock, is replaced."""
        now = time.monotonic()
        passed = round((now - self._looked) * 1000)
        if passed:  # what rounding leaves counts next time
            self._looked += passed / 1000
        self._now_ms += min(passed, LONGEST_PAUSE_MS)
        return self._estimator.add(**packet | {"arrival_time_ms": self._now_ms})


class SteadyStatistics:
    """Stands in for what aiortc counts of one source, whose jitter is made of arrival times.

    Args:
        last: Names the attribute with the last arrival, in ticks of `rate` a second.
    """

    def __init__(self, statistics: Any, last: str, rate: int) -> None:
        self._statistics = statistics
        self._last = last
        self._rate = rate
        self._offset = offset()

    def add(self, packet: Any) -> None:
        now = offset()
        step = now - self._offset
        if abs(step) > SMALLEST_STEP:
            self._offset = now
            arrival = getattr(self._statistics, self._last)
            if arrival is not None:
                setattr(self._statistics, self._last, arrival + int(step * self._rate))
        self._statistics.add(packet)

    @property
    def jitter(self) -> int:
        """No more than a report has room for: aiortc would send none any more, and never close."""
        return min(int(self._statistics.jitter), MOST_JITTER)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._statistics, name)


class SteadyRoundTrips:
    """Stands in for what takes the round trips of SCTP: leaves out those in which the clock was
    set.
    """

    def __init__(self, take: Callable[[float], None]) -> None:
        self._take = take
        self._offset = offset()
        self._doubtful_until = time.monotonic()

    def __call__(self, seconds: float) -> None:
        now = offset()
        if abs(now - self._offset) > SMALLEST_STEP:
            self._offset = now
            self._doubtful_until = time.monotonic() + DOUBT
        if time.monotonic() >= self._doubtful_until:
            self._take(seconds)
