"""Decodes a video from a key frame on, and numbers its frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
from av import VideoFrame
from av.video.stream import VideoStream

from odyssey._video.index import FrameIndex, FrameNumbers

if TYPE_CHECKING:
    from av import Packet

    VideoPacket = Packet[VideoStream]


@attrs.frozen
class IndexMismatch:
    """How the decoded frames differ from the file's index.

    Attributes:
        text: The difference, for an error.
        is_damage: Whether the file is cut short or damaged; otherwise the index itself is wrong.
    """

    text: str
    is_damage: bool = False


Numbered = tuple[int, VideoFrame]


class Decoding:
    """Decodes consecutive packets, from a key frame on.

    Without an index they begin at the beginning of the file, and the frames are counted.

    Attributes:
        first: The number of the first frame that can be decoded.
        fed: The number, in decoding order, of the frame whose packet comes next.
    """

    def __init__(self, packets: Iterator[VideoPacket], index: FrameIndex | None) -> None:
        self._index = index
        self._packets = packets
        self.first = self.fed = 0
        self._frames = self._counted() if index is None else self._numbered(self._head(index))

    def frame(self, number: int) -> VideoFrame | IndexMismatch | None:
        """Decodes up to the frame with this number.

        Returns:
            The frame; an `IndexMismatch` if it can't be reached; None at the end of the file.
        """
        for item in self._frames:
            if isinstance(item, IndexMismatch):
                return item
            found, frame = item
            if found > number:
                return IndexMismatch(f"frame {number} can't be decoded")
            if found == number:
                if frame.is_corrupt:
                    return IndexMismatch(f"frame {number} is damaged", is_damage=True)
                return frame
        return self._why_not(number)

    def _why_not(self, number: int) -> IndexMismatch | None:
        """Returns why the file ended before the frame; None without an index to expect it by."""
        if self._index is None:
            return None
        if self.fed < self._index.count:
            return IndexMismatch(
                f"it ends after {self.fed} of {self._index.count} frames", is_damage=True
            )
        return IndexMismatch(f"frame {number} can't be decoded")

    def _counted(self) -> Iterator[Numbered | IndexMismatch]:
        for packet in self._packets:
            if packet.is_corrupt:
                yield self._cut()
                return
            for frame in packet.decode():
                self.fed += 1
                yield self.fed - 1, frame
        if self.fed == 0:
            yield IndexMismatch("there is no frame in it", is_damage=True)

    def _head(self, index: FrameIndex) -> list[VideoPacket] | None:
        """Reads the key frame, the leading frames, and the first frame that is shown after it.

        Leading frames follow the key frame in the file and are shown before it. To decode them one
        needs frames before the key frame, so they are skipped, but counted.

        Returns:
            The packets; None if they don't begin with a key frame of the index.
        """
        key = next(self._packets, None)
        place = None if key is None else index.before(key.pos, key.dts)
        if key is None or key.pts is None or place is None:
            return None
        head = [key]
        for packet in self._packets:
            head.append(packet)
            if packet.pts is None or packet.pts > key.pts:
                break
            self.first += not packet.is_discard
        self.fed = place
        self.first += place
        return head

    def _numbered(self, head: list[VideoPacket] | None) -> Iterator[Numbered | IndexMismatch]:
        if head is None:
            yield IndexMismatch("its packets are not where its index says")
            return
        begin = head[0].pts
        assert begin is not None
        numbers = FrameNumbers(self.first)
        for packet in itertools.chain(head, self._packets):
            if packet.size and not packet.is_discard:
                if packet.pts is None:
                    yield IndexMismatch(f"frame {self.fed} has no timestamp")
                    return
                self.fed += 1
                if packet.pts >= begin:
                    numbers.expect(packet.pts)
            if packet.is_corrupt:
                yield self._cut()
                return
            for frame in packet.decode():
                number = numbers.number(frame.pts)
                if number is not None:
                    yield number, frame
                elif frame.pts is None or frame.pts >= begin:
                    yield IndexMismatch("it has a frame that its index does not list")
                    return

    def _cut(self) -> IndexMismatch:
        return IndexMismatch(f"it is cut short at frame {self.fed}", is_damage=True)
