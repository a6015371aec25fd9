"""A video file: frames by their number."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from odyssey._logging import scrub
from odyssey._video.decoding import Decoding, IndexMismatch
from odyssey._video.index import FrameIndex
from odyssey._video.turning import Turning
from odyssey.errors import OdysseyError

if TYPE_CHECKING:
    from odyssey._video.decoding import VideoPacket

# A playlist or the like that names other files must not get them opened: no protocol is allowed.
_OPTIONS = {"protocol_whitelist": "none"}
# Frames that are decoded rather than skipped: seeking costs about as much.
_NOT_WORTH_IT = 4


class SeekableFile(Protocol):
    """What a video is read from."""

    def read(self, most: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class _Guarded:
    """Keeps what reading raises: libav turns it into an error of its own, or ignores it."""

    def __init__(self, file: SeekableFile) -> None:
        self._file = file
        self.failure: BaseException | None = None

    def read(self, most: int) -> bytes:
        try:
            return self._file.read(most)
        except BaseException as exc:
            self.failure = exc
            raise OSError("reading failed") from None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except BaseException as exc:
            self.failure = exc
            raise OSError("seeking failed") from None

    def tell(self) -> int:
        return self._file.tell()


class VideoFile:
    """A video, opened; a context manager that closes the container, not the file. For one thread.

    Args:
        name: How errors call it.
        format: Of the container, as libav names it; None to find out.

    Raises:
        OdysseyError: It is empty, broken, or no video.
    """

    def __init__(self, file: SeekableFile, name: str, format: str | None = None) -> None:
        self._name = name
        self._file = _Guarded(file)
        if file.seek(0, io.SEEK_END) == 0:
            raise OdysseyError(f"{name} is empty: there is no frame in it")
        file.seek(0)
        with self._translated():
            self._container: InputContainer = av.open(
                self._file, "r", format=format, options=_OPTIONS
            )
        try:
            self._stream = self._first_video()
            self._index = FrameIndex.of(self._container, self._stream)
        except BaseException:
            self.close()
            raise
        self._beginning = None if self._index is None else self._index.key_for(0).time
        self._seekable = True
        self._turning = Turning()
        self._moved = self._sought = False
        self._decoding: Decoding | None = None

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    def frames(
        self, start: int, stop: int | None, step: int
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames with these numbers, in the order in which they are shown, with the numbers.

        What lies between is skipped by key frame where the file has an index.

        Raises:
            OdysseyError: The file is broken.
        """
        wanted = start
        while (stop is None or wanted < stop) and not self._ends_before(wanted):
            with self._translated():
                frame = self._frame(wanted)
            if frame is None:
                return
            yield wanted, self._turning.upright(frame)
            wanted += step

    def time_ms(self, frame: av.VideoFrame, number: int) -> int:
        """When the frame is shown, in milliseconds; by its number where the file doesn't say."""
        if frame.pts is not None and frame.time_base is not None:
            return round(frame.pts * frame.time_base * 1000)
        rate = self._stream.average_rate
        return round(number / rate * 1000) if rate else 0

    def _first_video(self) -> VideoStream:
        if not self._container.streams.video:
            raise OdysseyError(f"{self._name} has no video in it")
        stream = self._container.streams.video[0]
        # One thread gives the most frames for the work, and decodes nothing in advance.
        stream.codec_context.thread_count = 1
        return stream

    def _ends_before(self, number: int) -> bool:
        return self._index is not None and number >= self._index.count

    def _frame(self, number: int) -> av.VideoFrame | None:
        """The next frame that is wanted; None at the end of the file."""
        while True:
            try:
                if self._decoding is None or self._can_skip(self._decoding, number):
                    self._decoding = self._decoding_for(number)
                found = self._decoding.frame(number)
            except FFmpegError:
                if not self._try_otherwise(None):
                    raise
            else:
                if not isinstance(found, IndexMismatch):
                    return found
                if not self._try_otherwise(found):
                    raise OdysseyError(f"{self._name} is broken: {found.text}")
            self._decoding = None

    def _can_skip(self, decoding: Decoding, wanted: int) -> bool:
        """Whether a key frame lies between what has been decoded and what is wanted."""
        if self._index is None or not self._seekable:
            return False
        return self._index.key_for(wanted).before > decoding.fed + _NOT_WORTH_IT

    def _try_otherwise(self, mismatch: IndexMismatch | None) -> bool:
        """Takes the next way, slower and surer: by key frame, from the beginning, by counting.

        Args:
            mismatch: Why the present way failed; None where libav said so.
        """
        if self._index is None or self._file.failure is not None:
            return False
        if self._seekable:
            self._seekable = False
            if self._sought:
                return True
        # What is damaged is so either way; but some files hold other frames than their index says.
        if mismatch is None or mismatch.is_damage:
            return False
        self._index = None
        return True

    def _decoding_for(self, wanted: int) -> Decoding:
        """The decoder at a place from which the frame can be reached."""
        index = self._index
        within = wanted
        self._sought = True
        while index is not None and self._seekable:
            key = index.key_for(within)
            if key.before == 0:
                break
            self._seek(key.time)
            decoding = Decoding(self._packets(), index)
            if decoding.first <= wanted:
                return decoding
            within = key.before - 1
        self._sought = False
        if self._moved and self._beginning is not None:
            self._seek(self._beginning)
        return Decoding(self._packets(), index)

    def _seek(self, time: int) -> None:
        self._moved = True
        self._container.seek(time, stream=self._stream)

    def _packets(self) -> Iterator[VideoPacket]:
        self._moved = True
        return self._container.demux(self._stream)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises what reading the file raised, and errors of libav as ours."""
        try:
            yield
        except Exception as exc:
            self._raise_failure()
            if isinstance(exc, FFmpegError):
                raise OdysseyError(
                    f"{self._name} is broken, or no video ({exc.strerror})"
                ) from scrub(exc)
            raise
        self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._file.failure = self._file.failure, None
        if failure is not None:
            raise failure
