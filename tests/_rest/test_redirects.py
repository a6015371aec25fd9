"""Redirects: the API's are not followed, the storage's are, and none takes a secret elsewhere."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from odyssey import Odyssey, OdysseyConnectionError, OdysseyServerError, Recording
from odyssey._live.whep import WhepAddress, WhepSession
from odyssey._rest.origins import Origin, is_loopback, resolved
from tests.support.certificates import self_signed
from tests.support.servers import (
    KEY,
    Make,
    Reply,
    Request,
    TinyServer,
    always,
    make,
    raw_server,
    short_pauses,
    soon,
)

__all__ = ["make", "short_pauses"]

STATUSES = range(300, 309)
SCRIPT = [{"timestamp_ms": 0, "start": {"prompt": "A cat"}}, {"timestamp_ms": 9, "end": {}}]


@pytest.fixture
def elsewhere() -> Iterator[TinyServer]:
    """The same host on another port; it gives whatever it is asked for."""
    with TinyServer(lambda _: Reply({"access_token": "t", "total": 0, "recordings": []})) as server:
        yield server


def moved(to: str, status: int = 307, only: str = "/") -> Callable[[Request], Reply | None]:
    """Redirects what begins with `only`."""

    def answer(request: Request) -> Reply | None:
        if request.path.startswith(only):
            return Reply(b"moved", status, {"Location": to + request.path})
        return None

    return answer


# The API.


@pytest.mark.parametrize("status", STATUSES)
def test_the_key_goes_nowhere_else(elsewhere: TinyServer, status: int) -> None:
    with (
        TinyServer(moved(elsewhere.url, status)) as server,
        Odyssey(KEY, api_url=server.url, timeout=10) as client,
    ):
        with pytest.raises(OdysseyConnectionError, match=f"could not authenticate.*{status}") as e:
            client.recordings.list()
    assert f"'{elsewhere.url}/auth/token'" in str(e.value)
    assert elsewhere.requests == []
    assert len(server.requests) == 1


CALLS: dict[str, Callable[[Odyssey], object]] = {
    "get": lambda client: client.recordings.get("some-id"),
    "page": lambda client: list(client.recordings.iterate()),
    "post": lambda client: client.simulations.submit(script=SCRIPT),
    "delete": lambda client: client.simulations.cancel("some-id"),
    "session": lambda client: client.create_client_credentials(),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_call_is_repeated_elsewhere(
    elsewhere: TinyServer, call: Callable[[Odyssey], object], status: int
) -> None:
    def answer(request: Request) -> Reply | None:
        return None if request.path == "/auth/token" else moved(elsewhere.url, status)(request)

    with (
        TinyServer(answer) as server,
        Odyssey(KEY, api_url=server.url, timeout=10) as client,
        pytest.raises(OdysseyConnectionError, match=rf"redirects to '{elsewhere.url}.*{status}"),
    ):
        call(client)
    assert elsewhere.requests == []


@pytest.mark.parametrize("location", ["/there", "there", "", "//127.0.0.1/", None])
def test_nor_at_the_same_place(make: Make, location: str | None) -> None:
    headers = {} if location is None else {"Location": location}
    with TinyServer(always(Reply(b"moved", 302, headers))) as server:
        with pytest.raises(OdysseyServerError, match="could not: the server redirects") as caught:
            make(server.url).get("/thing", soon(), "could not")
        assert caught.value.status == 302
        assert server.asked("/there") == []
        assert len(server.asked("/thing")) == 1


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://host/p?token=s3cret-1234#s3cret-1234", "'https://host/p?…'"),
        ("https://host/p#s3cret-1234", "'https://host/p#…'"),
        ("https://user:s3cret-1234@host/p", "'https://…@host/p'"),
        ("https://host/\x1b]0;title\x07\x9b31m", r"'https://host/\x1b]0;title\x07\x9b31m'"),
        ("https://host/" + "a" * 60_000, "'https://host/" + "a" * 187 + "…'"),
        (f"https://host/{KEY}/bearer-1", "'https://host/…/…'"),
    ],
)
def test_the_address_is_shown_short_and_without_secrets(
    make: Make, location: str, shown: str
) -> None:
    with TinyServer(always(Reply(status=307, headers={"Location": location}))) as server:
        with pytest.raises(OdysseyServerError) as caught:
            make(server.url).get("/thing", soon(), "could not")
    assert f"redirects to {shown} (HTTP 307)" in str(caught.value)


def endless(head: bytes, piece: bytes, sent: list[int]) -> Callable[[socket.socket], object]:
    """Answers with a body without end; how much was taken of it is added to `sent`."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            sent.append(len(piece))

    return serve


PIECE = bytes(64 * 1024)
CHUNK = b"10000\r\n" + PIECE + b"\r\n"
BODIES = {
    "told": (b"Content-Length: 500000000\r\n\r\n", PIECE),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
    "until it closes": (b"Connection: close\r\n\r\n", PIECE),
    "gzip": (b"Content-Encoding: gzip\r\n\r\n", zlib.compress(bytes(10**8), wbits=31)),
}


@pytest.mark.parametrize("body", BODIES)
def test_the_body_of_a_redirect_is_not_read(make: Make, body: str) -> None:
    rest, piece = BODIES[body]
    sent: list[int] = []
    head = b"HTTP/1.1 302 Found\r\nLocation: /\r\n" + rest
    with raw_server(endless(head, piece, sent)) as url:
        assert make(url).request("GET", url, soon(), "could not").body == b""
        with pytest.raises(OdysseyServerError, match="again and again"):
            make(url).open_file(url, soon(), "could not", {})
    assert sum(sent) < 7 * 16 * 1024**2  # what sockets hold


# The storage.


@pytest.fixture
def storage() -> Iterator[TinyServer]:
    with TinyServer(always(Reply(b"a picture"), "/real/file")) as server:
        yield server


def fetched(url: str, to: Path) -> bytes:
    with Odyssey(KEY, timeout=10) as client:
        return client.recordings.download(Recording("s", video_url=url), to / "f").read_bytes()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_file_may_be_elsewhere(storage: TinyServer, tmp_path: Path, status: int) -> None:
    with TinyServer(
        always(Reply(b"moved", status, {"Location": storage.url + "/real/file?sig=1"}), "/file")
    ) as first:
        assert fetched(first.url + "/file?sig=0", tmp_path) == b"a picture"
    (request,) = storage.requests
    assert request.path == "/real/file?sig=1"
    assert "Authorization" not in request.headers


def test_a_relative_address_of_a_file(tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        if request.path.startswith("/a/b"):
            return Reply(status=302, headers={"Location": "../caf\xc3\xa9/c?sig=1"})
        return Reply(request.path.encode())

    with TinyServer(answer) as server:
        assert fetched(server.url + "/a/b?sig=0", tmp_path) == b"/caf%C3%A9/c?sig=1"


@pytest.mark.parametrize(
    "location", [None, "", "ftp://host/x", "file:///etc/passwd", "http://[::1/", "http://u:p@h/"]
)
def test_a_file_that_is_nowhere(tmp_path: Path, location: str | None) -> None:
    headers = {} if location is None else {"Location": location}
    with TinyServer(always(Reply(status=302, headers=headers), "/file")) as server:
        with pytest.raises(OdysseyServerError, match="the server redirects"):
            fetched(server.url + "/file", tmp_path)


def test_a_file_does_not_lose_its_encryption(
    storage: TinyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with (
        TinyServer(moved(storage.url + "/real/file?"), pem) as first,
        pytest.raises(OdysseyServerError, match=rf"redirects to '{storage.url}/real/file\?…'"),
    ):
        fetched(first.url + "/file", tmp_path)
    assert storage.requests == []


# WHEP.


def joined(url: str) -> WhepSession:
    session = WhepSession(WhepAddress(url, "spectator-1234"))
    try:
        session.join("v=0\r\n", soon())
    finally:
        session.leave(soon())
        session.close()
    return session


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_offer_goes_nowhere_else(elsewhere: TinyServer, status: int) -> None:
    with (
        TinyServer(moved(elsewhere.url, status)) as server,
        pytest.raises(OdysseyConnectionError, match=rf"redirects to '{elsewhere.url}/whep\?…'"),
    ):
        joined(server.url)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{other}/x",
        "//127.0.0.1:{other}/x",
        "http://127.0.0.1:{own}@127.0.0.1:{other}/x",
        "http://127.0.0.1:{other}\\@127.0.0.1:{own}/x",
        "https://127.0.0.1:{own}/x",
        "http://localhost:{own}/x",
        "http://127.0.0.1:{other}\t/x",
    ],
)
def test_a_session_elsewhere_is_not_deleted(elsewhere: TinyServer, location: str) -> None:
    def answer(request: Request) -> Reply:
        ports = {"own": server.url.split(":")[2], "other": elsewhere.url.split(":")[2]}
        return Reply(b"v=0\r\n", 201, {"Location": location.format(**ports)})

    with TinyServer(answer) as server:
        joined(server.url)
        assert [r.method for r in server.requests] == ["POST"]
    assert elsewhere.requests == []


@pytest.mark.parametrize("location", ["/x", "{url}/x", "HTTP://127.0.0.1:{port}/x"])
def test_a_session_of_the_endpoint_is_deleted(location: str) -> None:
    def answer(_: Request) -> Reply:
        at = location.format(url=server.url, port=server.url.split(":")[2])
        return Reply(b"v=0\r\n", 201, {"Location": at})

    with TinyServer(answer) as server:
        joined(server.url)
        assert [(r.method, r.path) for r in server.requests[1:]] == [("DELETE", "/x")]


def test_leaving_and_the_ice_servers_are_not_redirected(elsewhere: TinyServer) -> None:
    def answer(request: Request) -> Reply:
        if request.method == "POST":
            return Reply(b"v=0\r\n", 201, {"Location": "/x"})
        return Reply(b"", 307, {"Location": elsewhere.url + "/config"})

    with TinyServer(answer) as server:
        session = WhepSession(WhepAddress(server.url, "spectator-1234"))
        assert session.ice_servers(soon()) == []
        session.join("v=0\r\n", soon())
        session.leave(soon())
        session.close()
        assert [r.method for r in server.requests] == ["GET", "POST", "DELETE"]
    assert elsewhere.requests == []


# Origins.


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Host/x", Origin("http", "host", 80)),
        ("https://host.:8443", Origin("https", "host", 8443)),
        ("wss://[::1]/", Origin("wss", "::1", 443)),
        *((url, None) for url in ("host", "ftp://host", "http://", "http://h:0", "http://h:x")),
        *((url, None) for url in ("http://u@h", "http://@h", "http://h\\@x", "http://h\n", "h t")),
    ],
)
def test_origins(url: str, origin: Origin | None) -> None:
    assert Origin.of(url) == origin


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *((h, True) for h in ("localhost", "a.localhost", "LOCALHOST.", "127.9.9.9", "[::1]")),
        ("[::ffff:127.0.0.1]", True),
        *((h, False) for h in ("host", "localhost.host", "10.0.0.1", "[fe80::1]", "0.0.0.0")),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(f"http://{host}:1/") is loopback
    assert is_loopback(f"wss://{host}/x") is loopback


def test_an_address_does_not_become_less_safe() -> None:
    assert resolved("http://h/a", "https://x/") == "https://x/"
    assert resolved("https://h/a", "http://h/a") is None
    assert resolved("https://h/a", "ws://h/a") is None
