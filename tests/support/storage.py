"""A service with a recording in a storage that misbehaves on demand, and clients of it."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import mmap
import re
import socket
import threading
from collections.abc import Iterator, Mapping

import attrs
import pytest
from PIL import Image

from odyssey import Odyssey

STREAM = "00000000-0000-4000-8000-000000000001"
KEY = "ody_0123456789abcdef"
#: Stands in each presigned address; it must never be seen anywhere else.
SIGNATURE = "c0ffee5ec2e7"


@attrs.frozen
class Misbehaviour:
    """What goes wrong with one request for a file: here nothing, subclasses say what."""


@attrs.frozen
class Cut(Misbehaviour):
    """The connection ends after so many bytes of the body."""

    after: int


@attrs.frozen
class Short(Misbehaviour):
    """So many bytes come, then nothing, while the connection stays open."""

    after: int


@attrs.frozen
class Refusal(Misbehaviour):
    """A status instead of the file."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class NoRange(Misbehaviour):
    """A range is answered with the whole file."""

    cut: int | None = None


@attrs.frozen
class OtherRange(Misbehaviour):
    """Another range comes than was asked for."""

    content_range: str | None = None


Content = bytes | mmap.mmap

#: An events log.
EVENTS = [
    {"timestamp_ms": 0, "type": "start", "prompt": "A cat", "frame": 0},
    {"timestamp_ms": 900, "type": "interact", "prompt": "It\u2028yawns", "mood": {"sleepy": 1}},
    {"timestamp_ms": 2000, "type": "end", "frame": 48},
]


# iterate


@attrs.define
class Stored:
    """A file of the storage."""

    data: Content
    tag: str | None = '"v1"'
    encoding: str | None = None
    tells_length: bool = True


@attrs.frozen
class Asked:
    """A request for a file."""

    name: str
    headers: Mapping[str, str]

    @property
    def range(self) -> str | None:
        return self.headers.get("Range")


class Storage:
    """The API and the files of recordings on a loopback port. What it does wrong is in `script`."""

    def __init__(self, files: Mapping[str, Content], ranges: bool = True) -> None:
        self.files = {name: Stored(data) for name, data in files.items()}
        self.ranges = ranges
        self.script: list[Misbehaviour] = []
        self.asked: list[Asked] = []
        self.sent = 0
        self.lookups: list[str] = []
        self.valid = {"1"}
        self.go_on = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Storage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def ranges_asked(self) -> list[str | None]:
        return [asked.range for asked in self.asked]

    def expire(self) -> None:
        """Addresses given out so far are valid no more."""
        self.valid = set()

    def recording(self, stream_id: str) -> dict[str, object]:
        issue = str(len(self.lookups))
        self.valid.add(issue)
        urls = {
            f"{name}_url": f"{self.url}/files/{name}?issue={issue}&signature={SIGNATURE}"
            for name in self.files
        }
        return {"stream_id": stream_id, **urls}

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        storage = self

        class Handler(_Handler):
            pass

        Handler.storage = storage
        return Handler


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    storage: Storage

    def log_message(self, *args: object) -> None:
        pass

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._json({"access_token": "bearer-1", "expires_in": 3600})

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path.startswith("/files/"):
            self._file(path.rpartition("/")[2], query)
        elif path.startswith("/recordings/"):
            self.storage.lookups.append(path)
            self._json(self.storage.recording(path.rpartition("/")[2]))
        else:
            self._json({"detail": "no such endpoint"}, 404)

    def _json(self, value: object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, name: str, query: str) -> None:
        storage = self.storage
        storage.asked.append(Asked(name, dict(self.headers.items())))
        issue = query.removeprefix("issue=").partition("&")[0]
        if "Authorization" in self.headers:
            return self._json({"detail": "only one way to authorize"}, 400)
        if issue not in storage.valid or not query.endswith(SIGNATURE):
            return self._json({"detail": "expired"}, 403)
        wrong = storage.script.pop(0) if storage.script else None
        if isinstance(wrong, Refusal):
            self.send_response(wrong.status)
            for header, value in wrong.headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self._send(storage.files[name], wrong)

    def _send(self, file: Stored, wrong: Misbehaviour | None) -> None:
        total, start = len(file.data), 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        ranged = self.storage.ranges and not isinstance(wrong, NoRange)
        if asked and ranged and condition in (None, file.tag):
            start = int(asked[1])
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206)
            shown = f"bytes {start}-{total - 1}/{total}"
            if isinstance(wrong, OtherRange):
                shown = wrong.content_range or shown
            self.send_header("Content-Range", shown)
        else:
            self.send_response(200)
        if file.tag is not None:
            self.send_header("ETag", file.tag)
        if file.encoding is not None:
            self.send_header("Content-Encoding", file.encoding)
        with memoryview(file.data) as data, data[start:] as body:
            self._body(body, file, wrong)
        return None

    def _body(self, body: memoryview, file: Stored, wrong: Misbehaviour | None) -> None:
        if file.tells_length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        stop = wrong.after if isinstance(wrong, (Cut, Short)) else None
        if isinstance(wrong, NoRange):
            stop = wrong.cut
        with body[:stop] as sent:
            for at in range(0, len(sent), 65536):
                self.wfile.write(sent[at : at + 65536])
                self.storage.sent += len(sent[at : at + 65536])
        if isinstance(wrong, Short):
            self.storage.go_on.wait(10)
        if stop is not None or not file.tells_length:
            self.close_connection = True
            self.wfile.flush()
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def client_of(storage: Storage, timeout: float = 5) -> Iterator[Odyssey]:
    with Odyssey(KEY, api_url=storage.url, timeout=timeout) as client:
        yield client


@pytest.fixture
def client(storage: Storage) -> Iterator[Odyssey]:
    """A client of what the test's own fixture `storage` gives."""
    with client_of(storage) as client:
        yield client


def jpeg() -> bytes:
    """A picture in one colour, 64x32."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 32), (200, 100, 50)).save(picture, "JPEG", quality=95)
    return picture.getvalue()
