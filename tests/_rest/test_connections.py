"""Connections that many threads share, and bodies that are cut."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import zlib

import pytest

from odyssey import OdysseyConnectionError
from tests.support.helpers import in_thread
from tests.support.servers import (
    Make,
    Reply,
    Request,
    TinyServer,
    make,
    raw_server,
    short_pauses,
    soon,
)

__all__ = ["make", "short_pauses"]

TEXT = bytes(range(256)) * 100


def test_many_threads_on_one_client(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Each has a connection of its own; the ones too many are closed without a word."""
    together = threading.Barrier(40, timeout=10)

    def answer(request: Request) -> Reply | None:
        if request.path != "/thing":
            return None
        together.wait()
        return Reply({"a": 1})

    with TinyServer(answer) as server:
        http = make(server.url)
        http.bearer(soon())
        with caplog.at_level(logging.WARNING):
            calls = [in_thread(lambda: http.get("/thing", soon(), "could not")) for _ in range(40)]
            for call in calls:
                call.result(10)
        http.close()
    assert caplog.records == []


def deflated(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


PACKED = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "members": ("x-gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
    "zlib": ("deflate", zlib.compress(TEXT)),
    "bare": ("deflate", deflated(TEXT)),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_packed_body_without_a_length(make: Make, name: str) -> None:
    """Where it is cut, nothing but its packing tells."""
    encoding, packed = PACKED[name]

    def served(body: bytes) -> bytes:
        def serve(connection: socket.socket) -> None:
            connection.recv(65536)
            head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode() + body)

        with raw_server(serve) as url:
            return make(url).request("GET", url, soon(), "could not").body

    assert served(packed) == TEXT
    assert served(packed + bytes(20)) == TEXT  # padding
    for length in (len(packed) - 1, len(packed) // 2, 1, 0):
        with pytest.raises(OdysseyConnectionError, match="could not: no connection"):
            served(packed[:length])
