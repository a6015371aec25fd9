"""Connections for `requests` whose every step ends at one deadline."""

from __future__ import annotations

import contextlib
import contextvars
import http.client
import io
import queue
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from odyssey._logging import quiet_urllib3
from odyssey._rest.lookup import look_up
from odyssey._runtime.deadline import Deadline

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

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
    """Looks the name up and connects until the deadline of `reading_until`.

    urllib3 gives each address all of the time, and a look-up as long as it takes.
    """

    response_class = _Response

    def _new_conn(self) -> socket.socket:
        deadline = _until.get() or Deadline.after(None)
        name = self._dns_host
        try:
            addresses = look_up(name, self.port, deadline)
        except TimeoutError as exc:
            raise ConnectTimeoutError(self, f"looking {name} up timed out") from exc
        except (OSError, UnicodeError) as exc:
            raise NewConnectionError(self, f"can't look {name} up: {exc}") from exc
        try:
            return self._connected(addresses, deadline)
        finally:
            self._dns_host = name

    def _connected(self, addresses: list[str], deadline: Deadline) -> socket.socket:
        for number, address in enumerate(addresses, 1):
            left = deadline.remaining()
            if left is not None:
                if left <= 0:
                    raise ConnectTimeoutError(self, "connecting timed out")
                # An address that swallows packets leaves the others their share.
                self.timeout = left / (len(addresses) - number + 1)
            self._dns_host = address
            try:
                connected = super()._new_conn()
            except (ConnectTimeoutError, NewConnectionError):
                if number == len(addresses):
                    raise
            else:
                connected.settimeout(deadline.remaining())  # for TLS, and for a proxy
                return connected
        raise NewConnectionError(self, "the name has no address")


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _IdleConnections(queue.LifoQueue[Any]):
    """Closes a connection that it has no room for. urllib3 would log a warning, too."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        try:
            super().put(item, block, timeout)
        except queue.Full:
            item.close()


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection
    QueueCls = _IdleConnections


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
    QueueCls = _IdleConnections


_POOLS = {"http": _Pool, "https": _TlsPool}


class Adapter(HTTPAdapter):
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
