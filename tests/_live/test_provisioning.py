from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from odyssey import (
    MonthlyLimitReachedError,
    Odyssey,
    OdysseyConnectionError,
    OdysseyServerError,
    OdysseyTimeoutError,
    StreamerCapabilities,
)
from odyssey._live import provisioning as _sessions
from odyssey._live.provisioning import (
    IceServer,
    as_http,
    as_websocket,
    ice_servers,
    region_latencies,
    request_credentials,
)
from odyssey.emulator import Emulator, Limits, faults
from tests.models.test_models import session_token
from tests.support.certificates import self_signed
from tests.support.helpers import wait_until
from tests.support.servers import (
    Make,
    Reply,
    Request,
    TinyServer,
    free_port,
    make,
    raw_server,
    short_pauses,
    soon,
)

pytestmark = pytest.mark.live

__all__ = ["make", "short_pauses"]

SESSION = {"session_id": "session-1", "signalling_url": "wss://s.example", "capabilities": {}}


class Service(TinyServer):
    """The calls that connecting makes, each answered as told."""

    def __init__(self, **replies: Reply | Callable[[], Reply | None]) -> None:
        self.replies: dict[str, Reply | Callable[[], Reply | None]] = {
            "/regions": Reply({"regions": []}),
            "/sessions/request": Reply(SESSION),
            "/sessions/token": Reply({"session_token": session_token(), "expires_in": 600}),
        }
        self.replies.update(
            {"/" + name.replace("__", "/"): reply for name, reply in replies.items()}
        )
        super().__init__(self.choose)

    def choose(self, request: Request) -> Reply | None:
        reply = self.replies.get(request.path)
        return reply() if callable(reply) else reply

    def regions(self, *ping_urls: object) -> None:
        entries = [{"id": f"region-{n}", "ping_url": url} for n, url in enumerate(ping_urls)]
        self.replies["/regions"] = Reply({"regions": entries})


def hanging(over: threading.Event) -> Reply | None:
    over.wait(10)
    return None


def no_threads_left() -> bool:
    return not any(t.name == "odyssey-ping" for t in threading.enumerate())


# Regions.


def test_latencies_are_measured_and_sent(make: Make) -> None:
    with Service(near=Reply(b"pong"), near__too=Reply(b"pong")) as service:
        service.regions(service.url + "/near", service.url + "/near/too")
        request_credentials(make(service.url), soon(), 5, time.sleep)
        (request,) = service.asked("/sessions/request")
        (ping,) = service.asked("/near")
    sent = request.json()
    assert isinstance(sent, dict)
    assert set(sent) == {"region_latencies"}
    assert set(sent["region_latencies"]) == {"region-0", "region-1"}
    assert all(type(ms) is int and 1 <= ms < 1000 for ms in sent["region_latencies"].values())
    assert "Authorization" not in ping.headers


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"regions": []}),
        Reply({}),
        Reply([]),
        Reply(b"<html>"),
        Reply({"regions": "none"}),
        Reply({"regions": [5]}),
        Reply({"regions": [{"id": "a"}]}),
        Reply({"regions": [{"id": 1, "ping_url": "http://x"}]}),
        Reply(status=401),
        Reply(status=404),
        Reply(status=429),
        Reply(status=503, headers={"Retry-After": "60"}),
        lambda: None,
    ],
)
def test_without_regions_the_field_is_omitted(
    make: Make, reply: Reply | Callable[[], Reply | None]
) -> None:
    with Service(regions=reply) as service:
        credentials = request_credentials(make(service.url), soon(), 5, time.sleep)
        (request,) = service.asked("/sessions/request")
    assert request.json() == {}
    assert credentials.session_id == "session-1"


@pytest.mark.timing
def test_regions_are_measured_side_by_side_within_a_second(make: Make) -> None:
    """Twelve that hang take no longer than one; the good one counts."""
    over = threading.Event()
    with Service(good=Reply(b"pong"), bad=Reply(status=500), hang=lambda: hanging(over)) as service:
        urls = [service.url + "/hang"] * 12
        urls += [service.url + "/bad", f"https://127.0.0.1:{free_port()}", "ftp://x", "http://["]
        service.regions(service.url + "/good", *urls, "")
        http = make(service.url)
        http.bearer(soon())
        began = time.monotonic()
        latencies = region_latencies(http, soon())
        assert time.monotonic() - began < 2
        assert set(latencies) == {"region-0"}
        assert service.asked("/hang")
        over.set()
        wait_until(no_threads_left)


@pytest.mark.timing
def test_a_regions_call_that_hangs_costs_a_second_at_most(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.HttpDelay(path="/regions", seconds=5), times=1)
    http = make(emulator.url, emulator.api_key)
    http.bearer(soon())
    began = time.monotonic()
    assert region_latencies(http, soon()) == {}
    assert time.monotonic() - began < 3


@pytest.mark.timing
def test_regions_take_no_longer_than_the_call(make: Make) -> None:
    over = threading.Event()
    with Service(hang=lambda: hanging(over)) as service:
        service.regions(service.url + "/hang")
        http = make(service.url)
        http.bearer(soon())
        began = time.monotonic()
        assert region_latencies(http, soon(0.1)) == {}
        assert time.monotonic() - began < 0.9
        assert service.asked("/hang")
        over.set()
        wait_until(no_threads_left)


def test_no_more_regions_than_threads_for_them(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sessions, "MOST_REGIONS", 3)
    with Service(good=Reply()) as service:
        service.regions(*[service.url + "/good"] * 9)
        assert len(region_latencies(make(service.url), soon())) == 3
        wait_until(no_threads_left)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{other}/",
        "http://localhost:{own}/",
        "http://127.0.0.1:{other}\\@127.0.0.1:{own}/",
        "http://127.0.0.1:{own}@127.0.0.1:{other}/",
        "//127.0.0.1:{other}/",
        "http://127.0.0.1:{own}/moved",
    ],
)
def test_no_ping_goes_to_addresses_inside_this_network(make: Make, url: str) -> None:
    """Nor by a redirect: how long it took would tell the service what there is."""
    with TinyServer(lambda _: Reply()) as inside:
        moved = Reply(status=307, headers={"Location": inside.url})
        with Service(moved=moved) as service:
            ports = {"own": service.url.split(":")[2], "other": inside.url.split(":")[2]}
            service.regions(url.format(**ports))
            assert region_latencies(make(service.url), soon()) == {}
            wait_until(no_threads_left)
            assert len(service.requests) == (3 if "moved" in url else 2)
        assert inside.requests == []


def test_regions_are_pinged_by_https(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with Service() as service, TinyServer(lambda _: Reply(), pem) as region:
        service.regions(region.url)
        assert set(region_latencies(make(service.url), soon())) == {"region-0"}
        wait_until(no_threads_left)


def test_a_refused_key_is_told_not_taken_for_a_missing_region(make: Make) -> None:
    with Service(auth__token=Reply({"detail": "no"}, 403)) as service:
        with pytest.raises(ValueError, match="could not authenticate"):
            region_latencies(make(service.url), soon())


# The queue.


def test_the_queue_is_asked_again_until_a_streamer_is_free(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    with Emulator(limits=Limits(queue_length=3)) as emulator:
        http = make(emulator.url, emulator.api_key)
        credentials = request_credentials(http, soon(), 30, waited.append)
    assert waited == [1.0, 1.0, 1.0]
    assert credentials.capabilities == StreamerCapabilities(image_to_video=True)


@pytest.mark.timing
def test_the_queue_timeout(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.QueueBusy())
    http = make(emulator.url, emulator.api_key)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(min(seconds, 0.25))

    with pytest.raises(OdysseyTimeoutError, match=r"within the queue timeout.*queue_timeout"):
        request_credentials(http, soon(20), 0.2, wait)
    assert len(waited) == 1  # asked once more at the very end
    assert 0 < waited[0] <= 0.2


def test_a_queue_timeout_of_zero_asks_once(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.QueueBusy())
    waited: list[float] = []
    with pytest.raises(OdysseyTimeoutError, match="queue timeout"):
        request_credentials(make(emulator.url, emulator.api_key), soon(), 0, waited.append)
    assert waited == []


def test_the_calls_own_time_ends_the_queue_too(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.QueueBusy())
    http = make(emulator.url, emulator.api_key)
    for queue_timeout in (60, None):
        with pytest.raises(OdysseyTimeoutError, match=r"within the call's time.*longer timeout"):
            request_credentials(http, soon(0.25), queue_timeout, time.sleep)


def test_waiting_in_the_queue_can_be_stopped(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.QueueBusy())

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        request_credentials(make(emulator.url, emulator.api_key), soon(), 5, stop)


def test_a_limit_of_the_account(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.UsageError(code="MONTHLY_LIMIT_REACHED"))
    with pytest.raises(MonthlyLimitReachedError, match="could not get a session"):
        request_credentials(make(emulator.url, emulator.api_key), soon(), 5, time.sleep)


@pytest.mark.parametrize("status", [502, 504])
def test_a_session_is_not_asked_for_twice(make: Make, status: int) -> None:
    with Service(sessions__request=Reply(status=status)) as service:
        with pytest.raises(OdysseyServerError, match=f"HTTP {status}"):
            request_credentials(make(service.url), soon(), 5, time.sleep)
        assert len(service.asked("/sessions/request")) == 1


# Session and token.


def test_the_sessions_token_is_asked_for_and_given_on(make: Make) -> None:
    with Service() as service:
        credentials = request_credentials(make(service.url), soon(), 5, time.sleep)
        (asked,) = service.asked("/sessions/token")
    assert asked.json() == {"session_id": "session-1"}
    assert credentials.signaling_url == "wss://s.example"
    assert credentials.session_token == session_token()
    assert credentials.expires_in == 600


def test_a_session_token_is_tried_for_again(emulator: Emulator, make: Make) -> None:
    emulator.faults.inject(faults.HttpStatus(path="/sessions/token", status=503), times=2)
    http = make(emulator.url, emulator.api_key)
    assert request_credentials(http, soon(), 5, time.sleep).expires_in == 600


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sessions__request": Reply({})}, "'session_id' is missing"),
        ({"sessions__request": Reply({"session_id": "s"})}, "'signalling_url' is missing"),
        ({"sessions__request": Reply({**SESSION, "signalling_url": ""})}, "signaling_url"),
        ({"sessions__request": Reply(b"<html>")}, "the session is not JSON"),
        ({"sessions__token": Reply({})}, "'session_token' is missing"),
        ({"sessions__token": Reply({"session_token": "x"})}, "session_token must be a JWT"),
        ({"sessions__token": Reply([])}, "the session token"),
        (
            {"sessions__token": Reply({"session_token": session_token(), "expires_in": "x"})},
            "'expires_in' should be a number",
        ),
    ],
)
def test_a_session_that_is_none(make: Make, changed: dict[str, Reply], said: str) -> None:
    with Service(**changed) as service, pytest.raises(OdysseyServerError, match=said):
        request_credentials(make(service.url), soon(), 5, time.sleep)


def test_credentials_for_another_program(emulator: Emulator) -> None:
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        one, two = client.create_client_credentials(), client.create_client_credentials()
    assert one.session_id != two.session_id
    assert one.session_token not in repr(one)


# ICE servers.


def servers_of(make: Make, entries: object) -> list[IceServer]:
    with Service(config=Reply({"iceServers": entries})) as service:
        found = ice_servers(make("http://x"), service.url + "/", soon())
        (request,) = service.asked("/config")
    assert "Authorization" not in request.headers
    return found


def test_ice_servers_of_every_shape(make: Make) -> None:
    entries = [
        {"urls": ["stun:a", "stun:b"]},
        {"urls": "stun:c"},
        {"url": "stun:d"},
        {"urls": None, "url": ["stun:e"]},
        {"urls": "turn:f", "username": "me", "credential": "s3cret", "more": 1},
    ]
    found = servers_of(make, entries)
    assert found == [
        IceServer(("stun:a", "stun:b")),
        IceServer(("stun:c",)),
        IceServer(("stun:d",)),
        IceServer(("stun:e",)),
        IceServer(("turn:f",), "me", "s3cret"),
    ]
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    "broken", [5, {}, {"urls": 5}, {"urls": [5]}, {"urls": "stun:x", "username": 5}, None]
)
def test_a_broken_ice_server_does_not_cost_the_others(make: Make, broken: object) -> None:
    good = {"urls": "stun:a"}
    assert servers_of(make, [good, broken, good]) == [IceServer(("stun:a",))] * 2


@pytest.mark.parametrize("entries", [None, [], "stun:a", {"urls": "stun:a"}])
def test_no_ice_servers(make: Make, entries: object) -> None:
    assert servers_of(make, entries) == []


def test_the_emulators_ice_servers(emulator: Emulator, make: Make) -> None:
    fault = faults.IceServers(servers=[{"urls": ["turn:t"], "username": "u", "credential": "c"}])
    emulator.faults.inject(fault)
    http = make(emulator.url, emulator.api_key)
    credentials = request_credentials(http, soon(), 5, time.sleep)
    base = as_http(as_websocket(credentials.signaling_url))
    assert ice_servers(http, base, soon()) == [IceServer(("turn:t",), "u", "c")]


@pytest.mark.parametrize(
    "reply", [Reply(status=404), Reply(status=503), Reply(b"<html>"), Reply([]), lambda: None]
)
def test_going_on_without_ice_servers(
    make: Make, reply: Reply | Callable[[], Reply | None], caplog: pytest.LogCaptureFixture
) -> None:
    with Service(config=reply) as service:
        assert ice_servers(make("http://x"), service.url, soon()) == []
    assert "going on without ICE servers" in caplog.text


@pytest.mark.timing
def test_an_ice_configuration_that_hangs(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sessions, "CONFIG_DEADLINE", 0.2)
    over = threading.Event()
    with raw_server(lambda _: over.wait(10)) as silent:
        began = time.monotonic()
        assert ice_servers(make("http://x"), silent, soon()) == []
        assert time.monotonic() - began < 3
        over.set()


# Signaling addresses.


@pytest.mark.parametrize(
    ("url", "socket", "http"),
    [
        ("ws://h:1/a", "ws://h:1/a", "http://h:1/a"),
        ("https://h/a/", "wss://h/a", "https://h/a"),
        (" http://h?x=1#y ", "ws://h", "http://h"),
        ("WSS://h", "wss://h", "https://h"),
    ],
)
def test_signaling_addresses(url: str, socket: str, http: str) -> None:
    assert as_websocket(url) == socket
    assert as_http(url) == as_http(socket) == http


@pytest.mark.parametrize(
    "url",
    [
        *("", "h", "ftp://h", "ws://", "ws://[", "//h/a?token=s3cret"),
        *("ws://u:s3cret@h", "http://s3cret@h/", "ws://h\\@x"),
    ],
)
def test_signaling_addresses_that_are_none(url: str) -> None:
    with pytest.raises(OdysseyConnectionError, match="signaling address") as caught:
        as_websocket(url)
    assert "s3cret" not in str(caught.value)
