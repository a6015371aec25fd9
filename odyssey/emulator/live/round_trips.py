"""The data channels' transport where the wall clock may be set."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["keep_time"]

_SMALLEST_STEP = 0.01
_DOUBT_SECONDS = 5.0


def keep_time(sctp: Any) -> None:
    """Leave out round trips in which the wall clock was set: aiortc measures them on it, and would
    repeat a lost message after a minute for having seen one that took a day.

    sctp: aiortc's transport, or None.
    """
    if hasattr(sctp, "_update_rto"):
        sctp._update_rto = _RoundTrips(sctp._update_rto)


class _RoundTrips:
    """Stands in for the transport's method that takes them."""

    def __init__(self, take: Any) -> None:
        self._take = take
        self._offset = time.time() - time.monotonic()
        self._doubtful_until = 0.0

    def __call__(self, seconds: float) -> None:
        offset = time.time() - time.monotonic()
        if abs(offset - self._offset) > _SMALLEST_STEP:
            self._offset = offset
            self._doubtful_until = time.monotonic() + _DOUBT_SECONDS
        if time.monotonic() >= self._doubtful_until:
            self._take(seconds)
