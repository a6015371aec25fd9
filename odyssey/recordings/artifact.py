"""A file of a recording in the storage, with its presigned URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import attrs
import requests

from odyssey._logging import Secret
from odyssey._rest.answer import Answer, error_from_answer
from odyssey._rest.client import RETRIED_STATUSES, HttpClient
from odyssey._runtime.deadline import Deadline
from odyssey.errors import (
    OdysseyAuthError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyServerError,
)
from odyssey.models import Recording

#: Name of an artifact → what follows the stream's id in the name of its file.
ENDINGS = {
    "video": ".mp4",
    "events": ".jsonl",
    "thumbnail": ".jpg",
    "preview": "-preview.mp4",
}

# As many digits as a file can have bytes; Python reads no number of thousands of digits.
_LENGTH = re.compile(r"[0-9]{1,18}")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", re.IGNORECASE)


@attrs.frozen
class Refusal:
    """The reason why the storage refused a range.

    Attributes:
        error: The error to raise if nothing else helps.
        passes: Whether the same request may succeed later; else the range is at fault.
        retry_after: Seconds that the storage asks for before that.
    """

    error: OdysseyError
    passes: bool = False
    retry_after: float | None = None


@attrs.frozen(eq=False)
class Body:
    """An answer of the storage, unread.

    Attributes:
        at: Where in the file its bytes begin.
        ranged: Whether it is an answer to a range.
        total: The length of the whole file, None where it isn't told.
        tag: The version's entity tag.
        resumable: Whether the file can be read on from where this answer breaks off.
        chunks: Its bytes.
    """

    at: int
    ranged: bool
    total: int | None
    tag: str | None
    resumable: bool
    chunks: Iterator[bytes]
    _response: requests.Response

    def close(self) -> None:
        self._response.close()


def url_of(recording: Recording, name: str) -> Secret:
    """Returns the URL of an artifact.

    Raises:
        OdysseyNotFoundError: The recording has none.
    """
    url: str | None = getattr(recording, f"{name}_url")
    if url is None:
        raise OdysseyNotFoundError(
            f"recording {recording.stream_id} has no {name}, or not yet: "
            f"recordings.wait(stream_id, artifacts=({name!r},)) waits for it"
        )
    return Secret(url)


class Artifact:
    """One file of a recording. Renews its address when the storage says that it has expired.

    Args:
        renew: Looks the recording up again, within a deadline.
        timeout: Seconds without a new byte after which reading fails.
        deadline: When reading fails in any case.
    """

    def __init__(
        self,
        http: HttpClient,
        recording: Recording,
        name: str,
        timeout: float | None,
        renew: Callable[[Deadline], Recording],
        deadline: Deadline | None = None,
    ) -> None:
        self._http = http
        self._name = name
        self._renew = renew
        self._url = url_of(recording, name)
        self._renewed = False
        self.timeout = timeout
        self._deadline = deadline
        self.stream_id = recording.stream_id
        self.title = f"the {name} of recording {recording.stream_id}"
        self.operation = f"could not read {self.title}"

    def step_deadline(self) -> Deadline:
        """Until when a step of reading that begins now has to bring a byte."""
        return self._deadline or Deadline.after(self.timeout)

    def open(self, at: int, tag: str | None, deadline: Deadline, *, ranged: bool) -> Body | Refusal:
        """Asks for the file from byte `at` on; what comes may be all of it: see `Body.at`.

        Args:
            tag: The entity tag of the version that the bytes before `at` are of.
            ranged: Asks for a range, so that one that isn't supported shows.

        Raises:
            OdysseyError: The storage won't give the file, neither this range of it nor later.
        """
        while True:
            response = self._get(at, tag, deadline, ranged=ranged)
            try:
                if response.status_code in (200, 206):
                    body = self._body(response)
                    self._renewed = False
                    if isinstance(body, Refusal):
                        response.close()
                    return body
            except BaseException:
                response.close()
                raise
            response.close()
            if response.status_code != 403 or self._renewed:
                return self._refusal(response)
            self._url = url_of(self._renew(deadline), self._name)
            self._renewed = True

    def _get(
        self, at: int, tag: str | None, deadline: Deadline, *, ranged: bool
    ) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}
        if ranged:
            headers["Range"] = f"bytes={at}-"
            if tag is not None and tag.startswith('"'):  # a weak tag never matches
                headers["If-Range"] = tag
        return self._http.open_file(self._url, deadline, self.operation, headers)

    def _body(self, response: requests.Response) -> Body | Refusal:
        headers = response.headers
        encoded = headers.get("Content-Encoding", "identity").lower() != "identity"
        at, total = 0, None
        if response.status_code == 206:
            found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
            if found is None or encoded:
                return Refusal(
                    OdysseyServerError(
                        f"{self.operation}: the storage answered with a broken range"
                    )
                )
            at = int(found[1])
            total = None if found[2] == "*" else int(found[2])
        elif not encoded and _LENGTH.fullmatch(headers.get("Content-Length", "")):
            total = int(headers["Content-Length"])
        chunks = self._http.chunks(response, self.step_deadline, self.operation)
        return Body(
            at,
            response.status_code == 206,
            total,
            headers.get("ETag"),
            not encoded,
            chunks,
            response,
        )

    def _refusal(self, response: requests.Response) -> Refusal:
        status = response.status_code
        if status == 403:
            raise OdysseyAuthError(
                f"{self.operation}: its address was refused (HTTP 403), the one asked for anew as "
                "well; check this computer's clock and what the key may read",
                status=status,
            )
        if status == 416:
            return Refusal(
                OdysseyServerError(
                    f"{self.operation}: the storage has no such range", status=status
                )
            )
        answer = Answer(status, response.headers, b"")
        error = error_from_answer(answer, self.operation)
        if error is None:
            raise OdysseyServerError(
                f"{self.operation}: an unexpected HTTP {status}", status=status
            )
        if status not in RETRIED_STATUSES:
            raise error
        return Refusal(error, passes=True, retry_after=answer.retry_after())
