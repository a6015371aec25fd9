"""A call's time is the whole call's, whatever takes it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from odyssey import (
    AdvancedConfig,
    ClientCredentials,
    Odyssey,
    OdysseyConnectionError,
    OdysseyTimeoutError,
    Recording,
    connect_to_stream,
)
from odyssey.emulator import Emulator
from tests.support.helpers import wait_until
from tests.support.networks import LATE, Resolver, black_holes, resolver
from tests.support.servers import KEY, Make, Reply, TinyServer, always, make, raw_server, soon

pytestmark = pytest.mark.timing

__all__ = ["make", "resolver"]

TIME = 0.6
DEAD = "http://dead.test"
SCRIPT = [{"timestamp_ms": 0, "start": {"prompt": "A"}}, {"timestamp_ms": 1000, "end": {}}]


@contextlib.contextmanager
def timed_out(seconds: float = TIME) -> Iterator[None]:
    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError):
        yield
    took = time.monotonic() - began
    assert seconds - 0.1 < took < seconds + LATE


@pytest.fixture
def client(resolver: Resolver) -> Iterator[Odyssey]:
    """Its service's name can't be looked up: the resolver says nothing."""
    resolver.dead.add("dead.test")
    once = AdvancedConfig(max_retries=0)
    with pytest.warns(UserWarning, match="unencrypted"):
        client = Odyssey(KEY, api_url=DEAD, timeout=TIME, advanced=once)
    with client:
        yield client


def threads(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def to_the_end(client: Odyssey) -> object:
    return list(client.recordings.iterate())


def of_the_storage(client: Odyssey) -> object:
    recording = Recording("some-id", video_url=DEAD + "/video.mp4")
    return list(client.recordings.frames(recording))


CALLS: dict[str, Callable[[Odyssey], object]] = {
    "recordings.list": lambda client: client.recordings.list(),
    "recordings.get": lambda client: client.recordings.get("some-id"),
    "recordings.iterate": to_the_end,
    "recordings.wait": lambda client: client.recordings.wait("some-id", timeout=TIME),
    "recordings.frames": of_the_storage,
    "simulations.list": lambda client: client.simulations.list(),
    "simulations.get": lambda client: client.simulations.get("some-id"),
    "simulations.submit": lambda client: client.simulations.submit(script=SCRIPT),
    "simulations.cancel": lambda client: client.simulations.cancel("some-id"),
    "simulations.wait": lambda client: client.simulations.wait("some-id", timeout=TIME),
    "connect": lambda client: client.connect(),
    "create_client_credentials": lambda client: client.create_client_credentials(),
    "connect_to_stream": lambda _: connect_to_stream(DEAD + "/watch", "token", timeout=TIME),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_look_up_that_hangs(client: Odyssey, name: str) -> None:
    with timed_out():
        CALLS[name](client)


def test_a_look_up_of_the_storage_that_hangs(client: Odyssey, tmp_path: Path) -> None:
    recording = Recording("some-id", video_url=DEAD + "/video.mp4")
    with timed_out():
        client.recordings.download(recording, tmp_path / "video.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_look_up_of_the_signaling_server_that_hangs(
    emulator: Emulator, resolver: Resolver
) -> None:
    resolver.dead.add("dead.test")
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        credentials = client.create_client_credentials().to_dict()
        client.connect_with_credentials(ClientCredentials.from_dict(credentials))  # loads aiortc
        client.disconnect()
        credentials["signaling_url"] = "ws://dead.test"
        dead = ClientCredentials.from_dict(credentials)
        with timed_out(1):
            client.connect_with_credentials(dead, timeout=1)


@pytest.mark.slow
def test_calls_that_are_given_up_share_one_look_up(client: Odyssey, resolver: Resolver) -> None:
    """A hundred calls don't leave a hundred threads behind."""

    def give_up() -> None:
        for _ in range(5):
            with pytest.raises(OdysseyTimeoutError):
                client.recordings.get("some-id")

    callers = [threading.Thread(target=give_up) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    wait_until(lambda: threads("odyssey-request") == 0)
    assert threads("odyssey-lookup") == 1
    assert resolver.asked == ["dead.test"]
    resolver.over.set()
    wait_until(lambda: threads("odyssey-lookup") == 0)


def test_a_name_that_is_found_again(make: Make, resolver: Resolver) -> None:
    """What was looked up in vain is looked up anew."""
    with TinyServer(always(Reply({"a": 1}))) as server:
        port = server.url.rpartition(":")[2]
        http = make(f"http://service.test:{port}")
        resolver.dead.add("service.test")
        with pytest.raises(OdysseyTimeoutError):
            http.get("/thing", soon(0.1), "could not")
        resolver.over.set()
        wait_until(lambda: threads("odyssey-lookup") == 0)
        resolver.dead.clear()
        resolver.hosts["service.test"] = ["127.0.0.1"]
        assert http.get("/thing", soon(), "could not").json("the thing") == {"a": 1}


def test_a_name_that_is_unknown(make: Make, resolver: Resolver) -> None:
    resolver.dead.add("dead.test")
    resolver.over.set()
    with pytest.raises(OdysseyConnectionError, match="name resolution") as caught:
        make("http://dead.test").request("GET", DEAD, soon(), "could not")
    assert not isinstance(caught.value, OdysseyTimeoutError)


FOUR = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]


def test_addresses_that_swallow_everything(make: Make, resolver: Resolver) -> None:
    resolver.hosts["four.test"] = FOUR
    with black_holes(FOUR) as port, timed_out():
        url = f"http://four.test:{port}"
        make(url).request("GET", url, soon(TIME), "could not")


def test_a_redirect_to_what_swallows_everything(make: Make, resolver: Resolver) -> None:
    resolver.hosts["four.test"] = FOUR
    with black_holes(FOUR) as port:
        away = Reply(status=302, headers={"Location": f"http://four.test:{port}/"})
        with TinyServer(always(away)) as server, timed_out():
            make(server.url).open_file(server.url + "/thing", soon(TIME), "could not", {})


@pytest.mark.slow
def test_the_last_address_gets_its_share(make: Make, resolver: Resolver) -> None:
    with TinyServer(always(Reply({"a": 1}))) as server:
        port = int(server.url.rpartition(":")[2])
        resolver.hosts["four.test"] = [*FOUR[1:], "127.0.0.1"]
        with black_holes(FOUR[1:], port):
            url = f"http://four.test:{port}/thing"
            assert make(url).request("GET", url, soon(2), "could not").status == 200


def silent(connection: socket.socket) -> None:
    """Reads, and says nothing, until the other side has gone."""
    while connection.recv(65536):
        pass


def dribble(connection: socket.socket) -> None:
    """Begins a TLS record that does not end."""
    connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
    with contextlib.suppress(OSError):
        while not select_closed(connection):
            connection.sendall(b"\x03")


def select_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.02)
    try:
        return connection.recv(65536) == b""
    except TimeoutError:
        return False


@pytest.mark.parametrize("serve", [silent, dribble])
def test_tls_that_hangs(make: Make, serve: Callable[[socket.socket], Any]) -> None:
    with raw_server(serve) as address:  # which waits for the connection's end
        url = address.replace("http:", "https:")
        with timed_out():
            make(url).request("GET", url, soon(TIME), "could not")


@pytest.mark.parametrize("url", ["http://service.test", "https://service.test"])
def test_a_proxy_that_hangs(make: Make, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with raw_server(silent) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with timed_out():
            make(url).request("GET", url, soon(TIME), "could not")


def test_a_proxy_whose_name_hangs(
    make: Make, monkeypatch: pytest.MonkeyPatch, resolver: Resolver
) -> None:
    resolver.dead.add("dead.test")
    monkeypatch.setenv("HTTPS_PROXY", DEAD + ":3128")
    with timed_out():
        make("http://x").request("GET", "https://service.test", soon(TIME), "could not")
