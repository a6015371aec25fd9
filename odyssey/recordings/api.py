"""`client.recordings`: the account's recordings. Needs no connection."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs

from odyssey._checks import check_count, check_timeout, check_wait, path_segment
from odyssey._rest.client import LONGEST_BODY, HttpClient
from odyssey._rest.pages import paginate_unique
from odyssey._rest.polling import may_pass, poll_deadlines
from odyssey._runtime.background import load
from odyssey._runtime.deadline import Deadline
from odyssey.errors import (
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyServerError,
    OdysseyTimeoutError,
    RateLimitError,
)
from odyssey.models import Recording, StreamRecordingInfo, StreamRecordingsList

if TYPE_CHECKING:
    from odyssey._progress import ProgressCallback
    from odyssey.frames.frame import Array, VideoFrame
    from odyssey.recordings.artifact import Artifact
    from odyssey.recordings.events import RecordingEvent

    #: What names a recording: itself, its entry in a list, or the id of its stream.
    RecordingOrId = Recording | StreamRecordingInfo | str
    # Within the class `list` is a method.
    _Events = list[RecordingEvent]
    _Infos = list[StreamRecordingInfo]

logger = logging.getLogger(__name__)


class Recordings:
    """The account's recordings. Needs an API key but no connection; safe to share between threads.

    Each call takes the client's `timeout`.

    Raises:
        ValueError: There is no API key, or an argument is wrong.
        OdysseyAuthError: The key was refused.
        OdysseyServerError: The service failed, also after three retries.
        OdysseyConnectionError: The service can't be reached.
        OdysseyTimeoutError: The service did not answer in time.
    """

    def __init__(
        self, http: HttpClient, timeout: float | None, check_open: Callable[[], None]
    ) -> None:
        self._http = http
        self._timeout = timeout
        self._check_open = check_open

    def get(self, stream_id: str) -> Recording:
        """Gets the recording of a stream, with presigned URLs that are valid for about an hour.

        Raises:
            OdysseyNotFoundError: There is no such recording, or it is not ready yet. It is ready a
                few seconds after the stream's end; `wait` waits for it.

        Example:
            ```python
            recording = client.recordings.get(stream_id)
            requests.get(recording.video_url)
            ```
        """
        return self._get(stream_id, Deadline.after(self._timeout))

    def list(self, limit: int | None = None, offset: int | None = None) -> StreamRecordingsList:
        """Gets one page of recordings, newest first.

        Args:
            limit: The most recordings on this page, 1 to 100; the service's default is 50.
            offset: The number of recordings to skip.

        Example:
            ```python
            for info in client.recordings.list(limit=10).recordings:
                print(info.stream_id, info.duration_seconds)
            ```
        """
        params: dict[str, object] = {}
        if limit is not None:
            params["limit"] = check_count(limit, "limit", 1, 100)
        if offset is not None:
            params["offset"] = check_count(offset, "offset", 0)
        operation = "could not list recordings"
        self._check_open()
        answer = self._http.get(
            "/stream-recordings", Deadline.after(self._timeout), operation, params
        )
        return StreamRecordingsList.from_json(answer.json("the list of recordings"))

    def iterate(self, page_size: int = 100) -> Iterator[StreamRecordingInfo]:
        """Iterates over every recording once, newest first, even while new ones are being made.

        A recording made after the iteration began may or may not be among them. Pages are
        requested as they are needed: 1,000 recordings take 10 requests.

        Args:
            page_size: The number of recordings per request, 1 to 100.

        Example:
            ```python
            long = [r for r in client.recordings.iterate() if (r.duration_seconds or 0) > 60]
            ```
        """
        check_count(page_size, "page_size", 1, 100)

        def page_at(offset: int) -> tuple[_Infos, int]:
            page = self.list(limit=page_size, offset=offset)
            return page.recordings, page.total

        return paginate_unique(page_at, lambda info: info.stream_id, "the list of recordings")

    def wait(
        self,
        stream_id: str,
        timeout: float | None = 120,
        interval: float = 1.0,
        artifacts: Sequence[str] = ("video",),
    ) -> Recording:
        """Waits until the recording and the named artifacts exist, and returns it.

        It goes on waiting if the service can't be reached for a moment.

        Args:
            stream_id: The id of the recorded stream.
            timeout: Seconds to wait; 0 asks once, None waits without limit.
            interval: Seconds between the first two requests. The pauses grow to five times that,
                with jitter.
            artifacts: Any of `"video"`, `"events"`, `"thumbnail"` and `"preview"`.

        Raises:
            OdysseyTimeoutError: The recording was not ready in time; the text names what was
                missing.
            OdysseyServerError, OdysseyConnectionError, RateLimitError: The last request within the
                time failed; or an answer, whichever it was, is not what it should be.

        Example:
            ```python
            recording = client.recordings.wait(stream.id, artifacts=("video", "events"))
            ```
        """
        wanted = [_check_artifact(name) for name in _check_names(artifacts)]
        seconds = check_wait(timeout)
        first_pause = check_timeout(interval, "interval")
        if first_pause is None:
            raise ValueError("interval must be a number of seconds > 0, not None")
        path_segment(stream_id)
        waiting = _Waiting(stream_id, wanted)
        deadline = Deadline.after(seconds)
        for patience in poll_deadlines(seconds, first_pause, self._timeout):
            recording = waiting.look(partial(self._get, stream_id, patience), deadline)
            if recording is not None:
                return recording
        raise waiting.given_up(timeout)

    def download(
        self,
        recording_or_id: RecordingOrId,
        path: str | os.PathLike[str],
        artifact: str = "video",
        progress: ProgressCallback | bool | None = None,
    ) -> pathlib.Path:
        """Downloads a file of a recording, and returns its path.

        The bytes go to `NAME.part`, which replaces `NAME` once it is complete. A file that was
        there before stays as it was if anything goes wrong, even an interrupt or a full disk. After
        an interruption the download resumes, and it renews a URL that has expired. Memory use is
        constant. Several threads may download different files at once.

        Args:
            recording_or_id: A recording, an entry of a list of them, or a stream's id.
            path: A file, or a folder for `STREAM_ID.mp4` (`.jsonl`, `.jpg`, `-preview.mp4`). A path
                to an existing folder, or one that ends with a separator, is a folder; it is made if
                missing.
            artifact: `"video"`, `"events"`, `"thumbnail"` or `"preview"`.
            progress: True shows a progress bar. A callable is called in this thread with the bytes
                done and the total (None if unknown); an exception from it ends the download.

        Raises:
            ValueError: An argument is wrong, or the id can't be the name of a file in the folder,
                such as one of 300 characters.
            OdysseyNotFoundError: There is no such recording, or no such artifact of it.
            OdysseyTimeoutError: No byte came within the client's `timeout`.
            OdysseyConnectionError: The download was interrupted several times in a row without a
                new byte.
            OdysseyAuthError: The storage refused the URL, and the renewed one too.
            OdysseyError: Another download to the same file is under way.
            OSError: The file can't be written, or its `NAME.part` is a link.

        Example:
            ```python
            for info in client.recordings.iterate():
                client.recordings.download(info, "recordings/", progress=True)
            ```
        """
        from odyssey._progress import check_progress, reporting
        from odyssey.recordings.download import check_path, download, target_of
        from odyssey.recordings.range_reader import RangeReader

        name = _check_artifact(artifact)
        check_path(path)
        check_progress(progress)
        source = self._artifact(recording_or_id, name)
        target = target_of(path, source.stream_id, name)
        with (
            contextlib.closing(RangeReader(source)) as reader,
            reporting(progress, target.name) as report,
        ):
            download(reader, target, report)
        return target

    def events(self, recording_or_id: RecordingOrId) -> _Events:
        """Reads the log of a recording: its prompts and their times, in order.

        Raises:
            OdysseyNotFoundError: There is no such recording, or no log of it.
            OdysseyServerError: A line is broken, or the log has more than a million values;
                `partial` has the events before it.

        Example:
            ```python
            for event in client.recordings.events(stream_id):
                print(event["timestamp_ms"], event["type"], event.get("prompt"))
            ```
        """
        from odyssey.recordings.events import parse_events

        source = self._artifact(recording_or_id, "events", Deadline.after(self._timeout))
        return parse_events(_content(source), source.title)

    def frames(
        self,
        recording_or_id: RecordingOrId | os.PathLike[str],
        start: int = 0,
        stop: int | None = None,
        step: int = 1,
    ) -> Iterator[VideoFrame]:
        """Decodes the frames of a recording's video, or of a local video file, one by one.

        A recording is read straight from the storage, only as far as the frames need it, and never
        into memory as a whole; unwanted frames are skipped up to the next key frame. `index` is a
        frame's position in the file, and `timestamp_ms` its time there. Pixels are converted when
        they are read. Closing or dropping the iterator closes the connection and the file.

        Arguments are checked at once; other errors are raised when a frame is read.

        Args:
            recording_or_id: A recording, an entry of a list of them, or a stream's id (a str); or
                a local file (a `pathlib.Path`).
            start: The number of the first frame, counted from 0 in display order.
            stop: The number to stop before; None for no limit.
            step: 2 for every second frame, and so on.

        Raises:
            ValueError, TypeError: An argument is wrong, such as a negative number.
            OdysseyNotFoundError: There is no such recording, or no video of it.
            OdysseyError: The video is empty or broken, claims more frames than it can have, or has
                pictures of more than 8192x8192 pixels; or as `download`.
            OdysseyTimeoutError: A frame took the client's `timeout` without another byte of the
                file.
            OSError: The local file can't be read.

        Example:
            ```python
            for frame in client.recordings.frames(recording, step=24):       # one a second
                frame.to_image().save(f"{frame.index:05}.png")
            first = next(client.recordings.frames(Path("cat.mp4"))).data     # (1280, 704, 3) uint8
            ```
        """
        from odyssey.recordings.frames import frames_of_artifact, frames_of_file

        first = check_count(start, "start", 0)
        end = None if stop is None else check_count(stop, "stop", 0)
        every = check_count(step, "step", 1)
        given = recording_or_id
        self._check_open()
        if isinstance(given, os.PathLike):
            return frames_of_file(os.fsdecode(given), first, end, every, self._timeout)
        _id_of(given)
        return frames_of_artifact(lambda: self._artifact(given, "video"), first, end, every)

    def thumbnail(self, recording_or_id: RecordingOrId) -> Array:
        """Gets a picture of a recording: uint8, (height, width, 3), RGB.

        Raises:
            OdysseyNotFoundError: There is no such recording, or no thumbnail of it.
            OdysseyServerError: The thumbnail is broken, not a picture of a kind that
                `start_stream` takes, or has more than 89,478,485 pixels.

        Example:
            ```python
            plt.imshow(client.recordings.thumbnail(stream_id))
            ```
        """
        load("numpy")
        import numpy as np

        from odyssey._images import decode_picture, translated

        source = self._artifact(recording_or_id, "thumbnail", Deadline.after(self._timeout))
        what = "the file"
        try:
            picture = decode_picture(_content(source), what)
            with translated(what):
                return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))
        except ValueError as exc:
            raise OdysseyServerError(f"{source.title} is broken, or no picture: {exc}") from None

    def _get(self, stream_id: str, deadline: Deadline) -> Recording:
        path = f"/recordings/{path_segment(stream_id)}"
        self._check_open()
        answer = self._http.get(path, deadline, f"could not get recording {stream_id}")
        return Recording.from_json(answer.json("the recording"))

    def _artifact(
        self, recording_or_id: RecordingOrId, name: str, deadline: Deadline | None = None
    ) -> Artifact:
        """Looks an artifact up.

        Args:
            deadline: of looking it up and reading it; without one, reading may take as long as
                bytes come.
        """
        from odyssey.recordings.artifact import Artifact

        stream_id = _id_of(recording_or_id)
        self._check_open()
        recording = (
            recording_or_id
            if isinstance(recording_or_id, Recording)
            else self._get(stream_id, deadline or Deadline.after(self._timeout))
        )

        def renew(deadline: Deadline) -> Recording:
            return self._get(stream_id, deadline)

        # Whatever the answer names: files and frames are called what was asked for.
        recording = attrs.evolve(recording, stream_id=stream_id)
        return Artifact(self._http, recording, name, self._timeout, renew, deadline)


class _Waiting:
    """Remembers what a recording still lacks, for the error at the end."""

    def __init__(self, stream_id: str, artifacts: Sequence[str]) -> None:
        self._stream_id = stream_id
        self._artifacts = artifacts
        self._missing = "recording"
        self._failure: OdysseyError | None = None

    def look(self, get: Callable[[], Recording], deadline: Deadline) -> Recording | None:
        """Returns the recording if it is complete; keeps an error that may pass."""
        try:
            recording = get()
        except OdysseyNotFoundError:
            self._missing, self._failure = "recording", None
            return None
        except (OdysseyConnectionError, RateLimitError) as exc:
            if not may_pass(exc, self._failure):
                raise
            if not (isinstance(exc, OdysseyTimeoutError) and deadline.passed()):
                self._failure = exc
            logger.debug("waiting on for recording %r although %s", self._stream_id, exc)
            return None
        missing = [name for name in self._artifacts if getattr(recording, f"{name}_url") is None]
        self._missing, self._failure = " and no ".join(missing), None
        return None if missing else recording

    def given_up(self, timeout: float | None) -> OdysseyError:
        return self._failure or OdysseyTimeoutError(
            f"recording {self._stream_id} was not ready within {timeout} s: there was no "
            f"{self._missing}; wait longer, and check that the stream has ended"
        )


def _content(artifact: Artifact) -> bytes:
    from odyssey.recordings.download import fetch
    from odyssey.recordings.range_reader import RangeReader

    body = io.BytesIO()
    with contextlib.closing(RangeReader(artifact)) as reader:
        fetch(reader, body, most=LONGEST_BODY)
    return body.getvalue()


def _id_of(recording_or_id: object) -> str:
    if isinstance(recording_or_id, (Recording, StreamRecordingInfo)):
        recording_or_id = recording_or_id.stream_id
    if not isinstance(recording_or_id, str):
        raise TypeError(
            "expected a Recording, an entry of a list of recordings or a stream's id, not "
            f"{type(recording_or_id).__name__}"
        )
    path_segment(recording_or_id)
    return recording_or_id


def _check_artifact(name: object) -> str:
    from odyssey.recordings.artifact import ENDINGS

    if name not in ENDINGS:
        raise ValueError(f"artifact must be one of {', '.join(ENDINGS)}, not {name!r}")
    return str(name)


def _check_names(names: Sequence[str]) -> Sequence[str]:
    if isinstance(names, str):
        raise TypeError(f"artifacts must be a sequence of names, as in ({names!r},), not a str")
    return names
