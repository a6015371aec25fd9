"""`client.recordings`: what was recorded, without a connection."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from odyssey._deadline import Deadline
from odyssey._http import HttpClient
from odyssey.config import check_count, check_text
from odyssey.models import Recording, StreamRecordingsList


class Recordings:
    """Recordings of the account. Needs an API key, no connection; safe to share between threads.

    Each call takes the client's `timeout`.

    Raises:
        ValueError: there is no API key, or an argument is wrong.
        OdysseyAuthError: the key was refused.
        OdysseyServerError: the service failed, after three retries.
        OdysseyConnectionError, OdysseyTimeoutError: the service can't be reached, or not in time.
    """

    def __init__(
        self, http: HttpClient, timeout: float | None, check_open: Callable[[], None]
    ) -> None:
        self._http = http
        self._timeout = timeout
        self._check_open = check_open

    def get(self, stream_id: str) -> Recording:
        """The recording of a stream, with presigned addresses that are valid for about an hour.

        Raises:
            OdysseyNotFoundError: there is none, or it is not ready yet: a few seconds after the
                stream's end it is.

        Example:
            ```python
            recording = client.recordings.get(stream_id)
            requests.get(recording.video_url)
            ```
        """
        path = f"/recordings/{stream_path(stream_id)}"
        doing = f"could not get recording {stream_id}"
        self._check_open()
        answer = self._http.get(path, Deadline.after(self._timeout), doing)
        return Recording.from_json(answer.json("the recording"))

    def list(self, limit: int | None = None, offset: int | None = None) -> StreamRecordingsList:
        """One page of recordings, newest first.

        Args:
            limit: the most on this page, 1 to 100; the service's default is 50.
            offset: how many to skip.

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
        doing = "could not list recordings"
        self._check_open()
        answer = self._http.get("/stream-recordings", Deadline.after(self._timeout), doing, params)
        return StreamRecordingsList.from_json(answer.json("the list of recordings"))


def stream_path(stream_id: object, name: str = "stream_id") -> str:
    """An id as one segment of a path: whatever is in it, it can't lead to another endpoint."""
    text = check_text(stream_id, name)
    if not text.strip() or text in (".", ".."):
        raise ValueError(f"{name} must be an id that the service gave, not {text!r}")
    return quote(text, safe="")
