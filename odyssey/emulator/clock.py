"""The time of day as expiries need it: it goes on evenly, whatever the system's clock is set to."""

from __future__ import annotations

import time

__all__ = ["steady_time"]

_OFFSET = time.time() - time.monotonic()


def steady_time() -> float:
    """Seconds since 1970 by the system's clock when the program began, and by none that is set.

    A token or an address that was given out for an hour lasts an hour, also when the first
    synchronization of the clock falls into it.
    """
    return _OFFSET + time.monotonic()
