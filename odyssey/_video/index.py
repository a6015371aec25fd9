"""Which frame is where in an MP4, by the file's own table."""

from __future__ import annotations

import bisect
import heapq
from typing import Any

import attrs
from av.container import InputContainer
from av.video.stream import VideoStream


@attrs.frozen
class KeyFrame:
    """A place where decoding can begin.

    Attributes:
        before: Frames before it in decoding order: its number, but for those that follow it in the
            file and are shown before it.
        time: To seek to, in the stream's time base.
    """

    before: int
    time: int


@attrs.frozen(eq=False)
class FrameIndex:
    """Made from what is read on opening: no frame is read or decoded for it."""

    count: int
    _keys: list[KeyFrame]
    _places: dict[tuple[int, int], int]

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream) -> FrameIndex | None:
        """The index of an MP4; None where there is none that is whole, as in a fragmented file."""
        # Without it (PyAV before 17.1) frames are counted from the beginning.
        entries: Any = getattr(stream, "index_entries", None)
        if not entries or "mp4" not in container.format.name or not stream.frames:
            return None
        keys: list[KeyFrame] = []
        places: dict[tuple[int, int], int] = {}
        # Seeking takes times of presentation, the table has those of decoding.
        shift = (stream.start_time or 0) - entries[0].timestamp
        count = 0
        for entry in entries:
            if entry.is_keyframe:
                keys.append(KeyFrame(count, entry.timestamp + shift))
                places[entry.pos, entry.timestamp] = count
            # What an edit list cuts away is decoded, but not shown.
            count += not entry.is_discard
        return cls(count, keys, places) if keys else None

    def key_for(self, number: int) -> KeyFrame:
        """The last key frame from which this frame can be reached."""
        at = bisect.bisect_right(self._keys, number, key=lambda key: key.before)
        return self._keys[max(0, at - 1)]

    def before(self, position: int | None, time: int | None) -> int | None:
        """How many frames come before a packet; None if it is no key frame's."""
        return None if position is None or time is None else self._places.get((position, time))


class FrameNumbers:
    """Numbers decoded frames by their times, however the decoder delays, reorders or drops them."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._times: list[int] = []

    def expect(self, time: int) -> None:
        """A packet with this time was given to the decoder."""
        heapq.heappush(self._times, time)

    def number(self, time: int | None) -> int | None:
        """The number of a frame that came out; None for one that was not expected."""
        number = None
        while time is not None and self._times and self._times[0] <= time and number is None:
            if heapq.heappop(self._times) == time:
                number = self._next
            self._next += 1
        return number
