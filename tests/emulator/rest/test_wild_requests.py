"""Requests that no client sends: other bytes than text, and bodies of any size."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
import requests

from odyssey.emulator import Emulator
from odyssey.emulator.payloads import read_json, read_object
from odyssey.emulator.recordings.presigned import UrlSigner
from odyssey.emulator.tokens import SessionTokens, is_same
from tests.emulator.conftest import Complaints
from tests.emulator.raw_client import Rest
from tests.support.helpers import wait_until
from tests.support.servers import Reply, TinyServer, always

pytestmark = pytest.mark.live

MEGABYTE = 1_000_000
ODD = ["\udcff", "\ud800", "é", "\x00", "x" * 10_000]  # as a server reads what is no UTF-8


def sent(emulator: Emulator, head: bytes) -> bytes:
    """The status line of the answer to a request that is sent as it is."""
    port = int(emulator.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(head + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        return connection.makefile("rb").readline().strip()


@pytest.mark.parametrize("token", [b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b"", b" \xff \xff"])
def test_a_token_of_any_bytes_is_a_wrong_one(
    emulator: Emulator, complaints: Complaints, token: bytes
) -> None:
    for path in (b"/regions", b"/recordings/x", b"/simulation-jobs", b"/emulator/faults"):
        line = b"GET " + path + b" HTTP/1.1\r\nAuthorization: Bearer " + token
        assert sent(emulator, line) == b"HTTP/1.1 401 Unauthorized"


def test_secrets_are_compared_with_any_text() -> None:
    for odd in ODD:
        assert not is_same(odd, "secret")
        assert SessionTokens(b"secret").session_id(odd) is None
        assert SessionTokens(b"secret").session_id(f"a.{odd}.c") is None
        assert not UrlSigner(b"secret").is_valid(odd, odd, odd)
    assert is_same("secret", "secret")


def test_a_body_that_can_not_be_unpacked(rest: Rest, complaints: Complaints) -> None:
    complaints.expected.append("Unhandled exception")  # aiohttp's, of the rest of the body
    body, named = b"not packed", {"Content-Encoding": "gzip"}
    answer = rest.session.post(rest.url + "/auth/token", data=body, headers=named, timeout=10)
    assert answer.status_code == 400
    assert "can't be read" in answer.json()["detail"]


class Upload:
    """A request whose body is announced, and of which only a part is ever sent."""

    def __init__(self, emulator: Emulator, path: str, token: str = "") -> None:
        port = int(emulator.url.rpartition(":")[2])
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {60 * MEGABYTE}\r\n"
        self._socket.sendall(f"{head}Authorization: Bearer {token}\r\n\r\n{{".encode())

    def status(self) -> int:
        with self._socket.makefile("rb") as answer:
            return int(answer.readline().split()[1])

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def uploads() -> Iterator[list[Upload]]:
    opened: list[Upload] = []
    yield opened
    for upload in opened:
        upload.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *[("/simulation-jobs", 401), ("/sessions/request", 401), ("/sessions/token", 401)],
        *[("/telemetry", 401), ("/emulator/faults", 405), ("/emulator/faults/queue", 401)],
        *[("/auth/token", 413), ("/broadcasts/x/whep", 404), ("/nothing", 404)],
    ],
)
def test_without_a_key_no_body_is_waited_for(
    emulator: Emulator, uploads: list[Upload], path: str, status: int
) -> None:
    uploads += [Upload(emulator, path) for _ in range(20)]
    assert {upload.status() for upload in uploads} == {status}


@pytest.mark.parametrize("path", ["/sessions/request", "/sessions/token", "/telemetry"])
def test_with_a_key_bodies_are_bounded(rest: Rest, uploads: list[Upload], path: str) -> None:
    uploads.append(Upload(rest.emulator, path, rest.token))
    assert uploads[0].status() == 413
    endless = (b"x" * 100_000 for _ in range(1000))  # in chunks, so that none announces it
    headers = {"Authorization": f"Bearer {rest.token}"}
    try:
        answer = requests.post(rest.url + path, data=endless, headers=headers, timeout=10)
    except requests.ConnectionError:
        return  # closed in the middle of what it does not want
    assert answer.status_code == 413


@pytest.mark.timing
@pytest.mark.slow
def test_large_json_holds_nobody_up(rest: Rest) -> None:
    """Fault: 60 MB of values, and of text, while others go on."""
    memory, longest, over = psutil.Process(), 0.0, threading.Event()
    before = memory.memory_info().rss
    bodies = [
        b'{"script": [' + b"1," * (30 * MEGABYTE) + b"1]}",
        b'{"script": "' + b"A" * (60 * MEGABYTE) + b'"}',
    ]

    def ping() -> None:
        nonlocal longest
        with requests.Session() as session:
            while not over.is_set():
                began = time.monotonic()
                session.get(rest.url + "/ping", timeout=10)
                longest = max(longest, time.monotonic() - began)

    pinging = threading.Thread(target=ping)
    pinging.start()
    try:
        for body, status in zip(bodies, (422, 400), strict=True):
            answer = rest.request("POST", "/simulation-jobs", data=body)
            assert answer.status_code == status
        answer = rest.request("POST", "/auth/token", data=bodies[0], token=False)
        assert answer.status_code == 413
    finally:
        over.set()
        pinging.join()
    assert longest < 1.0
    assert memory.memory_info().rss - before < 400 * MEGABYTE


def test_json_of_too_many_values_is_not_parsed() -> None:
    many = ",".join(["1"] * 100_000)
    assert read_object(f'{{"a": [{many}]}}') == {"a": [1] * 100_000}
    for text in (
        f'{{"a": [{many}, 1]}}',
        "[" * 100_000,
        "9" * 5000,
        "",
        "nonsense",
        "[]",
        b"\xff",
        b'"\xed\xa0\x80',
    ):
        assert read_object(text) is None
    with pytest.raises(ValueError, match="too many values"):
        read_json(f"[{many}, 1, 1]")
    with pytest.raises(ValueError, match="too many levels"):
        read_json("[" * 100_000)
    assert read_json("\ufeff{}".encode()) == {}


def test_a_script_at_an_address_is_parsed_aside(rest: Rest) -> None:
    """Fault: it has more values than a script can have."""
    body = b"[" + b"1," * 200_000 + b"1]"
    with TinyServer(always(Reply(body), "/script")) as server:
        job = rest.request("POST", "/simulation-jobs", json={"script_url": f"{server.url}/script"})
        path = f"/simulation-jobs/{job.json()['job_id']}"
        found = wait_until(lambda: rest.get(path).json().get("error_message"))
    assert found == "script_url: not an address of JSON"
