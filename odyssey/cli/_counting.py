"""Counts received frames, and their rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from odyssey import VideoFrame

#: That the rate of a line that changes is taken from.
RATE_FRAMES = 24


def rate_of(arrivals: Sequence[float]) -> float:
    """Returns the frame rate, from the frames' times in seconds."""
    span = arrivals[-1] - arrivals[0] if arrivals else 0.0
    return (len(arrivals) - 1) / span if span > 0 else 0.0


@attrs.define(eq=False)
class Count:
    """The frames of a stream, none of which is kept.

    Attributes:
        missing: Gaps in their numbers: frames that came and were dropped unread.
        milliseconds: Of the video, to its last frame.
    """

    frames: int = 0
    missing: int = 0
    size: tuple[int, int] = (0, 0)
    milliseconds: int = 0
    _first: VideoFrame | None = attrs.field(default=None, init=False)
    _last: VideoFrame | None = attrs.field(default=None, init=False)
    _newest: deque[float] = attrs.field(init=False, factory=lambda: deque(maxlen=RATE_FRAMES))

    def add(self, frame: VideoFrame) -> float:
        """Counts a frame; returns its time in seconds of the video."""
        first = self._first = self._first or frame
        if self._last is not None:
            self.missing += frame.index - self._last.index - 1
        self._last = frame
        self.frames += 1
        self.size = frame.width, frame.height
        self.milliseconds = frame.timestamp_ms - first.timestamp_ms
        self._newest.append(frame.received_at)
        return self.milliseconds / 1000

    @property
    def rate(self) -> float:
        """Frames a second over all."""
        if self._first is None or self._last is None:
            return 0.0
        span = self._last.received_at - self._first.received_at
        return (self.frames - 1) / span if span > 0 else 0.0

    def line(self) -> str:
        """Returns the count as it stands, as text."""
        width, height = self.size
        return (
            f"  {self.frames:4d} frames   {rate_of(self._newest):4.1f}/s   "
            f"{width}x{height}   {self.milliseconds / 1000:.1f} s"
        )

    def as_json(self) -> dict[str, object]:
        return {
            "frames": self.frames,
            "missing": self.missing,
            "frames_per_second": round(self.rate, 2),
            "duration_ms": self.milliseconds,
            "width": self.size[0],
            "height": self.size[1],
        }
