"""The positions of the frames of an MP4, from the file's own index."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable
from typing import Any

import attrs
from av.container import InputContainer
from av.video.stream import VideoStream

#: Entries between two looks at the clock, a few milliseconds.
_CHECKED_EVERY = 1024


@attrs.frozen
class KeyFrame:
    """A place where decoding can begin.

    Attributes:
        before: The number of frames before it in decoding order. Its own number is that, plus the
            frames that follow it in the file and are shown before it.
        time: The time to seek to, in the stream's time base.
    """

    before: int
    time: int


@attrs.frozen(eq=False)
class FrameIndex:
    """The index of a file, which is read on opening: no frame is read or decoded for it."""

    count: int
    _keys: list[KeyFrame]
    _places: dict[tuple[int, int], int]

    @classmethod
    def of(
        cls, container: InputContainer, stream: VideoStream, check: Callable[[], None]
    ) -> FrameIndex | None:
        """Returns the index of an MP4; None if it isn't complete, as in a fragmented file.

        Args:
            check: Called now and then; raises when the time is over.
        """
        # PyAV before 17.1 doesn't have the attribute: frames are counted from the beginning.
        entries: Any = getattr(stream, "index_entries", None)
        if not entries or "mp4" not in container.format.name or not stream.frames:
            return None
        keys: list[KeyFrame] = []
        places: dict[tuple[int, int], int] = {}
        # Seeking takes presentation times; the index has decoding times.
        shift = (stream.start_time or 0) - entries[0].timestamp
        count = 0
        for number, entry in enumerate(entries):
            if number % _CHECKED_EVERY == 0:
                check()
            if entry.is_keyframe:
                keys.append(KeyFrame(count, entry.timestamp + shift))
                places[entry.pos, entry.timestamp] = count
            # Frames that an edit list cuts away are decoded, but not shown.
            count += not entry.is_discard
        return cls(count, keys, places) if keys else None

    def key_for(self, number: int) -> KeyFrame:
        """Returns the last key frame from which this frame can be reached."""
        at = bisect.bisect_right(self._keys, number, key=lambda key: key.before)
        return self._keys[max(0, at - 1)]

    def before(self, position: int | None, time: int | None) -> int | None:
        """Returns how many frames come before a packet; None if it isn't that of a key frame."""
        return None if position is None or time is None else self._places.get((position, time))


class FrameNumbers:
    """Numbers decoded frames by their times, however the decoder delays, reorders or drops them."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._times: list[int] = []

    def expect(self, time: int) -> None:
        """Notes the time of a packet that was given to the decoder."""
        heapq.heappush(self._times, time)

    def number(self, time: int | None) -> int | None:
        """Returns the number of a decoded frame; None if no packet had its time."""
        number = None
        while time is not None and self._times and self._times[0] <= time and number is None:
            if heapq.heappop(self._times) == time:
                number = self._next
            self._next += 1
        return number
