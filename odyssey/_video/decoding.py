"""Decoding a video from a key frame on, with every frame's number."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from av import VideoFrame
from av.video.stream import VideoStream

from odyssey._video.index import FrameIndex, FrameNumbers

if TYPE_CHECKING:
    from av import Packet

    VideoPacket = Packet[VideoStream]

Numbered = tuple[int, VideoFrame]


class IndexMismatchError(Exception):
    """What came out isn't what the index says.

    Attributes:
        is_damage: the file is cut short or damaged; else frames are missing or unknown.
    """

    def __init__(self, text: str, *, is_damage: bool = False) -> None:
        super().__init__(text)
        self.is_damage = is_damage


class Decoding:
    """A run of the decoder through packets that follow each other, from a key frame on.

    Without an index they are those from the beginning of the file, and frames are counted.

    Attributes:
        first: the number of the first frame that can be decoded.
        fed: the number of the frame, in decoding order, whose packet comes next.

    Raises:
        IndexMismatchError: the packets don't begin with a key frame that the index has.
    """

    def __init__(self, packets: Iterator[VideoPacket], index: FrameIndex | None) -> None:
        self._index = index
        self._packets = packets
        self.first = self.fed = 0
        if index is None:
            self._frames = self._counted()
        else:
            head = self._head(index)
            self._frames = self._numbered(head)

    def frame(self, number: int) -> VideoFrame | None:
        """Decodes up to this frame; None at the end of the file.

        Raises:
            IndexMismatchError: it can't be had in this way.
        """
        for found, frame in self._frames:
            if found > number:
                raise IndexMismatchError(f"frame {number} can't be decoded")
            if found == number:
                if frame.is_corrupt:
                    raise IndexMismatchError(f"frame {number} is damaged", is_damage=True)
                return frame
        if self._index is not None and self.fed < self._index.count:
            raise IndexMismatchError(
                f"it ends after {self.fed} of {self._index.count} frames", is_damage=True
            )
        if self._index is not None:
            raise IndexMismatchError(f"frame {number} can't be decoded")
        return None

    def _counted(self) -> Iterator[Numbered]:
        for packet in self._packets:
            for frame in self._decoded(packet):
                self.fed += 1
                yield self.fed - 1, frame
        if self.fed == 0:
            raise IndexMismatchError("there is no frame in it", is_damage=True)

    def _head(self, index: FrameIndex) -> list[VideoPacket]:
        """The key frame, those that follow it but are shown before it, and the first shown later.

        Those between need frames before the key frame to be decoded: they are skipped, but count.
        """
        key = next(self._packets, None)
        place = None if key is None else index.before(key.pos, key.dts)
        if key is None or key.pts is None or place is None:
            raise IndexMismatchError("it does not go on where its index says")
        head = [key]
        for packet in self._packets:
            head.append(packet)
            if packet.pts is None or packet.pts > key.pts:
                break
            self.first += not packet.is_discard
        self.fed = place
        self.first += place
        return head

    def _numbered(self, head: list[VideoPacket]) -> Iterator[Numbered]:
        begin = head[0].pts
        assert begin is not None
        numbers = FrameNumbers(self.first)
        for packet in itertools.chain(head, self._packets):
            if packet.size and not packet.is_discard:
                if packet.pts is None:
                    raise IndexMismatchError(f"frame {self.fed} has no time")
                self.fed += 1
                if packet.pts >= begin:
                    numbers.expect(packet.pts)
            for frame in self._decoded(packet):
                number = numbers.number(frame.pts)
                if number is not None:
                    yield number, frame
                elif frame.pts is None or frame.pts >= begin:
                    raise IndexMismatchError("a frame came out that the index doesn't have")

    def _decoded(self, packet: VideoPacket) -> list[VideoFrame]:
        if packet.is_corrupt:
            raise IndexMismatchError(f"it is cut short at frame {self.fed}", is_damage=True)
        return packet.decode()
