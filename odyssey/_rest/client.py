"""Calls the REST API through one `requests` session, with a bearer token and retries."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from odyssey._logging import Secret, forget_locals, revealed, scrub, without_locals
from odyssey._rest.answer import Answer, raise_for_status, redirect_error
from odyssey._rest.body import read_body
from odyssey._rest.connections import reading_until
from odyssey._rest.origins import is_loopback, resolved
from odyssey._rest.transport import (
    FOREIGN_ERRORS,
    BearerAuth,
    NoAuth,
    never_sent,
    new_session,
    transport_error,
)
from odyssey._runtime.background import run_in_thread, wait_for
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.fork import ForkGuard
from odyssey.errors import (
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyServerError,
    OdysseyTimeoutError,
    printable,
)
from odyssey.models.fields import Fields, wrong_answer

logger = logging.getLogger(__name__)

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
RETRIES = 3
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
#: The longest `Retry-After` that is obeyed where the call has no deadline.
LONGEST_ASKED = 600.0
#: Seconds that a request has after the deadline to notice by itself, and to close its connection.
GRACE = 0.1
#: Seconds before its end at which a bearer token is renewed rather than used.
TOKEN_MARGIN = 30.0
#: Statuses that say where else to ask, and how often that is done for a file in the storage.
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 6
#: The API's answers are small; a body beyond this is none of its.
LONGEST_BODY = 32 * 1024 * 1024


class HttpClient:
    """A client of the REST API at `api_url`; safe to share between threads.

    Making one does no I/O.

    Attributes:
        api_url: the base of its paths.

    Every method takes a `deadline` for the whole call and an `operation`, which begins the text of
    its errors, as in "could not list recordings".
    """

    def __init__(self, api_url: str, require_key: Callable[[], Secret]) -> None:
        self.api_url = api_url
        self._require_key = require_key
        # A forked child must not read from its parent's sockets, nor wait for its locks.
        self._fork_guard = ForkGuard(self._begin)
        self._begin()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "objects of an Odyssey client can't be pickled, because they hold connections: make a "
            "client in each process"
        )

    def _begin(self) -> None:
        self._session = new_session()
        # Guards `_token` only; a token is fetched outside it, at worst twice.
        self._token_lock = threading.Lock()
        self._token: tuple[Secret, float] | None = None

    def close(self) -> None:
        self._session.close()

    def get(
        self,
        path: str,
        deadline: Deadline,
        operation: str,
        params: Mapping[str, object] | None = None,
    ) -> Answer:
        """Sends a GET with the bearer token, with retries. Raises for every status but 2xx."""
        answer = self._authorized("GET", path, deadline, operation, params=params, retry=RETRIES)
        raise_for_status(answer, operation)
        return answer

    def get_once(self, path: str, deadline: Deadline, operation: str) -> Answer:
        """Sends a GET with the bearer token, without retries."""
        answer = self._authorized("GET", path, deadline, operation, retry=0)
        raise_for_status(answer, operation)
        return answer

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        deadline: Deadline,
        operation: str,
        *,
        repeatable: bool = False,
    ) -> Answer:
        """Sends JSON with the bearer token; retries it if it is `repeatable` without harm."""
        retry = RETRIES if repeatable else 0
        answer = self._authorized("POST", path, deadline, operation, body=body, retry=retry)
        raise_for_status(answer, operation)
        return answer

    def post_raw(
        self, path: str, body: Mapping[str, Any], deadline: Deadline, operation: str
    ) -> Answer:
        """Sends JSON with the bearer token, without retries; the caller judges the status."""
        return self._authorized("POST", path, deadline, operation, body=body, retry=0)

    def delete(self, path: str, deadline: Deadline, operation: str) -> Answer:
        """Sends a DELETE with the bearer token, again only if it never reached the service."""
        answer = self._authorized("DELETE", path, deadline, operation, retry=0)
        raise_for_status(answer, operation)
        return answer

    def bearer(self, deadline: Deadline) -> Secret:
        """Returns the cached bearer token, or gets a new one for the API key.

        Raises:
            ValueError: there is no key.
            OdysseyAuthError: the key was refused.
        """
        cached = self._cached_token()
        if cached is not None:
            return cached
        key = self._require_key()
        operation = "could not authenticate"
        answer = self._repeated(
            lambda: self.request(
                "POST", self.api_url + "/auth/token", deadline, operation, body={"api_key": key}
            ),
            deadline,
            RETRIES,
            operation,
        ).without(key)
        if answer.status == 422:
            raise OdysseyAuthError(
                f"{operation}: the service finds the API key malformed (HTTP 422); check that it "
                "was copied whole",
                status=422,
            )
        raise_for_status(answer, operation)
        token, lifetime = _read_token(answer)
        with self._token_lock:
            margin = min(TOKEN_MARGIN, lifetime / 2)
            self._token = (token, time.monotonic() + lifetime - margin)
        return token

    def request(
        self,
        method: str,
        url: str | Secret,
        deadline: Deadline,
        operation: str,
        *,
        params: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        data: bytes | None = None,
        auth: AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request and reads the answer to its end, whatever its status.

        A redirect is not followed, and its body not read.

        Args:
            url: a `Secret` where it is signed.
            params: as `body` they may have secrets in them.
            body: is sent as JSON.
            data: is sent as it is.
            auth: adds the token; without it none is sent.
        """
        with self.open(
            *(method, url, deadline, operation),
            params=params,
            body=body,
            data=data,
            auth=auth,
            headers=headers,
        ) as response:
            if 300 <= response.status_code < 400:
                return _without_body(response)
            chunks: list[bytes] = []
            size = 0
            for chunk in self.chunks(response, lambda: deadline, operation):
                size += len(chunk)
                if size > LONGEST_BODY:
                    raise OdysseyServerError(
                        f"{operation}: the answer is longer than {LONGEST_BODY} bytes",
                        status=response.status_code,
                    )
                chunks.append(chunk)
            return Answer(
                response.status_code, response.headers, b"".join(chunks), url=revealed(response.url)
            )

    def open(
        self,
        method: str,
        url: str | Secret,
        deadline: Deadline,
        operation: str,
        *,
        params: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        data: bytes | None = None,
        auth: AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Sends one request and returns the response unread; the caller closes it (`with`).

        A redirect is not followed.
        """
        left = deadline.remaining()
        if left is not None and left <= 0:
            raise OdysseyTimeoutError(f"{operation}: no time left for the request")
        session = self._session

        def send() -> requests.Response:
            with reading_until(deadline):
                response = session.request(
                    *(method, revealed(url), revealed(params), data, headers),
                    json=revealed(body),
                    auth=auth or NoAuth(),
                    timeout=left,
                    stream=True,
                    allow_redirects=False,
                    proxies=_no_proxy(revealed(url)),
                )
                return _without_secrets(response)

        # On a thread: parts of it see neither the deadline nor Ctrl-C, such as asking the system
        # for its proxies.
        outcome = run_in_thread(send, "odyssey-request")
        try:
            return wait_for(outcome, deadline.later(GRACE))
        except BaseException as exc:
            outcome.add_done_callback(_close)
            if isinstance(exc, FOREIGN_ERRORS):
                raise transport_error(exc, operation) from scrub(exc)
            forget_locals(exc)
            raise

    def open_file(
        self, url: str | Secret, deadline: Deadline, operation: str, headers: Mapping[str, str]
    ) -> requests.Response:
        """Opens a file of the object storage, without a token; it may be moved elsewhere.

        Raises:
            OdysseyServerError: It is moved too often, to no http(s) address, or from https to http.
        """
        for _ in range(MOST_REDIRECTS):
            response = self.open("GET", url, deadline, operation, headers=headers)
            if response.status_code not in REDIRECTS:
                return response
            answer = _without_body(response)
            response.close()
            del response  # whose address may be signed
            url = _moved_to(answer, operation)
        raise OdysseyServerError(f"{operation}: the storage redirects again and again")

    def chunks(
        self,
        response: requests.Response,
        deadline: Callable[[], Deadline],
        operation: str,
    ) -> Iterator[bytes]:
        """Yields the body piece by piece; `deadline` gives the end of each piece, as it begins."""
        pieces = read_body(response)
        while True:
            # Entered for each piece: between two of them the thread is the caller's.
            with reading_until(deadline()):
                try:
                    piece = next(pieces, None)
                except FOREIGN_ERRORS as exc:
                    raise transport_error(exc, operation) from scrub(exc)
            if piece is None:
                return
            yield piece

    def _authorized(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        operation: str,
        *,
        params: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        retry: int,
    ) -> Answer:
        def send(token: Secret) -> Answer:
            return (
                self._repeated(
                    lambda: self.request(
                        method,
                        self.api_url + path,
                        deadline,
                        operation,
                        params=params,
                        body=body,
                        auth=BearerAuth(token),
                    ),
                    deadline,
                    retry,
                    operation,
                )
                .without(token)
                .without(self._require_key())
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

    def _cached_token(self) -> Secret | None:
        with self._token_lock:
            valid = self._token is not None and time.monotonic() < self._token[1]
            return self._token[0] if self._token is not None and valid else None

    def _repeated(
        self, once: Callable[[], Answer], deadline: Deadline, retries: int, operation: str
    ) -> Answer:
        """Calls `once`, and again after a failed connection or a status of `RETRIED_STATUSES`.

        With 0 `retries` it sends again only what never reached the service.
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
                if attempt >= (RETRIES if never_sent(exc) else retries):
                    raise
                failure = exc
            pause = pause_before(attempt, asked)
            left = deadline.remaining()
            if left is not None and pause >= left:
                if failure is not None:
                    raise failure
                return answer
            logger.debug("%s; trying again in %.2f s", printable(operation), pause)
            time.sleep(pause)
            attempt += 1


def _without_secrets(response: requests.Response) -> requests.Response:
    """Without the request, which has the token, and with an address that shows no signature."""
    response.request = None  # type: ignore[assignment]
    response.url = Secret(response.url)  # type: ignore[assignment]
    return response


def _no_proxy(url: str) -> dict[str, str] | None:
    """Keeps a proxy of the environment out of what goes to this machine: it can't reach that."""
    return {"no_proxy": urlsplit(url).hostname or ""} if is_loopback(url) else None


def _without_body(response: requests.Response) -> Answer:
    return Answer(response.status_code, response.headers, b"", url=revealed(response.url))


@without_locals
def _moved_to(answer: Answer, operation: str) -> Secret:
    """The address that a redirect leads to, if it may be followed."""
    location = answer.headers.get("Location")
    target = resolved(answer.url, location) if location else None
    if target is None:
        raise redirect_error(answer, operation)
    return Secret(target)


@without_locals
def _read_token(answer: Answer) -> tuple[Secret, float]:
    """The bearer token, and for how many seconds it is good."""
    fields = Fields.read(answer.json("the access token"), "the access token")
    token = Secret(fields.text("access_token"))
    if not token.fits_header:
        raise wrong_answer("the access token", "it can't be sent in a header")
    return token, fields.optional_number("expires_in") or 3600.0


def _close(outcome: Future[requests.Response]) -> None:
    """Closes a response that nobody waits for any more."""
    if outcome.exception() is None:
        outcome.result().close()


def pause_before(attempt: int, asked: float | None) -> float:
    """Seconds before the next try: as many as the service `asked` for, else a growing time."""
    if asked is not None:
        return min(asked, LONGEST_ASKED)
    backoff: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**attempt)
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards no secret
