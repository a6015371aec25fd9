"""How long answers are read, and what statuses, bodies and foreign errors become."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
import zlib

import pytest
import requests
import urllib3

from odyssey import (
    OdysseyConnectionError,
    OdysseyNotFoundError,
    OdysseyRequestError,
    OdysseyServerError,
    OdysseyTimeoutError,
)
from odyssey._rest import client as _http
from odyssey._rest import transport as _transport
from odyssey._rest.answer import Answer
from odyssey._runtime.deadline import Deadline
from odyssey.emulator import Emulator, faults
from tests.support.servers import (
    Make,
    Reply,
    TinyServer,
    always,
    make,
    raw_server,
    short_pauses,
    soon,
)

__all__ = ["make", "short_pauses"]


# The deadline.


def slow(emulator: Emulator, path: str) -> None:
    emulator.faults.inject(faults.HttpDelay(path=path, seconds=5), times=1)


@pytest.mark.timing
def test_an_answer_that_does_not_come(emulator: Emulator, make: Make) -> None:
    http = make(emulator.url, emulator.api_key)
    http.bearer(soon())
    slow(emulator, "/regions")
    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError, match="could not: the service did not answer in time"):
        http.get("/regions", soon(0.2), "could not")
    assert time.monotonic() - began < 3


def test_no_time_left_sends_nothing(make: Make) -> None:
    with TinyServer(always(Reply())) as server:
        with pytest.raises(OdysseyTimeoutError, match="could not: no time left"):
            make(server.url).request("GET", server.url + "/thing", soon(0), "could not")
        assert server.requests == []


@pytest.mark.timing
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's way with a full backlog")
def test_a_connection_that_is_not_made(make: Make) -> None:
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # until nobody more is let in
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        began = time.monotonic()
        with pytest.raises(OdysseyTimeoutError, match="could not: the service did not answer"):
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
            make("http://x").request("GET", url, soon(0.3), "could not")
        assert time.monotonic() - began < 3


BOMB = zlib.compress(bytes(64 * 2**20), wbits=31)
HEAD = b"HTTP/1.1 200 OK\r\n"
DRIBBLES = {
    "head": HEAD + b"X-Long: ",
    "body": HEAD + b"Content-Length: 100000\r\n\r\n",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFF\r\n",
    "endless": HEAD + b"Connection: close\r\n\r\n",
}


@pytest.mark.timing
@pytest.mark.parametrize("where", DRIBBLES)
def test_a_server_that_dribbles_is_left_at_the_deadline(make: Make, where: str) -> None:
    """Each byte comes in time, the answer does not."""
    gone = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(DRIBBLES[where])
        while not gone.wait(0.02):
            connection.sendall(b"x")

    with raw_server(serve) as url:
        began = time.monotonic()
        with pytest.raises(OdysseyTimeoutError, match="could not: the service did not answer"):
            make(url).request("GET", url, soon(0.3), "could not")
        assert time.monotonic() - began < 3
        gone.set()


def test_a_body_that_stalls_is_a_timeout(make: Make) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(DRIBBLES["body"] + b"the beginning")
        connection.recv(1)

    http = make("http://x")
    with raw_server(serve) as url, pytest.raises(OdysseyTimeoutError, match="did not answer"):
        http.request("GET", url, soon(0.2), "could not")


def test_a_body_that_breaks_off(make: Make) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(DRIBBLES["body"] + b"the beginning")

    http = make("http://x")
    with raw_server(serve) as url, pytest.raises(OdysseyConnectionError) as caught:
        http.request("GET", url, soon(), "could not")
    assert not isinstance(caught.value, OdysseyTimeoutError)


def test_a_body_without_end_is_left(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "LONGEST_BODY", 1000)
    with TinyServer(always(Reply(b"x" * 1001))) as server:
        http = make(server.url)
        with pytest.raises(OdysseyServerError, match="longer than 1000 bytes"):
            http.request("GET", server.url + "/thing", soon(), "could not")
    with TinyServer(always(Reply(b"x" * 1000))) as server:
        assert len(http.request("GET", server.url + "/thing", soon(), "could not").body) == 1000


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("kind", ["chunked", "gzip", "no length"])
def test_a_body_of_any_kind_is_bounded(make: Make, kind: str, status: int) -> None:
    """By 32 MB, whatever it is the body of."""
    head = f"HTTP/1.1 {status} X\r\n".encode()
    zeros = bytes(2**20)
    heads = {
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n",
        "gzip": b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n",
        "no length": b"Connection: close\r\n\r\n",
    }
    pieces = {"chunked": b"100000\r\n" + zeros + b"\r\n", "gzip": BOMB, "no length": zeros}
    sent = []

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head + heads[kind])
        while True:
            connection.sendall(pieces[kind])
            sent.append(len(pieces[kind]))

    with raw_server(serve) as url:
        with pytest.raises(OdysseyServerError, match="longer than 33554432 bytes") as caught:
            make(url).request("GET", url, soon(), "could not")
    assert caught.value.status == status
    assert sum(sent) < 64 * 2**20


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_a_packing_that_nobody_asked_for(make: Make, encoding: str) -> None:
    """Libraries that are installed by chance would unpack it all at once."""
    reply = Reply(b"[]", headers={"Content-Encoding": encoding})
    with TinyServer(always(reply)) as server:
        with pytest.raises(OdysseyServerError, match="the answer is broken"):
            make(server.url).get("/thing", soon(), "could not")
        (request,) = server.asked("/thing")
    assert request.headers["Accept-Encoding"] == "gzip, deflate"


def test_no_deadline_waits(make: Make) -> None:
    with TinyServer(always(Reply({"a": 1}))) as server:
        answer = make(server.url).get("/thing", Deadline.after(None), "could not")
    assert answer.json("the thing") == {"a": 1}


def test_a_server_that_talks_nonsense(make: Make) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"220 smtp.example ESMTP\r\n\r\n")

    http = make("http://x")
    with raw_server(serve) as url, pytest.raises(OdysseyConnectionError):
        http.request("GET", url, soon(), "could not")


# Statuses and bodies.


def test_not_found_carries_the_detail(make: Make) -> None:
    with TinyServer(always(Reply({"detail": "no such thing"}, 404))) as server:
        with pytest.raises(OdysseyNotFoundError, match="could not: HTTP 404: no such") as caught:
            make(server.url).get("/thing", soon(), "could not")
    assert (caught.value.status, caught.value.detail) == (404, "no such thing")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"detail": "words"}, "words"),
        ({"message": "words"}, "words"),
        ({"error": "words"}, "words"),
        ({"detail": {"message": "words"}}, "words"),
        ({"detail": [{"msg": "one", "input": "x"}, {"msg": "two"}, 5]}, "one; two"),
        ({"detail": 5}, None),
        ([1], None),
        (b"<html>", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_details_of_every_shape(make: Make, body: object, detail: str | None) -> None:
    with TinyServer(always(Reply(body, 400))) as server:
        with pytest.raises(OdysseyRequestError) as caught:
            make(server.url).get("/thing", soon(), "could not")
    assert caught.value.detail == detail


def test_a_success_that_is_not_json(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.HttpNotJson(path="/regions"))
    answer = make(emulator.url, emulator.api_key).get("/regions", soon(), "could not")
    with pytest.raises(OdysseyServerError, match=r"the regions is not JSON \(HTTP 200, text/html"):
        answer.json("the regions")


@pytest.mark.parametrize("body", [b"", b"nul", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_broken_json_of_every_kind(body: bytes) -> None:
    with pytest.raises(OdysseyServerError, match="is not JSON") as caught:
        Answer(200, {}, body).json("the thing")
    assert caught.value.status == 200
    assert caught.value.__cause__ is None


def test_a_compressed_body_that_is_not(make: Make) -> None:
    reply = Reply(b"not gzip", headers={"Content-Encoding": "gzip"})
    with TinyServer(always(reply)) as server:
        with pytest.raises(OdysseyServerError, match="the answer is broken"):
            make(server.url).get("/thing", soon(), "could not")


# Foreign errors.


def all_subclasses(cls: type[BaseException]) -> set[type[BaseException]]:
    found = {cls}
    for subclass in cls.__subclasses__():
        found |= all_subclasses(subclass)
    return found


def test_every_requests_error_is_mapped() -> None:
    """To a class of ours that fits: timeouts are timeouts, broken answers the service's fault."""
    for cls in all_subclasses(requests.RequestException):
        ours = type(_transport.transport_error(cls.__new__(cls, "said"), "could not"))
        if issubclass(cls, requests.Timeout):
            assert ours is OdysseyTimeoutError
        elif issubclass(cls, requests.exceptions.ContentDecodingError):
            assert ours is OdysseyServerError
        else:
            assert ours is OdysseyConnectionError
    explicit = {theirs for theirs, _ in _transport.TRANSPORT_ERRORS}
    assert requests.RequestException in explicit
    for base in (urllib3.exceptions.HTTPError, OSError, ValueError):
        assert base in explicit


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://host/",
        "http://",
        "http://[::1",
        "http://*/",
        "http://a:b/",
        "http://ü/",
    ],
)
def test_addresses_that_are_none(make: Make, url: str) -> None:
    with pytest.raises(OdysseyConnectionError, match="could not"):
        make("http://x").request("GET", url, soon(2), "could not")
