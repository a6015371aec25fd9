"""Files of a storage that sends without end, too slowly, or more than it said."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from odyssey import Odyssey, OdysseyError, OdysseyServerError, OdysseyTimeoutError, Recording
from odyssey.recordings import frames
from tests.support.servers import KEY, raw_server, short_pauses

__all__ = ["short_pauses"]
pytestmark = pytest.mark.usefixtures("short_pauses")

OK = b"HTTP/1.1 200 OK\r\n"
MEGABYTE = 1024**2
PIECE = b"\n" * 65536
#: Answers that end when nobody reads on: what they begin with, and what comes again and again.
ENDLESS = {
    "chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + PIECE + b"\r\n"),
    "one chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n", PIECE),
    "a line of a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 65536),
    "no length": (OK + b"Connection: close\r\n\r\n", PIECE),
    "a length": (OK + b"Content-Length: 600000000\r\n\r\n", PIECE),
    "a range": (
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-599999999/600000000\r\n\r\n",
        PIECE,
    ),
    "gzip": (
        OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n",
        zlib.compress(bytes(600 * MEGABYTE // 4), wbits=31),
    ),
    "brotli": (OK + b"Content-Encoding: br\r\nConnection: close\r\n\r\n", PIECE),
    "a refusal": (b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + PIECE),
    "a failure": (b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n", PIECE),
    "a redirect": (b"HTTP/1.1 302 Moved\r\nLocation: /\r\n\r\n", PIECE),
}


class Sending:
    """Sends a body for ever; `sent` are its bytes."""

    def __init__(self, head: bytes, piece: bytes) -> None:
        self.sent = 0
        self._head, self._piece = head, piece

    def __call__(self, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(self._head)
        while True:
            connection.sendall(self._piece)
            self.sent += len(self._piece)


@contextlib.contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    """Fails if Python objects took more memory at a time."""
    import tracemalloc

    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MEGABYTE
    finally:
        tracemalloc.stop()


CALLS: dict[str, Callable[[Odyssey, Recording], object]] = {
    "events": lambda client, recording: client.recordings.events(recording),
    "thumbnail": lambda client, recording: client.recordings.thumbnail(recording),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_body_without_end(
    call: Callable[[Odyssey, Recording], object], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odyssey.recordings.api.LONGEST_BODY", 4 * MEGABYTE)
    sending = Sending(*ENDLESS[kind])
    with raw_server(sending) as url, Odyssey(KEY, timeout=20) as client:
        recording = Recording("s", events_url=url, thumbnail_url=url)
        with at_most(24), pytest.raises(OdysseyError) as caught:
            call(client, recording)
    assert not isinstance(caught.value, OdysseyTimeoutError)
    assert sending.sent < 100 * MEGABYTE  # what sockets hold


@pytest.mark.timing
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_body_that_dribbles_ends_with_the_calls_time(
    call: Callable[[Odyssey, Recording], object],
) -> None:
    over = threading.Event()

    def dribble(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(OK + b"Connection: close\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b"\n")

    with raw_server(dribble) as url, Odyssey(KEY, timeout=0.5) as client:
        began = time.monotonic()
        with pytest.raises(OdysseyTimeoutError):
            call(client, Recording("s", events_url=url, thumbnail_url=url))
        assert time.monotonic() - began < 3
        over.set()


@pytest.mark.parametrize("kind", ["chunked", "no length", "a length", "gzip"])
def test_a_storage_without_ranges_does_not_fill_the_temporary_folder(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: written)
    monkeypatch.setattr(frames, "LONGEST_COPY", 4 * MEGABYTE)
    monkeypatch.setattr(written, "close", lambda: None, raising=False)
    sending = Sending(*ENDLESS[kind])
    with raw_server(sending) as url, Odyssey(KEY, timeout=20) as client:
        with pytest.raises(OdysseyServerError, match=f"longer than {4 * MEGABYTE} bytes"):
            next(client.recordings.frames(Recording("s", video_url=url)))
    assert len(written.getvalue()) <= 4 * MEGABYTE


@pytest.mark.timing
@pytest.mark.parametrize("kind", ["trailer", "length of a chunk", "gzip"])
def test_what_is_no_byte_of_the_file_does_not_count(kind: str, tmp_path: Path) -> None:
    """A download may take long, but not without a byte more of the file."""
    over = threading.Event()
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    name = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"  # of the file that was packed: ends with a null byte
    begin, piece = {
        "trailer": (chunked + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
        "length of a chunk": (chunked + b"1\r\nx\r\n1;", b"x"),
        "gzip": (OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + name, b"x"),
    }[kind]

    def dribble(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(begin)
        while not over.wait(0.05):
            connection.sendall(piece)

    with raw_server(dribble) as url, Odyssey(KEY, timeout=0.5) as client:
        began = time.monotonic()
        with pytest.raises(OdysseyTimeoutError):
            client.recordings.download(Recording("s", video_url=url), tmp_path / "file")
        assert time.monotonic() - began < 4
        over.set()
