from __future__ import annotations

import email.utils
import socket
import threading
import time

import pytest
import requests

from odyssey import (
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyRequestError,
    OdysseyServerError,
    OdysseyTimeoutError,
    RateLimitError,
)
from odyssey._rest import client as _http
from odyssey._rest.answer import Answer
from odyssey.emulator import Emulator, faults
from tests.support.servers import (
    KEY,
    Make,
    Reply,
    Request,
    TinyServer,
    always,
    free_port,
    make,
    short_pauses,
    soon,
)

__all__ = ["make", "short_pauses"]


# What is sent.


def test_a_get_carries_the_bearer_token_and_the_query(make: Make) -> None:
    with TinyServer(always(Reply({"a": 1}))) as server:
        http = make(server.url)
        answer = http.get("/thing", soon(), "could not", {"limit": 5})
        http.get("/thing", soon(), "could not")
        assert answer.json("the thing") == {"a": 1}
        (token,) = server.asked("/auth/token")
        first, second = server.asked("/thing")
    assert (token.method, token.json()) == ("POST", {"api_key": KEY})
    assert "Authorization" not in token.headers
    assert first.path == "/thing?limit=5"
    assert first.headers["Authorization"] == second.headers["Authorization"] == "Bearer bearer-1"
    assert first.headers["User-Agent"].startswith("odyssey-sync/")


def test_a_plain_request_carries_no_token(make: Make) -> None:
    with TinyServer(always(Reply())) as server:
        http = make(server.url)
        http.bearer(soon())
        http.request("GET", server.url + "/thing", soon(), "could not")
        (request,) = server.asked("/thing")
    assert "Authorization" not in request.headers


def netrc_for_loopback(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{tmp_path}/netrc"
    with open(path, "w") as file:
        file.write("machine 127.0.0.1\nlogin someone\npassword else\n")
    monkeypatch.setenv("NETRC", path)


def test_netrc_neither_replaces_the_token_nor_adds_one(
    make: Make, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc_for_loopback(tmp_path, monkeypatch)

    def answer(request: Request) -> Reply | None:
        if request.path == "/file":
            return Reply(status=307, headers={"Location": "/moved"})
        return None if request.path == "/auth/token" else Reply()

    with TinyServer(answer) as server:
        http = make(server.url)
        http.get("/thing", soon(), "could not")
        http.request("GET", server.url + "/thing", soon(), "could not")
        http.open_file(server.url + "/file", soon(), "could not", {}).close()
        sent = [r.headers.get("Authorization") for r in server.requests if r.path != "/auth/token"]
        requests.get(server.url + "/plain", timeout=10)
        (plain,) = server.asked("/plain")
    assert plain.headers["Authorization"].startswith("Basic")  # the file is one that works
    assert sent == ["Bearer bearer-1", None, None, None]


def test_cookies_are_not_kept(make: Make) -> None:
    reply = Reply(headers={"Set-Cookie": "session=secret; Path=/"})
    with TinyServer(always(reply)) as server:
        http = make(server.url)
        for _ in range(2):
            http.get("/thing", soon(), "could not")
        assert all("Cookie" not in request.headers for request in server.requests)


# RetryBudget.


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_get_is_tried_again_three_times(make: Make, status: int) -> None:
    with TinyServer(always(Reply(status=status))) as server:
        with pytest.raises((OdysseyServerError, RateLimitError)) as caught:
            make(server.url).get("/thing", soon(), "could not get it")
        assert len(server.asked("/thing")) == 4
    assert str(caught.value).startswith("could not get it: ")


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500, 501])
def test_other_statuses_are_final(make: Make, status: int) -> None:
    with TinyServer(always(Reply(status=status))) as server:
        with pytest.raises((OdysseyServerError, OdysseyRequestError, OdysseyAuthError)) as caught:
            make(server.url).get("/thing", soon(), "could not")
        assert len(server.asked("/thing")) == 1
    assert getattr(caught.value, "status", None) == status


@pytest.mark.parametrize("fault", [faults.HttpStatus(path="/regions", status=503), "drop"])
def test_a_get_that_succeeds_in_the_end(emulator: Emulator, make: Make, fault: object) -> None:
    if not isinstance(fault, faults.Fault):
        fault = faults.HttpDrop(path="/regions")
    emulator.faults.inject(fault, times=3)
    answer = make(emulator.url, emulator.api_key).get("/regions", soon(), "could not")
    assert answer.status == 200
    assert emulator.faults.active == ()


def test_a_connection_that_is_cut_every_time(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.HttpDrop(path="/regions"), times=4)
    http = make(emulator.url, emulator.api_key)
    with pytest.raises(OdysseyConnectionError, match="could not: no connection") as caught:
        http.get("/regions", soon(), "could not")
    assert emulator.faults.active == ()
    assert not isinstance(caught.value, (OdysseyTimeoutError, OdysseyServerError))
    assert http.get("/regions", soon(), "could not").status == 200


def test_get_once_is_one_try(make: Make) -> None:
    with TinyServer(always(Reply(status=503))) as server:
        with pytest.raises(OdysseyServerError):
            make(server.url).get_once("/thing", soon(), "could not")
        assert len(server.asked("/thing")) == 1


@pytest.mark.parametrize("reply", [Reply(status=503), Reply(status=429), None])
def test_a_post_is_not_repeated(make: Make, reply: Reply | None) -> None:
    with TinyServer(always(reply)) as server:
        with pytest.raises((OdysseyServerError, RateLimitError, OdysseyConnectionError)):
            make(server.url).post("/thing", {}, soon(), "could not")
        assert len(server.asked("/thing")) == 1


def test_a_post_that_harms_nothing_is_repeated(make: Make) -> None:
    with TinyServer(always(Reply(status=502))) as server:
        with pytest.raises(OdysseyServerError):
            make(server.url).post("/thing", {}, soon(), "could not", repeatable=True)
        assert len(server.asked("/thing")) == 4


def test_a_post_that_never_went_out_is_repeated(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens until the second try: the first was refused by the system."""
    monkeypatch.setattr(_http, "FIRST_PAUSE", 0.5)
    with TinyServer(always(Reply({"done": 1}))) as server:
        http = make(server.url)
        http.bearer(soon())
        port = int(server.url.rpartition(":")[2])
    http.close()
    listening = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def later() -> None:
        listening.wait(0.15)
        with socket.create_server(("127.0.0.1", port)) as waiting:
            waiting.settimeout(10)
            connection, _ = waiting.accept()
            with connection:
                serve(connection)

    thread = threading.Thread(target=later)
    thread.start()
    assert http.post("/thing", {}, soon(), "could not").body == b"{}"
    thread.join()


def test_nobody_listens(make: Make) -> None:
    http = make(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(OdysseyConnectionError, match=r"could not.*\(Connection refused\); check"):
        http.request("GET", "http://127.0.0.1:1/", soon(), "could not")
    with pytest.raises(OdysseyConnectionError, match="could not authenticate: no connection"):
        http.get("/thing", soon(), "could not")


def test_a_name_that_does_not_exist(make: Make) -> None:
    with pytest.raises(OdysseyConnectionError, match="could not: no connection"):
        make("http://x").request("GET", "http://nowhere.invalid/", soon(), "could not")


def test_pauses_grow_with_jitter_and_heed_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "FIRST_PAUSE", 0.25)
    for attempt, longest in enumerate([0.25, 0.5, 1, 2, 4, 5, 5]):
        pauses = {_http.pause_before(attempt, None) for _ in range(20)}
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(pauses) > 1
    assert _http.pause_before(0, 3.0) == 3.0
    assert _http.pause_before(0, 1e300) < threading.TIMEOUT_MAX


# Retry-After.


def test_retry_after_is_waited_for(make: Make) -> None:
    replies = [Reply(status=503, headers={"Retry-After": "0.2"}), Reply()]
    times: list[float] = []

    def answer(request: Request) -> Reply | None:
        if request.path != "/thing":
            return None
        times.append(time.monotonic())
        return replies.pop(0)

    with TinyServer(answer) as server:
        make(server.url).get("/thing", soon(), "could not")
    assert times[1] - times[0] >= 0.19


@pytest.mark.timing
@pytest.mark.parametrize("date", [False, True])
def test_retry_after_beyond_the_deadline_is_not(make: Make, date: bool) -> None:
    value = email.utils.formatdate(time.time() + 3600, usegmt=True) if date else "3600"
    with TinyServer(always(Reply(status=503, headers={"Retry-After": value}))) as server:
        began = time.monotonic()
        with pytest.raises(OdysseyServerError, match="HTTP 503"):
            make(server.url).get("/thing", soon(5), "could not")
        assert len(server.asked("/thing")) == 1
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("offset", [0, 60])
def test_retry_after_as_a_date(offset: float) -> None:
    for value in (
        email.utils.formatdate(time.time() + offset, usegmt=True),
        email.utils.formatdate(time.time() + offset),
        time.asctime(time.gmtime(time.time() + offset)),
    ):
        asked = Answer(503, {"Retry-After": value}, b"").retry_after()
        assert asked is not None
        assert max(0, offset - 2) <= asked <= offset


@pytest.mark.parametrize(
    "value", ["", "soon", "inf", "nan", "Mon, 99 Foo", "Sun, 06 Nov 99999999999 08:49:37 GMT"]
)
def test_retry_after_that_says_nothing(value: str) -> None:
    assert Answer(503, {"Retry-After": value}, b"").retry_after() is None


def test_retry_after_in_the_past_is_now() -> None:
    assert Answer(503, {"Retry-After": "-5"}, b"").retry_after() == 0
