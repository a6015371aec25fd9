"""One deadline, made when a call begins and passed down through its steps."""

from __future__ import annotations

import time

import attrs

#: Seconds that a blocking wait sleeps at a time: on Windows, Ctrl-C is seen only between two.
WAIT_SLICE = 0.5


@attrs.frozen
class Deadline:
    """A moment on `time.monotonic()`'s clock; `None` never comes."""

    at: float | None

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """The moment `seconds` from now; `None` for never."""
        return cls(None if seconds is None else time.monotonic() + seconds)

    def remaining(self) -> float | None:
        """Seconds left, at least 0; `None` where it never comes."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def passed(self) -> bool:
        return self.at is not None and time.monotonic() >= self.at

    def within(self, seconds: float) -> float:
        """Seconds left, but at most `seconds`."""
        left = self.remaining()
        return seconds if left is None else min(left, seconds)

    def later(self, seconds: float) -> Deadline:
        """A deadline so many seconds after this one."""
        return Deadline(None if self.at is None else self.at + seconds)

    def sooner(self, seconds: float) -> Deadline:
        """The earlier of this one and one `seconds` from now."""
        at = time.monotonic() + seconds
        return Deadline(at if self.at is None else min(self.at, at))
