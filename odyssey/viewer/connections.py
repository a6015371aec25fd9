"""The HTTP server: bounds what is open at once, and how long a request may take to arrive."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import IO, Any, cast

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

MOST_CONNECTIONS = 64
#: From the connection to the end of a request's head.
ARRIVAL_SECONDS = 10.0
#: For a piece of a request's body, and for a piece of an answer that nobody reads.
STALL_SECONDS = 20.0
_PIECE = 64 * 1024


class Server(ThreadedWSGIServer):
    """Answers each connection in a thread of its own.

    Where the most there may be are open, one whose request is still on its way gives way to a new
    one: whoever opens many and sends nothing keeps nobody else out.
    """

    def __init__(self, host: str, port: int) -> None:
        # Guards the two below.
        self._lock = threading.Lock()
        self._arriving: dict[socket.socket, float] = {}  # with the times, oldest first
        self._served: set[socket.socket] = set()
        super().__init__(host, port, lambda *_: [], _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            full = len(self._arriving) + len(self._served) >= MOST_CONNECTIONS
            oldest = next(iter(self._arriving), None) if full else None
            if oldest is not None:
                del self._arriving[oldest]
            if not full or oldest is not None:
                self._arriving[request] = time.monotonic()
        if oldest is not None:
            _cut(oldest)
        elif full:
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def arrived(self, request: socket.socket) -> None:
        """Notes that a request's head is here."""
        with self._lock:
            if self._arriving.pop(request, None) is not None:
                self._served.add(request)

    def service_actions(self) -> None:
        """Cuts connections whose request takes too long; called every moment."""
        super().service_actions()
        late = time.monotonic() - ARRIVAL_SECONDS
        with self._lock:
            slow = [request for request, since in self._arriving.items() if since < late]
            for request in slow:
                del self._arriving[request]
        for request in slow:
            _cut(request)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._arriving.pop(request, None)
            self._served.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stops listening, and ends the answers that are under way."""
        super().server_close()
        with self._lock:
            left = [*self._arriving, *self._served]
        for request in left:
            _cut(request)


class _Handler(WSGIRequestHandler):
    """Logs no requests."""

    timeout = STALL_SECONDS

    def setup(self) -> None:
        super().setup()
        self.rfile = cast(IO[bytes], _InPieces(self.rfile))  # type: ignore[assignment]

    def run_wsgi(self) -> None:
        cast(Server, self.server).arrived(self.connection)
        super().run_wsgi()

    def log(self, type: str, message: str, *args: object) -> None:
        pass


class _InPieces:
    """Reads what has come, up to a bound: Werkzeug asks for 10 MB at once of what nobody wants."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return cast(bytes, self._file.read1(min(size, _PIECE) if size >= 0 else _PIECE))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _cut(connection: socket.socket) -> None:
    """Wakes the thread that waits for the other side, which then ends."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
