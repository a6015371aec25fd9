"""Downloads a file of a recording, into any file object or to a path on disk."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from odyssey._checks import file_stem
from odyssey._progress import ProgressCallback
from odyssey._runtime.fork import ForkGuard
from odyssey.errors import OdysseyError, OdysseyServerError
from odyssey.recordings.artifact import ENDINGS
from odyssey.recordings.range_reader import RangeReader

# On Windows only the threads of this process are kept apart, and open files can't be renamed.
_POSIX = os.name == "posix"
if _POSIX:
    import fcntl

_CHUNK = 1024 * 1024


class Sink(Protocol):
    """A file to write the bytes to."""

    def write(self, data: bytes, /) -> object: ...
    def seek(self, offset: int, /) -> int: ...
    def truncate(self) -> int: ...


def fetch(
    reader: RangeReader,
    sink: Sink,
    report: ProgressCallback = lambda _done, _total: None,
    most: int | None = None,
) -> None:
    """Copies the whole file; after a cut it goes on, or starts over where that is impossible.

    Args:
        reader: At the beginning of the file; its caller closes it.
        sink: An empty file; what is in it after an error is a part.
        most: Bytes that the file may have.

    Raises:
        OdysseyServerError: It is longer than `most`.
        OdysseyError: As the methods of `RangeReader`.
    """
    reader.start()
    done = 0
    report(done, reader.size)
    while True:
        piece = reader.read(_CHUNK)
        at = reader.tell() - len(piece)
        if most is not None and max(reader.size or 0, reader.tell()) > most:
            raise OdysseyServerError(f"{reader.title} is longer than {most} bytes")
        if at != done:
            sink.seek(at)
            sink.truncate()
            report(at, reader.size)
        if not piece:
            return
        sink.write(piece)
        done = at + len(piece)
        report(done, reader.size)


def target_of(path: object, stream_id: str, name: str) -> Path:
    """Returns the file that `path` means: itself, or a file in that folder, named by the stream.

    A folder is one that exists, or is written with a separator at its end.

    Raises:
        ValueError: It is a folder, and the id can't be the name of a file in it.
    """
    text = check_path(path)
    separators = (os.sep, os.altsep or os.sep)
    if text.endswith(separators) or os.path.isdir(text):
        return Path(text) / (file_stem(stream_id) + ENDINGS[name])
    return Path(text)


def check_path(path: object) -> str:
    """`path` as text.

    Raises:
        TypeError: It is no path.
        ValueError: It is empty.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a str or a path, not {type(path).__name__}")
    text = os.fsdecode(path)
    if not text:
        raise ValueError("path is empty; give a file or a folder")
    return text


def download(reader: RangeReader, target: Path, report: ProgressCallback) -> None:
    """Fetches to `target.part` and renames that at the end; makes the folder if there is none.

    Whatever goes wrong, a file that was there before stays as it was, and no part is left.

    Raises:
        OdysseyError: As `fetch`, or the same file is being downloaded already.
        OSError: Of the file system.
    """
    # Links are followed, so that two names of one file count as one, and a link stays a link.
    real = Path(os.path.realpath(target))
    if real.exists() and not real.is_file():
        raise ValueError(f"path must be a file or a folder, and {target} is neither")
    with _underway.alone(real):
        real.parent.mkdir(parents=True, exist_ok=True)
        part = _PartFile(real)
        try:
            fetch(reader, part.file, report)
            part.replace_target()
        except BaseException:
            part.discard()
            raise


class _PartFile:
    """`NAME.part`, locked against other programs where the system has such locks."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(target.name + ".part")
        self.file = self._open()

    def replace_target(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        # Renamed under the lock.
        if not _POSIX:
            self.file.close()
        os.replace(self._path, self._target)
        self.file.close()

    def discard(self) -> None:
        if not _POSIX:
            self._close()
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._close()

    def _open(self) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        while True:
            if self._path.is_symlink():
                raise FileExistsError(f"{self._path} is in the way: a link, which is not followed")
            file = os.fdopen(os.open(self._path, flags, 0o666), "wb")
            try:
                if self._lock(file) and self._is_own(file):
                    file.truncate(0)
                    return file
            except BaseException:
                file.close()
                raise
            file.close()

    def _lock(self, file: BinaryIO) -> bool:
        """Whether `file` is still the one at the path, and was not renamed or removed since."""
        if not _POSIX:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy_error(self._target) from None
        except OSError:
            return True  # a file system without locks
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _is_own(self, file: BinaryIO) -> bool:
        """Whether it has no other name; if it has, it loses this one, and is left as it is."""
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FileExistsError(f"{self._path} is in the way: it is no file")
        if _POSIX and status.st_nlink > 1:
            self._path.unlink()
            return False
        return True

    def _close(self) -> None:
        # On a full disk closing fails too, as it writes what is left.
        with contextlib.suppress(OSError):
            self.file.close()


class _Underway:
    """The files that downloads of this process are under way to; of a parent's, none."""

    def __init__(self) -> None:
        self._fork_guard = ForkGuard(self._begin)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._names: set[str] = set()

    @contextlib.contextmanager
    def alone(self, target: Path) -> Iterator[None]:
        """One download at a time to a file."""
        name = os.path.normcase(target)
        with self._lock:
            if name in self._names:
                raise _busy_error(target)
            self._names.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._names.discard(name)


_underway = _Underway()


def _busy_error(target: Path) -> OdysseyError:
    return OdysseyError(
        f"another download to {target} is under way; wait for it, or choose another name"
    )
