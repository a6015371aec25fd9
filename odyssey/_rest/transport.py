"""The `requests` session: its headers, its authentication, and its errors as ours."""

from __future__ import annotations

import zlib
from http.cookiejar import DefaultCookiePolicy

import attrs
import requests
import urllib3
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from odyssey._logging import Secret, redacted
from odyssey._rest.connections import Adapter
from odyssey._version import __version__
from odyssey.errors import (
    OdysseyConnectionError,
    OdysseyError,
    OdysseyServerError,
    OdysseyTimeoutError,
)

#: Idle connections that are kept to one host.
MOST_IDLE = 32

#: Foreign classes → ours, the first that fits. `test_every_requests_error_is_mapped` guards it.
TRANSPORT_ERRORS: tuple[tuple[type[BaseException], type[OdysseyError]], ...] = (
    (requests.Timeout, OdysseyTimeoutError),
    (requests.exceptions.ContentDecodingError, OdysseyServerError),
    (requests.RequestException, OdysseyConnectionError),
    # What requests lets through: a certificate file that isn't there, an address that can't be
    # read or encoded.
    (ReadTimeoutError, OdysseyTimeoutError),
    (TimeoutError, OdysseyTimeoutError),
    (urllib3.exceptions.HTTPError, OdysseyConnectionError),
    (OSError, OdysseyConnectionError),
    (ValueError, OdysseyConnectionError),
    (zlib.error, OdysseyServerError),
)
FOREIGN_ERRORS = tuple(theirs for theirs, _ in TRANSPORT_ERRORS)


class NoAuth(AuthBase):
    """Sends no `Authorization`: with no auth at all, requests takes one from `~/.netrc`."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        return request


@attrs.frozen
class BearerAuth(AuthBase):
    """Sends the bearer token, and keeps `~/.netrc` from replacing it."""

    token: Secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token.reveal()}"
        return request


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Finds no redirect: requests reads the body of one even where it may not follow it."""


def new_session() -> requests.Session:
    """A session without cookies, whose reading is bounded by `reading_until`."""
    session = _Session()
    session.headers["User-Agent"] = f"odyssey-sync/{__version__}"
    session.headers["Accept-Encoding"] = "gzip, deflate"  # what `read_body` unpacks
    # The API uses no cookies, and a jar that threads share is the one unsafe part of a session.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = Adapter(pool_connections=8, pool_maxsize=MOST_IDLE)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def transport_error(exc: BaseException, operation: str) -> OdysseyError:
    """The error for a request whose answer did not come, or not to its end."""
    cls = next((ours for theirs, ours in TRANSPORT_ERRORS if isinstance(exc, theirs)), None)
    # requests turns a time-out into its ConnectionError while a body is read, and into its
    # ProxyError while a proxy is being connected to.
    failure = _connecting_error(exc)
    timed_out = isinstance(_first_argument(exc), ReadTimeoutError) or (
        isinstance(failure, ConnectTimeoutError) and not isinstance(failure, NewConnectionError)
    )
    if cls is OdysseyTimeoutError or timed_out:
        return OdysseyTimeoutError(f"{operation}: the service did not answer in time")
    if cls is OdysseyServerError:
        return OdysseyServerError(f"{operation}: the answer is broken ({type(exc).__name__})")
    return OdysseyConnectionError(
        f"{operation}: no connection to the service ({_root(exc)}); check the network and the "
        "address"
    )


def never_sent(failure: BaseException) -> bool:
    """Whether the connection itself failed, so that the service cannot have seen the request."""
    return isinstance(_connecting_error(failure.__cause__), NewConnectionError)


def _connecting_error(exc: BaseException | None) -> object:
    """What urllib3 says of a connection, also of one to a proxy, in an error of requests."""
    reason = getattr(_first_argument(exc), "reason", None)
    return getattr(reason, "original_error", reason)


def _first_argument(exc: BaseException | None) -> object:
    return exc.args[0] if exc is not None and exc.args else None


def _root(exc: BaseException) -> str:
    """What the operating system said, from under the layers of the HTTP libraries."""
    said = type(exc).__name__
    if isinstance(exc, OSError) and not isinstance(exc, requests.RequestException):
        said = str(exc)
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            said = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return redacted(said)
