"""A thread that writes frames, so that the stream never waits for the disk."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import attrs

from odyssey._video.writing.part import create
from odyssey._video.writing.target import Writer, takes_any_size, writer_for

if TYPE_CHECKING:
    from odyssey.frames.frame import VideoFrame

#: Frames that may wait for the thread, some seconds of a busy machine, and bytes of their pictures.
_MOST_WAITING = 120
_MOST_BYTES = 512 << 20
#: Files that changes of the size can lead to; two in a row of so few frames are an error, too.
_MOST_FILES = 20
_FEWEST_FRAMES = 3


@attrs.define(eq=False)
class Saved:
    """A file that was written."""

    path: Path
    frames: int = 0
    milliseconds: int = 0


class Saver:
    """Writes the frames that it is given, in a thread; a context manager that completes the file.

    When the video changes its size, a new file is begun: `cat-2.mp4` after `cat.mp4`, or the next
    name that is free. A size that changes all the time is an error. A frame for which there is no
    room, as the machine can't keep up, is left out and counted.

    Args:
        path: A name that `check_target` lets through; without one nothing is written.

    Attributes:
        files: What was written; whole once the saver is left.
        left_out: How many frames there was no room for.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._queue: queue.Queue[VideoFrame | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="odyssey-save", daemon=True)
        self._failure: Exception | None = None
        self._over = False  # read and written in the thread
        self._counting = threading.Lock()  # guards `_bytes`
        self._bytes = 0  # of the pictures in `_queue`
        self.left_out = 0
        self.files: list[Saved] = []

    def add(self, frame: VideoFrame) -> None:
        """Takes a frame; never waits.

        Raises:
            OSError: Writing has failed.
        """
        if self._path is None:
            return
        self._raise_failure()
        size = frame._most_bytes
        with self._counting:
            if self._queue.full() or (self._bytes and self._bytes + size > _MOST_BYTES):
                self.left_out += 1
                return
            self._bytes += size
        self._queue.put(frame)  # there is room: nobody else puts frames

    def __enter__(self) -> Saver:
        if self._path is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._path is None:
            return
        self._queue.put(None)
        while self._thread.is_alive():  # a wait without an end would keep Ctrl-C out on Windows
            self._thread.join(0.5)
        if exc is None:
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise OSError(f"can't save to {self._path}: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            self._write_all()
        except Exception as exc:
            self._failure = exc
            while not self._over:  # the others are of no use any more
                self._next()

    def _next(self) -> VideoFrame | None:
        frame = self._queue.get()
        self._over = frame is None
        if frame is not None:
            with self._counting:
                self._bytes -= frame._most_bytes
        return frame

    def _write_all(self) -> None:
        frame = self._next()
        while frame is not None:
            with self._free_path() as path:
                saved = Saved(path)
                writer = writer_for(path, frame.width, frame.height)
                try:
                    frame = self._write_file(writer, frame, saved)
                    if frame is not None:
                        self._check_changes(saved)
                    writer.finish()
                except BaseException:
                    writer.discard()
                    raise
            self.files.append(saved)

    def _check_changes(self, saved: Saved) -> None:
        """Raises where the size changes all the time, so that each file has a few frames."""
        if self.files and max(self.files[-1].frames, saved.frames) < _FEWEST_FRAMES:
            raise ValueError(
                "the size of the video changes all the time, and each size needs a file of its "
                "own; a folder of PNGs takes any"
            )

    def _write_file(self, writer: Writer, first: VideoFrame, saved: Saved) -> VideoFrame | None:
        """Writes until the end, or the first frame that doesn't belong into this file."""
        size, frame = (first.width, first.height), first
        while (frame.width, frame.height) == size or takes_any_size(saved.path):
            saved.milliseconds = frame.timestamp_ms - first.timestamp_ms
            writer.add(frame, saved.milliseconds)
            saved.frames += 1
            following = self._next()
            if following is None:
                return None
            frame = following
        return frame

    @contextlib.contextmanager
    def _free_path(self) -> Iterator[Path]:
        """The path, or later the next one that is free: no file that is there is replaced."""
        assert self._path is not None
        if not self.files:
            yield self._path
            return
        if len(self.files) >= _MOST_FILES:
            raise ValueError(
                f"the video has changed its size {len(self.files)} times, and each size needs a "
                "file of its own; a folder of PNGs takes any"
            )
        for number in itertools.count(2):
            path = self._path.with_stem(f"{self._path.stem}-{number}")
            with contextlib.suppress(FileExistsError):
                create(path).close()  # so that nobody else takes the name meanwhile
                break
        try:
            yield path
        except BaseException:
            path.unlink()
            raise
