"""Small real servers, for what the emulator doesn't do."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import attrs
import pytest
import requests

from odyssey._logging import Secret
from odyssey._rest import client as _http
from odyssey._rest.client import HttpClient
from odyssey._runtime.deadline import Deadline

S = TypeVar("S", bound="TinyServer")


@attrs.frozen
class Request:
    """What a client asked for."""

    method: str
    path: str  # with the query
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


@attrs.frozen
class Reply:
    """What it is told."""

    body: object = attrs.field(factory=dict)
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def payload(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


TOKEN = Reply({"access_token": "bearer-1", "expires_in": 3600})


class TinyServer:
    """HTTP(S) on loopback: `answer` decides, `requests` remembers. Answers `/auth/token` itself."""

    def __init__(
        self, answer: Callable[[Request], Reply | None], certificate: Path | None = None
    ) -> None:
        self.requests: list[Request] = []
        self._answer = answer
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = self.url.replace("http", "https", 1)

    def __enter__(self: S) -> S:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked(self, path: str) -> list[Request]:
        """The requests to a path, whatever their query."""
        return [r for r in list(self.requests) if r.path.partition("?")[0] == path]

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()

            def do(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = requests.structures.CaseInsensitiveDict(self.headers.items())
                request = Request(self.command, self.path, headers, self.rfile.read(length))
                server.requests.append(request)
                reply = server._answer(request)
                if reply is None and request.path == "/auth/token":
                    reply = TOKEN
                if reply is None:  # cut off instead of an answer
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.payload())))
                self.end_headers()
                self.wfile.write(reply.payload())

            do_GET = do_POST = do_DELETE = do  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        return Handler


@contextlib.contextmanager
def raw_server(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """Runs `serve` on each connection, in a thread; its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.02)
    over = threading.Event()
    threads: list[threading.Thread] = []

    def run(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            serve(connection)

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listening.accept()
                threads.append(threading.Thread(target=run, args=(connection,), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        accepting.join()
        listening.close()
        for thread in threads:
            thread.join(10)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


# For `HttpClient`; the fixtures are imported where they are used.

KEY = "ody_0123456789abcdef"
Make = Callable[..., HttpClient]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "FIRST_PAUSE", 0.01)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[HttpClient] = []

    def make(url: str, key: str = KEY) -> HttpClient:
        made.append(HttpClient(url, lambda: Secret(key)))
        return made[-1]

    yield make
    for client in made:
        client.close()


def soon(seconds: float = 10) -> Deadline:
    return Deadline.after(seconds)


def always(reply: Reply | None, path: str = "/thing") -> Callable[[Request], Reply | None]:
    return lambda request: reply if request.path.partition("?")[0] == path else None
