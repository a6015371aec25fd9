"""Simulations whose script is at an address: the emulator fetches it when their time has come."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from odyssey import Odyssey, SimulationFailedError, SimulationJobDetail
from odyssey.emulator.simulations import script_download
from tests.support.scripts import script
from tests.support.servers import Reply, Request, TinyServer, free_port, raw_server

SCRIPT = script(500, (200, "Rain"))
LARGE = b" " * 70_000 + json.dumps(SCRIPT).encode()

ANSWERS = {
    "/script.json": Reply(SCRIPT),
    "/moved": Reply(status=302, headers={"Location": "/script.json"}),
    "/in-circles": Reply(status=302, headers={"Location": "/in-circles"}),
    "/gone": Reply(status=404),
    "/page": Reply(b"<html>"),
    "/nested": Reply(b"[" * 100_000),
    "/torn": Reply(b"\xff\xfe[]"),
    "/no-script": Reply({"script": SCRIPT}),
    "/wrong": Reply([*SCRIPT, *SCRIPT]),
    "/large": Reply(LARGE),
}


def _answer(request: Request) -> Reply | None:
    return ANSWERS.get(request.path)


@pytest.fixture(scope="module")
def web() -> Iterator[TinyServer]:
    with TinyServer(_answer) as server:
        yield server


def played(client: Odyssey, url: str) -> SimulationJobDetail:
    return client.simulations.wait(client.simulate(script_url=url), interval=0.02)


@pytest.mark.parametrize("path", ["/script.json", "/moved", "/large"])
def test_it_is_fetched(client: Odyssey, web: TinyServer, path: str) -> None:
    (stream,) = played(client, web.url + path).streams
    assert (stream.frame_count, stream.script_index) == (12, 0)
    assert "Authorization" not in web.asked(path)[-1].headers


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/in-circles", "script_url: TooManyRedirects"),
        ("/gone", "script_url: answered with HTTP 404"),
        ("/cut", "script_url: ServerDisconnectedError"),
        ("/page", "script_url: not an address of JSON"),
        ("/nested", "script_url: not an address of JSON"),
        ("/torn", "script_url: not an address of JSON"),
        ("/no-script", "script: expected a list"),
        ("/wrong", r"script\[3\]: a second start"),
    ],
)
def test_what_is_no_script_fails_the_job(
    client: Odyssey, web: TinyServer, path: str, said: str
) -> None:
    with pytest.raises(SimulationFailedError, match=f"failed: {said}"):
        played(client, web.url + path)


def test_nobody_is_there(client: Odyssey) -> None:
    with pytest.raises(SimulationFailedError, match="script_url: ClientConnectorError"):
        played(client, f"http://127.0.0.1:{free_port()}/script.json")
    with pytest.raises(SimulationFailedError, match="script_url"):
        played(client, "http://127.0.0.1:99999/script.json")


def test_one_that_is_too_large(
    client: Odyssey, web: TinyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_download, "_MOST_BYTES", 60_000)
    with pytest.raises(SimulationFailedError, match="script_url: larger than"):
        played(client, web.url + "/large")


def test_one_that_takes_too_long(client: Odyssey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_download, "_SECONDS", 0.2)
    over = threading.Event()

    def dawdle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not over.wait(0.02):
                connection.sendall(b" ")

    with raw_server(dawdle) as url:
        with pytest.raises(SimulationFailedError, match=r"no answer within 0\.2 s"):
            played(client, url + "/script.json")
        over.set()
