"""The REST API over `requests`: one session, the bearer token, retries, errors."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import attrs
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from odyssey._deadline import Deadline
from odyssey._json import Fields
from odyssey._redact import quiet_urllib3, redacted, scrub
from odyssey._version import __version__
from odyssey.errors import (
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyServerError,
    OdysseyTimeoutError,
    error_from_status,
    error_from_usage,
)

logger = logging.getLogger(__name__)

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
RETRIES = 3
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
#: Seconds before its end at which a bearer token is renewed rather than used.
TOKEN_MARGIN = 30.0
#: The API's answers are small; a body beyond this is none of its.
LONGEST_BODY = 32 * 1024 * 1024

#: requests' classes → ours, the first that fits. `test_every_requests_error_is_mapped` guards it.
TRANSPORT_ERRORS: tuple[tuple[type[requests.RequestException], type[OdysseyError]], ...] = (
    (requests.Timeout, OdysseyTimeoutError),
    (requests.exceptions.ChunkedEncodingError, OdysseyConnectionError),
    (requests.ConnectionError, OdysseyConnectionError),
    (requests.exceptions.ContentDecodingError, OdysseyServerError),
    (requests.TooManyRedirects, OdysseyServerError),
    (requests.RequestException, OdysseyConnectionError),
)


class NoAuth(AuthBase):
    """Sends no `Authorization`. Given explicitly, as requests otherwise asks `~/.netrc`."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        return request


@attrs.frozen
class BearerAuth(AuthBase):
    """Sends the bearer token, and keeps `~/.netrc` from replacing it."""

    token: str = attrs.field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@attrs.frozen
class Answer:
    """An HTTP response, read to its end."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    def json(self, of: str) -> object:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise OdysseyServerError(
                f"the service's answer for {of} is not JSON (HTTP {self.status}, "
                f"{self.headers.get('Content-Type', 'no content type')})",
                status=self.status,
            ) from None

    def retry_after(self) -> float | None:
        """Seconds that `Retry-After` asks for, whether given as a number or as a date."""
        value = self.headers.get("Retry-After", "")
        try:
            return max(0.0, float(value))
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            return None


class HttpClient:
    """Speaks to the REST API at `api_url`. Safe to share between threads; no I/O until called."""

    def __init__(self, api_url: str, require_key: Callable[[], str]) -> None:
        self._api_url = api_url
        self._require_key = require_key
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"odyssey-sync/{__version__}"
        # The API uses no cookies, and a jar that threads share is the one unsafe part of a session.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_connections=8, pool_maxsize=16)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        # Guards `_token` only; a token is fetched outside it, at worst twice.
        self._token_lock = threading.Lock()
        self._token: tuple[str, float] | None = None

    def close(self) -> None:
        self._session.close()

    def get(
        self,
        path: str,
        deadline: Deadline,
        doing: str,
        params: Mapping[str, object] | None = None,
    ) -> Answer:
        """GET of the API with the bearer token, retried. Raises for every status but 2xx."""
        answer = self._authorized("GET", path, deadline, doing, params=params, retry=RETRIES)
        raise_for_status(answer, doing)
        return answer

    def get_once(self, path: str, deadline: Deadline, doing: str) -> Answer:
        """GET as above, but not retried."""
        answer = self._authorized("GET", path, deadline, doing, retry=0)
        raise_for_status(answer, doing)
        return answer

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        deadline: Deadline,
        doing: str,
        *,
        repeatable: bool = False,
    ) -> Answer:
        """POST of JSON with the bearer token. `repeatable`: doing it twice does no harm."""
        retry = RETRIES if repeatable else 0
        answer = self._authorized("POST", path, deadline, doing, body=body, retry=retry)
        raise_for_status(answer, doing)
        return answer

    def post_raw(
        self, path: str, body: Mapping[str, Any], deadline: Deadline, doing: str
    ) -> Answer:
        """POST as above, not repeatable; the caller judges the status."""
        return self._authorized("POST", path, deadline, doing, body=body, retry=0)

    def bearer(self, deadline: Deadline) -> str:
        """The bearer token: the cached one, or a new one for the API key.

        Raises:
            ValueError: there is no key.
            OdysseyAuthError: the key was refused.
        """
        cached = self._cached_token()
        if cached is not None:
            return cached
        key = self._require_key()
        doing = "could not authenticate"
        answer = self._repeated(
            lambda: self.request(
                "POST", self._api_url + "/auth/token", deadline, doing, body={"api_key": key}
            ),
            deadline,
            RETRIES,
            doing,
        )
        if answer.status == 422:
            raise OdysseyAuthError(
                f"{doing}: the service finds the API key malformed (HTTP 422); check that it was "
                "copied whole",
                status=422,
            )
        raise_for_status(answer, doing)
        fields = Fields.read(answer.json("the access token"), "the access token")
        token = fields.text("access_token")
        lifetime = fields.optional_number("expires_in") or 3600.0
        with self._token_lock:
            margin = min(TOKEN_MARGIN, lifetime / 2)
            self._token = (token, time.monotonic() + lifetime - margin)
        return token

    def request(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        doing: str,
        *,
        params: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        auth: AuthBase | None = None,
    ) -> Answer:
        """One request to its end, whatever the status; without a token unless `auth` has one."""
        with self.open(
            method, url, deadline, doing, params=params, body=body, auth=auth
        ) as response:
            chunks: list[bytes] = []
            size = 0
            for chunk in self.chunks(response, deadline, doing):
                size += len(chunk)
                if size > LONGEST_BODY:
                    raise OdysseyServerError(
                        f"{doing}: the answer is longer than {LONGEST_BODY} bytes",
                        status=response.status_code,
                    )
                chunks.append(chunk)
            return Answer(response.status_code, response.headers, b"".join(chunks))

    def open(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        doing: str,
        *,
        params: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        auth: AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """A response whose body is still to be read; the caller closes it (`with`)."""
        if deadline.passed():
            raise OdysseyTimeoutError(f"{doing}: no time left for the request")
        with quiet_urllib3():
            try:
                return self._session.request(
                    method,
                    url,
                    params=params,  # type: ignore[arg-type]
                    json=body,
                    auth=auth or NoAuth(),
                    headers=headers,
                    timeout=deadline.remaining(),
                    stream=True,
                )
            except (requests.RequestException, UnicodeError) as exc:
                raise transport_error(exc, doing) from scrub(exc)

    def chunks(
        self, response: requests.Response, deadline: Deadline, doing: str
    ) -> Iterator[bytes]:
        """The body, piece by piece. The deadline counts between pieces: a socket's own time limit
        starts anew with each, so that a server that dribbles would never reach it.
        """
        with quiet_urllib3():
            try:
                for chunk in response.iter_content(65536):
                    yield chunk
                    if deadline.passed():
                        raise OdysseyTimeoutError(f"{doing}: the answer did not end in time")
            except requests.RequestException as exc:
                raise transport_error(exc, doing) from scrub(exc)

    def _authorized(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        doing: str,
        *,
        params: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        retry: int,
    ) -> Answer:
        def send(token: str) -> Answer:
            return self._repeated(
                lambda: self.request(
                    method,
                    self._api_url + path,
                    deadline,
                    doing,
                    params=params,
                    body=body,
                    auth=BearerAuth(token),
                ),
                deadline,
                retry,
                doing,
            )

        cached = self._cached_token()
        answer = send(cached or self.bearer(deadline))
        if answer.status == 401 and cached is not None:
            logger.debug("a cached bearer token was refused; asking for a new one")
            with self._token_lock:
                if self._token is not None and self._token[0] == cached:
                    self._token = None
            answer = send(self.bearer(deadline))
        return answer

    def _cached_token(self) -> str | None:
        with self._token_lock:
            valid = self._token is not None and time.monotonic() < self._token[1]
            return self._token[0] if self._token is not None and valid else None

    def _repeated(
        self, once: Callable[[], Answer], deadline: Deadline, retries: int, doing: str
    ) -> Answer:
        """`once`, again after a failed connection or a status of `RETRIED_STATUSES`.

        With no `retries` only what never reached the service is sent again.
        """
        attempt = 0
        while True:
            failure: OdysseyConnectionError | None = None
            asked = None
            try:
                answer = once()
                if answer.status not in RETRIED_STATUSES or attempt >= retries:
                    return answer
                asked = answer.retry_after()
            except (OdysseyTimeoutError, OdysseyServerError):
                raise
            except OdysseyConnectionError as exc:
                if attempt >= (RETRIES if _never_sent(exc) else retries):
                    raise
                failure = exc
            pause = _pause(attempt, asked)
            left = deadline.remaining()
            if left is not None and pause >= left:
                if failure is not None:
                    raise failure
                return answer
            logger.debug("%s; trying again in %.2f s", doing, pause)
            time.sleep(pause)
            attempt += 1


def _never_sent(failure: OdysseyConnectionError) -> bool:
    """Whether the connection itself failed, so that the service cannot have seen the request."""
    cause = failure.__cause__
    reason = getattr(cause.args[0], "reason", None) if cause and cause.args else None
    return isinstance(reason, NewConnectionError)


def _pause(attempt: int, asked: float | None) -> float:
    """Seconds before the next try: what the server asked for, else a growing, jittered time."""
    if asked is not None:
        return asked
    backoff: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**attempt)
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards no secret


def transport_error(exc: BaseException, doing: str) -> OdysseyError:
    """The error for a request that got no answer."""
    cls = next((ours for theirs, ours in TRANSPORT_ERRORS if isinstance(exc, theirs)), None)
    if cls is OdysseyTimeoutError:
        return OdysseyTimeoutError(f"{doing}: the service did not answer in time")
    if cls is OdysseyServerError:
        return OdysseyServerError(f"{doing}: the answer is broken ({type(exc).__name__})")
    return OdysseyConnectionError(
        f"{doing}: no connection to the service ({_root(exc)}); check the network and the address"
    )


def _root(exc: BaseException) -> str:
    """The operating system's words for it, from under the layers of HTTP libraries."""
    said = type(exc).__name__
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            said = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return redacted(said)


def raise_for_status(answer: Answer, doing: str) -> None:
    """Raises the error that a status of 300 and more stands for."""
    if answer.status < 300:
        return
    body = _error_body(answer)
    if answer.status == 429:
        detail = body.get("detail")
        usage = detail if isinstance(detail, Mapping) else body
        raise error_from_usage(usage, doing, retry_after=answer.retry_after())
    raise error_from_status(answer.status, _detail(body), doing)


def _error_body(answer: Answer) -> Mapping[str, Any]:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, Mapping) else {}


def _detail(body: Mapping[str, Any]) -> str | None:
    """What an error body says: `detail`, a text or FastAPI's list of findings."""
    detail = body.get("detail", body.get("message", body.get("error")))
    if isinstance(detail, Mapping):
        detail = detail.get("message", detail.get("error"))
    if isinstance(detail, list):
        found = [str(d.get("msg")) for d in detail if isinstance(d, Mapping) and d.get("msg")]
        detail = "; ".join(found) or None
    return redacted(detail) if isinstance(detail, str) else None
