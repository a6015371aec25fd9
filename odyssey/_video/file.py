"""Reads frames of a video file by their numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from odyssey._logging import scrub
from odyssey._video.bounds import MOST_PIXELS
from odyssey._video.decoding import Decoding, IndexMismatch
from odyssey._video.guarded_file import GuardedFile, SeekableFile
from odyssey._video.index import FrameIndex
from odyssey._video.mp4_claims import MOST_TRACKS, begins_as_mp4, check_claims
from odyssey._video.turning import Turning
from odyssey.errors import OdysseyError

if TYPE_CHECKING:
    from odyssey._video.decoding import VideoPacket

# No protocol is allowed, so that a playlist, which names other files, can't have them opened.
_OPTIONS = {"protocol_whitelist": "none"}
# Its tables say nearly all: so many bytes of frames are read beforehand to find out the rest.
_MP4_OPTIONS = {"probesize": str(1 << 17), "max_streams": str(MOST_TRACKS)}
# What doesn't begin as an MP4, and so was not checked, is not opened as one.
_MP4_NAMES = frozenset({"mov", "mp4", "m4a", "3gp", "3g2", "mj2"})
_OTHER_FORMATS = ",".join(
    name for name in sorted(av.formats_available) if _MP4_NAMES.isdisjoint(name.split(","))
)
# Texts in a file need not be UTF-8. PyAV 19 has no such parameter.
_TEXTS: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
# So many frames are decoded rather than skipped: seeking costs about as much.
_NOT_WORTH_IT = 4


class VideoFile:
    """An open video, to be used in one thread.

    As a context manager, it closes the container on exit, not the file.

    Args:
        file: Read from its beginning.
        name: The file's name in errors.
        format: libav's name of the container's format; None to detect it.
        timeout: Seconds of work on a frame without another byte of the file; None for no limit.

    Raises:
        OdysseyError: The file is empty, broken, or not a video, or claims more than it can hold.
        OdysseyTimeoutError: It took too long.
    """

    def __init__(
        self,
        file: SeekableFile,
        name: str,
        format: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._name = name
        self._file = GuardedFile(file, name, timeout)
        if self._file.size == 0:
            raise OdysseyError(f"{name} is empty: there is no frame in it")
        options = _OPTIONS | _bounded()
        if format == "mp4" or begins_as_mp4(self._file):
            check_claims(self._file, name)
            options |= _MP4_OPTIONS
        else:
            options["format_whitelist"] = _OTHER_FORMATS
        self._file.begin(anew=True)
        with self._translated():
            self._container: InputContainer = av.open(
                self._file, "r", format=format, options=options, **_TEXTS
            )
        self._file.forget()
        try:
            self._stream = self._first_video()
            self._index = FrameIndex.of(self._container, self._stream, self._file.check)
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
        """Yields the frames with these numbers, each with its number, in display order.

        Where the file has an index, frames in between are skipped up to the next key frame.

        Raises:
            OdysseyError: The file is broken.
        """
        wanted = start
        while (stop is None or wanted < stop) and not self._ends_before(wanted):
            self._file.begin()
            with self._translated():
                frame = self._frame(wanted)
            if frame is None:
                return
            yield wanted, self._turning.upright(frame)
            wanted += step

    def time_ms(self, frame: av.VideoFrame, number: int) -> int:
        """Returns the frame's presentation time in milliseconds.

        Without a timestamp in the file it is calculated from the number and the frame rate.
        """
        if frame.pts is not None and frame.time_base is not None:
            return round(frame.pts * frame.time_base * 1000)
        rate = self._stream.average_rate
        return round(number / rate * 1000) if rate else 0

    def _first_video(self) -> VideoStream:
        if not self._container.streams.video:
            raise OdysseyError(f"{self._name} has no video in it")
        stream = self._container.streams.video[0]
        # One thread takes the least CPU time a frame, and decodes nothing in advance.
        context: VideoCodecContext | None = stream.codec_context
        if context is None:  # PyAV's types don't say so
            raise OdysseyError(f"{self._name} can't be decoded: its video is of an unknown kind")
        context.thread_count = 1
        context.options = _bounded()
        if context.width * context.height > MOST_PIXELS:
            raise OdysseyError(
                f"{self._name} has pictures of {context.width}x{context.height}, and none of more "
                f"than {MOST_PIXELS:,} pixels are decoded"
            )
        return stream

    def _ends_before(self, number: int) -> bool:
        return self._index is not None and number >= self._index.count

    def _frame(self, number: int) -> av.VideoFrame | None:
        """Returns the frame with this number, which only grows; None at the end of the file."""
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
        """Whether it pays to seek to a key frame between the last decoded and the wanted frame."""
        if self._index is None or not self._seekable:
            return False
        return self._index.key_for(wanted).before > decoding.fed + _NOT_WORTH_IT

    def _try_otherwise(self, mismatch: IndexMismatch | None) -> bool:
        """Falls back from seeking to decoding from the beginning, then to counting frames.

        Args:
            mismatch: Why the present way failed; None if libav raised an error.

        Returns:
            False if there is no further way.
        """
        if self._index is None or self._file.failure is not None:
            return False
        self._file.begin(anew=True)
        if self._seekable:
            self._seekable = False
            if self._sought:
                return True
        # Counting doesn't help a damaged file, but it does help one with a wrong index.
        if mismatch is None or mismatch.is_damage:
            return False
        self._index = None
        return True

    def _decoding_for(self, wanted: int) -> Decoding:
        """Starts decoding at a place from which the frame can be reached."""
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
        for packet in self._container.demux(self._stream):
            self._file.check()
            yield packet

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises exceptions of the file as they were, and libav's errors as `OdysseyError`."""
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


def _bounded() -> dict[str, str]:
    """Returns the options that keep libav from decoding too large pictures."""
    return {"max_pixels": str(MOST_PIXELS)}
