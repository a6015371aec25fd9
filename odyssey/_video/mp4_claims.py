"""What an MP4 says that it holds, checked before libav makes room for it.

A table of a few bytes can claim any number of frames, and libav believes it. So all boxes but those
of the media are searched for such tables, wherever they stand.
"""

from __future__ import annotations

import re

import numpy as np

from odyssey._video.guarded_file import GuardedFile
from odyssey.errors import OdysseyError

#: Frames of a file's videos: eleven hours at 24 a second.
MOST_FRAMES = 1_000_000
MOST_TRACKS = 32
#: Frames times entries of edit lists: each entry can show all frames once more.
MOST_EDITED = 4 * MOST_FRAMES
#: Bytes of all that is neither media nor padding, and boxes on the uppermost level.
MOST_TABLES = 64 << 20
MOST_BOXES = 200_000

# Boxes that libav passes over. `free` is passed over unless a table of contents is hidden in it.
_PASSED_OVER = frozenset({b"mdat", b"free", b"skip", b"wide", b"uuid"})
_BEGINNINGS = _PASSED_OVER | {
    b"ftyp",
    b"moov",
    b"moof",
    b"styp",
    b"sidx",
    b"pnot",
    b"udta",
    b"junk",
}
_HIDDEN = frozenset({b"moov", b"cmov"})
_TABLE = re.compile(rb"stsz|stz2|stts|ctts|elst|trun|cmov|sidx")
_SOUND = re.compile(rb"hdlr.{8}soun", re.DOTALL)


def begins_as_mp4(file: GuardedFile) -> bool:
    """Whether the first box is one that MP4 files begin with."""
    return file.look(4, 4) in _BEGINNINGS


def check_claims(file: GuardedFile, name: str) -> None:
    """Refuses a file that claims, read as an MP4, more than can be in it.

    What was read is kept for libav, so that nothing is fetched twice.

    Raises:
        OdysseyError: It claims more frames than it has bytes, or more than the bounds above.
        OdysseyTimeoutError: The time was over; and whatever reading raises.
    """
    claims = _Claims(file.size)
    at = boxes = kept = 0
    while at + 8 <= file.size and claims.problem is None:
        header = file.look(at, 24)
        length, kind, hidden = _parsed(header, file.size - at)
        if length < 8:
            break  # where libav stops as well
        boxes += 1
        if kind not in _PASSED_OVER:
            kept += length
            if kept > MOST_TABLES:
                claims.problem = f"its tables take more than {MOST_TABLES >> 20} MB"
                break
            claims.add(file.look(at, length, keep=True))
        elif kind == b"free" and hidden in _HIDDEN:
            claims.problem = "its table of contents is hidden"
        if boxes > MOST_BOXES:
            claims.problem = f"it has more than {MOST_BOXES:,} parts"
        at += length
    problem = claims.problem or claims.total_problem()
    if problem is not None:
        raise OdysseyError(f"{name} is broken: {problem}")


def _parsed(header: bytes, left: int) -> tuple[int, bytes, bytes]:
    """Length, kind, and the first four letters of a box within, of a box that may be cut short."""
    length, kind = _number(header, 0), header[4:8]
    if length == 1:
        length = int.from_bytes(header[8:16], "big")
        return (min(length, left) if length >= 16 else 0), kind, header[20:24]
    return (min(length, left) if length else left), kind, header[12:16]


class _Claims:
    """Adds up what the tables claim."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._frames = 0  # of videos
        self._times = self._shifts = self._samples = 0  # of all tracks
        self._edits = self._tracks = 0
        self._has_table = self._has_fragment_index = False
        self.problem: str | None = None

    def add(self, boxes: bytes) -> None:
        starts = [found.start() for found in re.finditer(b"trak", boxes)]
        self._tracks += len(starts)
        for start, end in zip([0, *starts], [*starts, len(boxes)], strict=True):
            self._add_track(boxes[start:end])

    def _add_track(self, boxes: bytes) -> None:
        samples = times = shifts = 0
        by_chunk = is_sound = _SOUND.search(boxes) is not None
        for found in _TABLE.finditer(boxes):
            kind, at = found[0], found.end()
            if _number(boxes, at - 8) == 1:
                at += 8  # its length in 64 bits is between
            if kind in (b"stsz", b"stz2"):
                samples += _number(boxes, at + 8)
                self._has_table |= samples > 0
            elif kind == b"stts":
                counts, each = _pairs(boxes, at)
                times += counts
                by_chunk = by_chunk and each == 1
            elif kind == b"ctts":
                shifts += _pairs(boxes, at)[0]
            elif kind == b"trun":
                samples += _number(boxes, at + 4)
            elif kind == b"elst":
                self._edits += max(0, _number(boxes, at + 4) - 1)
            elif kind == b"sidx":
                self._has_fragment_index = True
            elif kind == b"cmov":
                self.problem = "its table of contents is compressed"
        if by_chunk:
            return  # plain sound: each moment counts as a frame, but libav goes by chunks
        self._samples += samples
        self._times += times
        self._shifts += shifts
        if not is_sound:
            self._frames += max(samples, times, shifts)

    def total_problem(self) -> str | None:
        most = max(self._samples, self._times, self._shifts)
        if most > self._size:
            return f"it claims {most:,} frames in {self._size:,} bytes"
        if self._frames > MOST_FRAMES:
            return f"it claims {self._frames:,} frames, more than {MOST_FRAMES:,}"
        if self._edits * most > MOST_EDITED:
            return f"it claims {self._edits:,} cuts of {most:,} frames"
        if self._tracks > MOST_TRACKS:
            return f"it has {self._tracks:,} tracks, more than {MOST_TRACKS}"
        if self._has_table and self._has_fragment_index:
            # Seeking, which needs the table, would go wherever the other index says.
            return "it has both a table of frames and an index of fragments"
        return None


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big") if at >= 0 else 0


def _pairs(data: bytes, at: int) -> tuple[int, int]:
    """The sum of a table's counts, and the value that is its only one, or -1."""
    entries = min(_number(data, at + 4), (len(data) - at - 8) // 8)
    if entries <= 0:
        return 0, -1
    table = np.frombuffer(data, ">u4", 2 * entries, at + 8).reshape(-1, 2)
    return int(table[:, 0].sum(dtype=np.uint64)), int(table[0, 1]) if entries == 1 else -1
