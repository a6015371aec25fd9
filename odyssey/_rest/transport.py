"""The `requests` session: its headers, its time limits, and its errors as ours."""

from __future__ import annotations

import contextlib
import contextvars
import http.client
import io
import socket
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import attrs
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from odyssey._logging import quiet_urllib3, redacted
from odyssey._runtime.deadline import Deadline
from odyssey._version import __version__
from odyssey.errors import (
    OdysseyConnectionError,
    OdysseyError,
    OdysseyServerError,
    OdysseyTimeoutError,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Foreign classes → ours, the first that fits. `test_every_requests_error_is_mapped` guards it.
TRANSPORT_ERRORS: tuple[tuple[type[BaseException], type[OdysseyError]], ...] = (
    (requests.Timeout, OdysseyTimeoutError),
    (requests.exceptions.ContentDecodingError, OdysseyServerError),
    (requests.TooManyRedirects, OdysseyServerError),
    (requests.RequestException, OdysseyConnectionError),
    # What requests lets through: a certificate file that isn't there, an address that can't be
    # read or encoded, a redirect's body that breaks off.
    (ReadTimeoutError, OdysseyTimeoutError),
    (urllib3.exceptions.HTTPError, OdysseyConnectionError),
    (OSError, OdysseyConnectionError),
    (ValueError, OdysseyConnectionError),
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

    token: str = attrs.field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _Session(requests.Session):
    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """After a redirect: the token stays on its host, and `~/.netrc` adds nothing."""
        here, there = response.request.url, prepared_request.url
        if self.should_strip_auth(here, there):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)


def new_session() -> requests.Session:
    """A session without cookies, whose reading is bounded by `reading_until`."""
    session = _Session()
    session.headers["User-Agent"] = f"odyssey-sync/{__version__}"
    # The API uses no cookies, and a jar that threads share is the one unsafe part of a session.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(pool_connections=8, pool_maxsize=16)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


_until: contextvars.ContextVar[Deadline | None] = contextvars.ContextVar("_until", default=None)


@contextlib.contextmanager
def reading_until(deadline: Deadline) -> Iterator[None]:
    """Ends at `deadline` what this thread reads of an answer, and redacts urllib3's logs."""
    token = _until.set(deadline)
    try:
        with quiet_urllib3():
            yield
    finally:
        _until.reset(token)


class _Reader(io.RawIOBase):
    """Reads a socket until the deadline of `reading_until`.

    A socket's own time limit starts anew with each piece, so that a server which dribbles would
    never reach it: here it is set to what is left before each one.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._bytes: io.RawIOBase = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        deadline = _until.get()
        left = None if deadline is None else deadline.remaining()
        if left is not None:
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._bytes.readinto(buffer)

    def close(self) -> None:
        self._bytes.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock))

    def begin(self) -> None:
        super().begin()
        # urllib3 refuses these too, but leaves the socket to the garbage collector.
        told = ",".join(self.headers.get_all("Content-Length", ()))
        if len({length.strip() for length in told.split(",")}) > 1:
            raise http.client.HTTPException("two lengths")


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Makes connections of the classes above, directly or through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def close(self) -> None:
        """Closes idle connections now; the base class leaves them to the garbage collector."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in list(manager.pools.keys()):
                pool = manager.pools.get(key)
                if pool is not None:
                    pool.close()
        super().close()

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # those have classes of their own
            manager.pool_classes_by_scheme = _POOLS
        return manager


def transport_error(exc: BaseException, operation: str) -> OdysseyError:
    """The error for a request whose answer did not come, or not to its end."""
    cls = next((ours for theirs, ours in TRANSPORT_ERRORS if isinstance(exc, theirs)), None)
    # While a body is read, requests turns a time-out into its ConnectionError.
    if cls is OdysseyTimeoutError or isinstance(_first_argument(exc), ReadTimeoutError):
        return OdysseyTimeoutError(f"{operation}: the service did not answer in time")
    if cls is OdysseyServerError:
        return OdysseyServerError(f"{operation}: the answer is broken ({type(exc).__name__})")
    return OdysseyConnectionError(
        f"{operation}: no connection to the service ({_root(exc)}); check the network and the "
        "address"
    )


def never_sent(failure: BaseException) -> bool:
    """Whether the connection itself failed, so that the service cannot have seen the request."""
    reason = getattr(_first_argument(failure.__cause__), "reason", None)
    return isinstance(reason, NewConnectionError)


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
