"""Decodes the frames of a recording, straight from the storage, or of a local file."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from odyssey._runtime.background import load
from odyssey.frames.frame import VideoFrame
from odyssey.recordings.artifact import Artifact
from odyssey.recordings.download import fetch
from odyssey.recordings.range_reader import RangeReader

if TYPE_CHECKING:
    from odyssey._video.guarded_file import SeekableFile


#: Bytes of a temporary file; a stream of 150 s has fewer.
LONGEST_COPY = 1024**3


def frames_of_artifact(
    artifact: Callable[[], Artifact], start: int, stop: int | None, step: int
) -> Iterator[VideoFrame]:
    """Decodes a recording's video while reading it.

    Args:
        artifact: Looks the video up; called when the first frame is asked for.
        start, stop, step: Which frames, by their numbers.
    """
    with contextlib.ExitStack() as stack:
        source = artifact()
        file = _seekable(source, stack)
        # Read as MP4 whatever it claims to be: it comes from outside.
        opened = _Opening(file, source.title, "mp4", source.timeout)
        yield from _decoded(opened, source.stream_id, start, stop, step)


def frames_of_file(
    path: str, start: int, stop: int | None, step: int, timeout: float | None
) -> Iterator[VideoFrame]:
    """Decodes a local video file, in any format that libav reads.

    Args:
        timeout: seconds of work without a byte more of the file.
    """
    with open(path, "rb") as file:
        yield from _decoded(_Opening(file, path, None, timeout), None, start, stop, step)


def _seekable(artifact: Artifact, stack: contextlib.ExitStack) -> SeekableFile:
    """Returns the artifact as a seekable file, which `stack` closes.

    It is read by ranges; from a storage without them it is copied to a temporary file first.
    """
    reader = RangeReader(artifact, seekable=True)
    stack.callback(reader.close)
    if reader.start():
        return reader
    file = tempfile.TemporaryFile(prefix="odyssey-")  # noqa: SIM115 - the stack closes it
    stack.callback(file.close)
    fetch(reader, file, most=LONGEST_COPY)
    reader.close()
    return file


@attrs.frozen
class _Opening:
    """The arguments of `VideoFile`, which is imported late."""

    file: SeekableFile
    name: str
    format: str | None
    timeout: float | None


def _decoded(
    opening: _Opening, stream_id: str | None, start: int, stop: int | None, step: int
) -> Iterator[VideoFrame]:
    load("odyssey._video.file")
    from odyssey._video.file import VideoFile
    from odyssey._video.picture import DecodedPicture

    with VideoFile(opening.file, opening.name, opening.format, opening.timeout) as video:
        for index, frame in video.frames(start, stop, step):
            yield VideoFrame(
                data=DecodedPicture(frame),
                width=frame.width,
                height=frame.height,
                timestamp_ms=video.time_ms(frame, index),
                index=index,
                received_at=time.monotonic(),
                stream_id=stream_id,
            )
