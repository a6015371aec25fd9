"""What libav reads a video through: errors are kept, and time and memory are bounded."""

from __future__ import annotations

import io
from typing import Protocol

from odyssey._runtime.deadline import Deadline
from odyssey.errors import OdysseyTimeoutError

_BLOCK = 1 << 16


class SeekableFile(Protocol):
    """What a video is read from."""

    def read(self, most: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class GuardedFile:
    """Keeps what reading raises, as libav turns it into an error of its own, or ignores it.

    Args:
        name: The name of the file in errors.
        timeout: Seconds of work without a byte that wasn't read before; None for no limit.

    Attributes:
        failure: What reading raised last.
        size: Bytes of the file.
    """

    def __init__(self, file: SeekableFile, name: str, timeout: float | None) -> None:
        self._file = file
        self._name = name
        self._timeout = timeout
        self._at = self._file_at = 0
        self._last = b""  # what was read before `_file_at`: the next look may begin within
        self._kept: dict[int, bytes] = {}
        self._read_to: dict[int, int] = {}  # number of a block → where reading got to in it
        self._deadline = Deadline.after(timeout)
        self.failure: BaseException | None = None
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def begin(self, *, anew: bool = False) -> None:
        """Counts the time from now on.

        Args:
            anew: What has been read before counts as new again.
        """
        if anew:
            self._read_to.clear()
        self._deadline = Deadline.after(self._timeout)

    def check(self) -> None:
        """Raises `OdysseyTimeoutError` where the time is over."""
        if self._deadline.passed():
            raise OdysseyTimeoutError(
                f"{self._name} took more than {self._timeout} s of work without a byte more of it"
            )

    def look(self, at: int, length: int, *, keep: bool = False) -> bytes:
        """Up to so many bytes, fewer only at the end. Kept, they are not read again until `forget`.

        Raises:
            OdysseyTimeoutError: As `check`; and whatever the file raises.
        """
        pieces = []
        end = min(at + length, self.size)
        while at < end:
            self.check()
            piece = self._read_at(at, end - at)
            if not piece:
                break
            pieces.append(piece)
            at += len(piece)
        data = b"".join(pieces)
        if keep and data:
            self._kept[at - len(data)] = data
        return data

    def forget(self) -> None:
        """Drops what `look` kept."""
        self._kept.clear()
        self._last = b""

    # The three methods that libav calls.

    def read(self, most: int) -> bytes:
        try:
            self.check()
            piece = self._from_kept(most) or self._read_at(self._at, most)
        except BaseException as exc:
            self.failure = exc
            raise OSError("reading failed") from None
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset += self.size
        elif whence == io.SEEK_CUR:
            offset += self._at
        if offset < 0:
            raise OSError("can't seek to before the beginning")
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def _from_kept(self, most: int) -> bytes:
        for start, data in self._kept.items():
            if start <= self._at < start + len(data):
                return data[self._at - start :][:most]
        return b""

    def _read_at(self, at: int, most: int) -> bytes:
        back = self._file_at - at
        if 0 < back <= len(self._last):
            return self._last[-back:][:most]
        if back:
            self._file.seek(at)
        piece = self._last = self._file.read(most)
        self._file_at = end = at + len(piece)
        block = at // _BLOCK
        if end > self._read_to.get(block, at if piece else end):
            self._read_to[block] = end
            self.begin()
        return piece
