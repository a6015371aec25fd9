"""Telemetry: off unless asked for, and then nothing that is anybody's business."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from odyssey import Odyssey, OdysseyAuthError, OdysseyError
from odyssey._live import telemetry
from odyssey._logging import Secret
from odyssey._rest.client import HttpClient
from odyssey.emulator import Emulator, faults
from tests.support.helpers import wait_until
from tests.support.servers import Reply, Request, TinyServer

PROMPT = "a prompt that is nobody's business"


@pytest.fixture
def telling(emulator: Emulator) -> Iterator[Odyssey]:
    with Odyssey(
        emulator.api_key, api_url=emulator.url, timeout=10, enable_telemetry=True
    ) as client:
        yield client


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "odyssey-telemetry"]


def use(client: Odyssey) -> None:
    client.connect()
    with client.stream(PROMPT, broadcast=True) as stream:
        stream.interact(PROMPT + " 2")
        with pytest.raises(OdysseyError):
            client.start_stream(PROMPT + " 3")


def test_nothing_by_default(client: Odyssey, emulator: Emulator) -> None:
    use(client)
    assert threads() == []
    client.close()
    assert emulator.telemetry == []


def test_what_is_told(telling: Odyssey, emulator: Emulator) -> None:
    assert threads() == []
    use(telling)
    telling.close()
    events = emulator.telemetry
    assert [event["event"] for event in events] == [
        "connected",
        "stream_started",
        "error",
        "stream_ended",
    ]
    assert events[2]["call"] == "start"
    assert events[2]["error"] == "OdysseyStreamError"
    assert {key for event in events for key in event} == {
        *("event", "time", "seconds", "call", "error"),
        *("sdk", "python", "platform"),
    }
    assert threads() == []


def test_nothing_secret_is_told(telling: Odyssey, emulator: Emulator) -> None:
    use(telling)
    session_id = telling.current_session_id
    bearer, _ = telling._http._token or (Secret(""), 0)
    telling.close()
    told = json.dumps(emulator.telemetry)
    connection = emulator.connections[0]
    secrets = [PROMPT, emulator.api_key, bearer.reveal(), session_id, *connection.streams]
    assert all(secrets)
    assert not [secret for secret in secrets if secret and secret in told]
    assert emulator.api_key[4:10] not in told
    assert "http" not in told
    assert "127.0.0.1" not in told


def test_a_failed_connect_is_told(telling: Odyssey, emulator: Emulator) -> None:
    emulator.faults.inject(faults.SocketRefused(status=401), times=1)
    with pytest.raises(OdysseyAuthError):
        telling.connect()
    wait_until(lambda: emulator.telemetry)
    assert emulator.telemetry[0]["call"] == "connect"
    assert emulator.telemetry[0]["error"] == "OdysseyAuthError"


@pytest.mark.timing
@pytest.mark.parametrize(
    "fault",
    [
        faults.HttpStatus(path="/telemetry", status=500),
        faults.HttpStatus(path="/telemetry", status=401),
        faults.HttpStatus(path="/telemetry", status=404),
        faults.HttpDrop(path="/telemetry"),
        faults.HttpNotJson(path="/telemetry"),
        faults.HttpDelay(path="/telemetry", seconds=1),
    ],
)
def test_its_failure_is_nobodys(
    telling: Odyssey, emulator: Emulator, fault: faults.Fault, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults.inject(fault)
    use(telling)
    began = time.monotonic()
    telling.close()
    assert time.monotonic() - began < 1.5
    assert "telemetry" not in caplog.text
    wait_until(lambda: threads() == [])
    emulator.faults.clear()


def test_without_a_key_nothing_is_told(emulator: Emulator, client: Odyssey) -> None:
    credentials = client.create_client_credentials()
    with Odyssey(api_url=emulator.url, enable_telemetry=True) as keyless:
        keyless.connect_with_credentials(credentials)
        assert keyless.is_connected
        with pytest.raises(ValueError, match="API key"):
            keyless.create_client_credentials()
        wait_until(lambda: threads() == [])
    assert emulator.telemetry == []


def test_a_refused_key_is_not_tried_again_and_again() -> None:
    def answer(request: Request) -> Reply:
        return Reply({"detail": "no"}, 401)

    with TinyServer(answer) as server:
        told = telemetry.Telemetry(HttpClient(server.url, lambda: Secret("ody_key")), enabled=True)
        told.record("error", call="connect", error="OdysseyAuthError")
        wait_until(lambda: threads() == [])
        for _ in range(3):
            told.record("error", call="connect", error="OdysseyAuthError")
        told.finish()
        told.join()
        assert len(server.requests) == 1
        told._http.close()


def posting(answer: Callable[[Request], Reply | None]) -> tuple[TinyServer, telemetry.Telemetry]:
    server = TinyServer(answer)
    return server, telemetry.Telemetry(
        HttpClient(server.url, lambda: Secret("ody_key")), enabled=True
    )


@pytest.mark.timing
def test_recording_never_waits_and_the_line_is_bounded() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hold(request: Request) -> Reply | None:
        if request.path != "/telemetry":
            return None
        asked.set()
        go_on.wait(5)
        return Reply()

    server, told = posting(hold)
    with server:
        told.record("connected")
        assert asked.wait(5)
        began = time.monotonic()
        for _ in range(1000):
            told.record("connected")
        assert time.monotonic() - began < 0.5
        assert told._events.qsize() == telemetry.MOST_WAITING
        told.finish()
        go_on.set()
        wait_until(lambda: threads() == [])
        told.record("connected")
        sent = [len(r.json()["events"]) for r in server.asked("/telemetry")]  # type: ignore[index]
        assert sent == [1, telemetry.MOST_WAITING]
        told._http.close()


def test_one_that_was_never_used_ends_at_once() -> None:
    told = telemetry.Telemetry(
        HttpClient("http://localhost", lambda: Secret("ody_key")), enabled=True
    )
    told.finish()
    told.join()
    told.record("connected")
    assert threads() == []
