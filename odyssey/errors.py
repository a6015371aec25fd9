"""The classes of errors, and the tables that choose among them.

```
OdysseyError
├── OdysseyAuthError (also ValueError)         the key is bad, refused or lacks a right
├── OdysseyConnectionError (also ConnectionError)
│   └── OdysseyTimeoutError (also TimeoutError)
├── OdysseyStreamError                         .reason, .message
├── OdysseyAPIError                            .status, .detail
│   ├── OdysseyRequestError (also ValueError)  4xx: the request is at fault
│   │   └── OdysseyNotFoundError               404
│   └── OdysseyServerError (also OdysseyConnectionError)
├── SimulationFailedError                      .job
└── OdysseyUsageError                          .code, .message, .action, .action_url, .details
    ├── MonthlyLimitReachedError, ConcurrentLimitReachedError, AccountSuspendedError
    ├── StreamDurationExceededError (also OdysseyStreamError)
    └── RateLimitError                         .retry_after
```

Every class can be pickled, so that errors cross process boundaries.
"""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

E = TypeVar("E", bound=Exception)

#: Characters of an error's text, and of what the service says in it.
LONGEST_TEXT = 2000
LONGEST_SAID = 500
#: They join letters, and the parts of emoji; nothing else that can't be seen is shown.
_JOINERS = "\u200c\u200d"


def printable(text: str, most: int = LONGEST_TEXT) -> str:
    """A text from elsewhere on one line of at most `most` characters, without those that steer a
    terminal or turn the direction of writing.
    """
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(c if c.isprintable() or c in _JOINERS else " " for c in cut)


class OdysseyError(Exception):
    """The base of this package's errors, except `ValueError` and `TypeError` for arguments.

    Example:
        ```python
        try:
            client.connect()
        except OdysseyError as exc:
            print(f"no video: {exc}")
        ```
    """

    def __init__(self, *args: object) -> None:
        # Ids and texts of the service are in it.
        Exception.__init__(self, *(printable(a) if isinstance(a, str) else a for a in args))


class OdysseyAuthError(OdysseyError, ValueError):
    """The API key is wrong, was refused, or lacks a right: HTTP 401 and 403, 422 for the key.

    Attributes:
        status: The HTTP status of the answer, or None.
    """

    def __init__(self, text: str = "", *, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class OdysseyConnectionError(OdysseyError, ConnectionError):
    """The service could not be reached, or the connection to it was lost.

    Attributes:
        reason: The service's reason (`"streamer_disconnected"`, …), or None.
    """

    def __init__(self, text: str = "", *, reason: str | None = None) -> None:
        super().__init__(text)
        self.reason = reason


class OdysseyTimeoutError(OdysseyConnectionError, TimeoutError):
    """The timeout of a blocking call has passed. The text says what it waited for.

    Attributes:
        partial: The frames that `take` (a list) or `stack` (an array) had by then; otherwise None.

    Example:
        ```python
        try:
            frames = client.frames.take(48, timeout=5)
        except OdysseyTimeoutError as exc:
            frames = exc.partial                        # those that came in time
        ```
    """

    def __init__(self, text: str = "", *, partial: Any = None) -> None:
        super().__init__(text)
        self.partial = partial


class OdysseyStreamError(OdysseyError):
    """Starting, steering or ending a stream was refused, or there is no stream.

    Attributes:
        reason: The service's reason, or one of this package's: `"not_connected"`,
            `"not_started"`, `"invalid_state"`, `"stream_ended"`, `"queue_closed"`,
            `"size_changed"`, `"no_image_to_video"`. The guide on errors says what each means.
        message: The service's explanation; without one, the error's own text.
        partial: For `stack`, the frames before the change of size; otherwise None.
    """

    def __init__(
        self,
        text: str = "",
        *,
        reason: str = "unknown",
        message: str | None = None,
        partial: Any = None,
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.message = str(self) if message is None else message
        self.partial = partial


class OdysseyAPIError(OdysseyError):
    """The REST API refused a request or failed.

    Attributes:
        status: The HTTP status; None if no answer came.
        detail: The service's explanation, or None.
    """

    def __init__(
        self, text: str = "", *, status: int | None = None, detail: str | None = None
    ) -> None:
        OdysseyError.__init__(self, text)
        self.status = status
        self.detail = detail


class OdysseyRequestError(OdysseyAPIError, ValueError):
    """The service refused the request as wrong: a 4xx status."""


class OdysseyNotFoundError(OdysseyRequestError):
    """The recording, job or session is unknown to the service, or not ready yet: 404."""


class OdysseyServerError(OdysseyAPIError, OdysseyConnectionError):
    """The service failed (5xx, also after retries), or its answer can't be used.

    Attributes:
        partial: For `recordings.events`, the events before the broken line; otherwise None.
    """

    reason: str | None = None

    def __init__(
        self,
        text: str = "",
        *,
        status: int | None = None,
        detail: str | None = None,
        partial: Any = None,
    ) -> None:
        super().__init__(text, status=status, detail=detail)
        self.partial = partial


class SimulationFailedError(OdysseyError):
    """The simulation that `wait` waited for failed or was cancelled.

    Attributes:
        job: The job as the service last described it.
    """

    def __init__(self, text: str = "", *, job: Any = None) -> None:
        super().__init__(text)
        self.job = job


class OdysseyUsageError(OdysseyError):
    """A limit of the account or the plan was reached.

    Attributes:
        code: The service's code, such as `"MONTHLY_LIMIT_REACHED"`.
        message: The service's explanation.
        action: The service's advice on what to do.
        action_url: The web page to do it on, or None.
        details: The numbers for the code; an empty dict if the service sent none.

    Example:
        ```python
        try:
            client.connect()
        except OdysseyUsageError as exc:
            print(exc.code, exc.message, exc.action, exc.details)
        ```
    """

    def __init__(
        self,
        text: str = "",
        *,
        code: str = "",
        message: str | None = None,
        action: str = "",
        action_url: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        OdysseyError.__init__(self, text)
        self.code = code
        self.message = str(self) if message is None else message
        self.action = action
        self.action_url = action_url
        self.details: dict[str, Any] = dict(details or {})


class MonthlyLimitReachedError(OdysseyUsageError):
    """The month's hours are used up. Details: `used_hours`, `limit_hours`, `reset_date`."""


class ConcurrentLimitReachedError(OdysseyUsageError):
    """Too many streams at once. Details: `active_count`, `limit`."""


class AccountSuspendedError(OdysseyUsageError):
    """The account is suspended. Details: `reason`."""


class StreamDurationExceededError(OdysseyUsageError, OdysseyStreamError):
    """The stream reached its time limit and was ended. Details: `max_duration_seconds`."""

    reason = "session_timeout"
    partial: Any = None


class RateLimitError(OdysseyUsageError):
    """Too many requests.

    Attributes:
        retry_after: Seconds to wait before the next request, or None if the service didn't say.

    Example:
        ```python
        try:
            client.connect()
        except RateLimitError as exc:
            time.sleep(exc.retry_after or 10)           # then connect again
        ```
    """

    retry_after: float | None = None


#: HTTP status → class, for statuses with a class of their own. Others go by their hundred.
STATUS_ERRORS: dict[int, type[OdysseyAuthError] | type[OdysseyAPIError]] = {
    401: OdysseyAuthError,
    403: OdysseyAuthError,
    404: OdysseyNotFoundError,
}

#: Code in a 429 body → class.
USAGE_ERRORS: dict[str, type[OdysseyUsageError]] = {
    "MONTHLY_LIMIT_REACHED": MonthlyLimitReachedError,
    "MONTHLY_LIMIT_EXCEEDED": MonthlyLimitReachedError,
    "CONCURRENT_LIMIT_REACHED": ConcurrentLimitReachedError,
    "CONCURRENT_LIMIT_EXCEEDED": ConcurrentLimitReachedError,
    "STREAM_DURATION_EXCEEDED": StreamDurationExceededError,
    "ACCOUNT_SUSPENDED": AccountSuspendedError,
    "RATE_LIMITED": RateLimitError,
}

_CODE = re.compile(r"\S+")
#: What the service says of too many sessions at once where it gives no code.
_SAYS_CONCURRENT = re.compile(
    r"(?=.*(?:concurren|simultaneous))(?=.*(?:session|stream))", re.IGNORECASE | re.DOTALL
)

#: Advice on what to do, where the service gives none.
USAGE_ADVICE: dict[type[OdysseyUsageError], str] = {
    MonthlyLimitReachedError: "wait for the next month or take a larger plan",
    ConcurrentLimitReachedError: "end another stream first",
    StreamDurationExceededError: "connect again and start the next stream",
    AccountSuspendedError: "ask the service's support",
    RateLimitError: "wait before the next request",
}

#: Reason of an `interactive_stream_error` → usage code. Others are `OdysseyStreamError`.
STREAM_REASON_CODES: dict[str, str] = {
    "quota_exceeded": "MONTHLY_LIMIT_REACHED",
    "concurrent_limit_exceeded": "CONCURRENT_LIMIT_REACHED",
    "session_timeout": "STREAM_DURATION_EXCEEDED",
}

#: Reason of a signaling `error` → what happened and what to do. All are `OdysseyConnectionError`.
SIGNALING_REASONS: dict[str, str] = {
    "streamer_not_available": "no streamer is available for this session; connect again",
    "streamer_disconnected": "the streamer went away; connect again",
    "duration_limit_reached": "the connection reached its longest allowed time; connect again",
    "unknown": "the service gave no reason; connect again",
}


def error_from_status(status: int, detail: str | None, operation: str) -> OdysseyError:
    """Returns the error for an HTTP `status` of 400 and more (429 with a body: `error_from_usage`).

    `operation` says what was tried, as in "could not get recording abc".
    """
    detail = None if detail is None else _text(detail)
    said = f": {detail}" if detail else ""
    if status == 429:
        return error_from_usage({"message": detail or ""}, operation)
    default = OdysseyServerError if status >= 500 else OdysseyRequestError
    cls = STATUS_ERRORS.get(status, default)
    if issubclass(cls, OdysseyAuthError):
        advice = "check the API key" if status == 401 else "the API key lacks the right to do this"
        return cls(f"{operation}: refused with HTTP {status}{said}; {advice}", status=status)
    if cls is OdysseyNotFoundError:
        advice = "; it is unknown or not ready yet"
    else:
        advice = "; try again later" if status >= 500 else ""
    return cls(f"{operation}: HTTP {status}{said}{advice}", status=status, detail=detail)


def error_from_usage(
    body: Mapping[str, Any], operation: str, *, retry_after: float | None = None
) -> OdysseyUsageError:
    """Returns the error for the usage `body` of a 429; `retry_after`: the header's, in seconds."""
    code, message = _code_and_message(body)
    action = _text(body.get("action"))
    details = body.get("details")
    details = dict(details) if isinstance(details, Mapping) else {}
    url = _text(body.get("action_url")) or None
    cls = USAGE_ERRORS.get(code, RateLimitError if not code else OdysseyUsageError)
    text = f"{operation}: {message or code or 'too many requests'}"
    advice = action or USAGE_ADVICE.get(cls, "")
    text += f" ({advice})" if advice else ""
    code = code or "RATE_LIMITED"
    error = cls(text, code=code, message=message, action=action, action_url=url, details=details)
    if isinstance(error, RateLimitError):
        error.retry_after = _seconds(details.get("retry_after_seconds"), retry_after)
    return error


def raise_for_usage_error(status: int, detail: object) -> None:
    """Raises the usage error that an HTTP answer stands for; returns where it stands for none.

    For programs that call the service's REST API themselves.

    Args:
        status: The HTTP status; all but 429 stand for none.
        detail: The JSON of the body, or what it has under `detail`.

    Raises:
        OdysseyUsageError: The class for the body's code.

    Example:
        ```python
        answer = requests.post(url, json=body, headers=headers, timeout=10)
        if not answer.ok:
            raise_for_usage_error(answer.status_code, answer.json())
        ```
    """
    if isinstance(detail, Mapping):
        detail = detail.get("detail", detail)
    body = detail if isinstance(detail, Mapping) else {"message": detail}
    if status == 429 and _code_and_message(body)[0]:
        raise error_from_usage(body, "the service refused the request")


def error_from_stream_reason(
    reason: str, message: str, operation: str
) -> OdysseyStreamError | OdysseyUsageError:
    """Returns the error for an `interactive_stream_error` that the streamer sent."""
    reason, message = _text(reason), _text(message)
    code = STREAM_REASON_CODES.get(reason)
    if code is not None:
        return error_from_usage({"code": code, "message": message or reason}, operation)
    advice = "; try again" if reason == "lease_denied" else ""
    said = f"{reason}: {message}" if message else reason
    return OdysseyStreamError(f"{operation}: {said}{advice}", reason=reason, message=message)


def error_from_signaling_reason(reason: str) -> OdysseyConnectionError:
    """Returns the error for an `error` message of the signaling server."""
    reason = _text(reason)
    said = SIGNALING_REASONS.get(reason, "connect again")
    return OdysseyConnectionError(
        f"the service ended the connection ({reason}): {said}", reason=reason
    )


def own_copy(error: E) -> E:
    """Copies an error, as each of several threads that raise it needs a traceback of its own."""
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    return own


def _code_and_message(body: Mapping[str, Any]) -> tuple[str, str]:
    """Of a usage body; both may be empty."""
    error, message = _text(body.get("error")), _text(body.get("message"))
    code = _text(body.get("code"))
    if not code and _CODE.fullmatch(error):
        code = error
    elif error != code:
        message = message or error  # a sentence
    if not code and _SAYS_CONCURRENT.match(message):
        code = "CONCURRENT_LIMIT_REACHED"
    return code, message


def _text(value: object) -> str:
    return printable(value, LONGEST_SAID) if isinstance(value, str) else ""


def _seconds(value: object, default: float | None) -> float | None:
    """Returns a number of seconds from the service, or `default` if it isn't one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return default
    return float(value) if 0 <= value <= sys.float_info.max else default
