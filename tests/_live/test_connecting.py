"""Connecting: what ready means, what is tried again, what is cleaned up."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from odyssey import (
    AdvancedConfig,
    ClientCredentials,
    ConcurrentLimitReachedError,
    ConnectionStatus,
    MonthlyLimitReachedError,
    Odyssey,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyServerError,
    OdysseyTimeoutError,
)
from odyssey._rtc import signaling
from odyssey.emulator import Emulator, Limits, faults
from tests.support.helpers import in_thread, wait_until

pytestmark = pytest.mark.live

QUICK = AdvancedConfig(initial_retry_delay_ms=10, max_retry_delay_ms=20)
NO_RETRY = AdvancedConfig(max_retries=0)


def make(emulator: Emulator, **more: object) -> Odyssey:
    options: dict[str, object] = {"api_url": emulator.url, "timeout": 15, "advanced": QUICK}
    return Odyssey(emulator.api_key, **{**options, **more})  # type: ignore[arg-type]


def goodbyes(emulator: Emulator) -> list[bool]:
    return [c.client_disconnecting for c in emulator.connections]


def test_connect_returns_the_client_when_it_is_ready(client: Odyssey) -> None:
    assert client.current_status is ConnectionStatus.DISCONNECTED
    assert not client.is_connected
    assert client.current_session_id is None
    assert client.connect() is client
    assert client.is_connected
    assert client.current_status == "connected"
    assert client.current_session_id
    assert client.capabilities.image_to_video


def test_connecting_again_returns_at_once(connected: Odyssey) -> None:
    session = connected.current_session_id
    assert connected.connect() is connected
    assert connected.current_session_id == session


def test_disconnect_says_goodbye_and_one_may_connect_again(
    emulator: Emulator, connected: Odyssey
) -> None:
    first = connected.current_session_id
    connected.disconnect()
    connected.disconnect()
    assert connected.current_status is ConnectionStatus.DISCONNECTED
    assert connected.current_session_id is None
    wait_until(lambda: goodbyes(emulator) == [True])
    connected.connect()
    assert connected.current_session_id not in (None, first)


def test_making_a_client_starts_nothing() -> None:
    before = threading.active_count()
    client = Odyssey("ody_" + "k" * 20, api_url="http://127.0.0.1:9")
    assert threading.active_count() == before
    client.close()


def test_without_a_key_the_call_says_how_to_give_one(emulator: Emulator) -> None:
    with Odyssey(api_url=emulator.url) as client:
        for call in (client.connect, client.list_stream_recordings):
            with pytest.raises(ValueError, match="ODYSSEY_API_KEY"):
                call()


def test_a_wrong_key(emulator: Emulator) -> None:
    statuses: list[ConnectionStatus] = []
    with Odyssey("ody_" + "w" * 24, api_url=emulator.url) as client:
        with pytest.raises(OdysseyAuthError) as caught:
            client.connect(on_status_change=lambda status, _: statuses.append(status))
        assert caught.value.status == 401
        assert client.current_status is ConnectionStatus.FAILED
    assert statuses == ["authenticating", "failed"]


def test_the_key_and_address_of_the_environment(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODYSSEY_API_KEY", emulator.api_key)
    monkeypatch.setenv("ODYSSEY_API_URL", emulator.url)
    with Odyssey("") as client:
        assert client.connect().is_connected


@pytest.mark.parametrize("trickle", [False, True])
@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_offers_of_both_kinds(trickle: bool, codec: str) -> None:
    with (
        Emulator(trickle=trickle, codec=codec) as emulator,  # type: ignore[arg-type]
        make(emulator) as client,
    ):
        client.connect()
        with client.stream("A lighthouse", portrait=False) as stream:
            assert stream.frames.get().data.shape == (704, 1280, 3)


def test_the_status_goes_its_way(client: Odyssey) -> None:
    statuses: list[str] = []
    ended = threading.Event()
    client.connect(
        on_status_change=lambda status, message: statuses.append(status.value),
        on_connected=lambda: statuses.append("on_connected"),
        on_disconnected=ended.set,
    )
    client.disconnect()
    assert ended.wait(5)
    assert statuses == [
        "authenticating",
        "connecting",
        "connected",
        "on_connected",
        "disconnected",
    ]


# What is tried again.


def test_fault_socket_refused_twice(emulator: Emulator) -> None:
    statuses: list[str] = []
    emulator.faults.inject(faults.SocketRefused(), times=2)
    with make(emulator) as client:
        client.connect(on_status_change=lambda status, _: statuses.append(status.value))
        assert client.is_connected
    assert statuses[:5] == [
        "authenticating",
        "connecting",
        "reconnecting",
        "reconnecting",
        "connected",
    ]


@pytest.mark.parametrize("code", [None, 1000, 1011])
def test_fault_socket_dropped_before_the_offer(emulator: Emulator, code: int | None) -> None:
    emulator.faults.inject(faults.SocketDroppedBeforeOffer(code=code), times=3)
    with make(emulator) as client:
        assert client.connect().is_connected


def test_fault_socket_refused_always(emulator: Emulator) -> None:
    emulator.faults.inject(faults.SocketRefused())
    disconnected = threading.Event()
    fatal: list[bool] = []
    with make(emulator, advanced=AdvancedConfig(2, 10, 10)) as client:
        with pytest.raises(OdysseyConnectionError, match="503"):
            client.connect(
                on_disconnected=disconnected.set, on_error=lambda exc, f: fatal.append(f)
            )
        assert client.current_status is ConnectionStatus.FAILED
        assert len(emulator.connections) <= 3
        emulator.faults.clear()
        assert client.connect().is_connected
    assert fatal == [True]
    assert not disconnected.is_set()


def test_fault_handshake_refused_for_good(emulator: Emulator) -> None:
    emulator.faults.inject(faults.SocketRefused(status=401), times=1)
    with make(emulator) as client, pytest.raises(OdysseyAuthError):
        client.connect()


def test_fault_error_instead_of_offer(emulator: Emulator) -> None:
    emulator.faults.inject(faults.ErrorInsteadOfOffer(reason="streamer_not_available"), times=1)
    with make(emulator) as client:
        with pytest.raises(OdysseyConnectionError, match="streamer_not_available") as caught:
            client.connect()
        assert caught.value.reason == "streamer_not_available"
        assert client.connect().is_connected


# A timeout names what was missing.


@pytest.mark.parametrize(
    ("fault", "missing"),
    [
        (faults.NoOffer(), "the service's offer"),
        (faults.NoTrack(), "the video track"),
        (faults.NoChannel(label="clientToStreamer"), "the data channel clientToStreamer"),
        (faults.NoChannel(label="streamerToClient"), "the data channel streamerToClient"),
    ],
)
def test_fault_something_never_comes(emulator: Emulator, fault: faults.Fault, missing: str) -> None:
    emulator.faults.inject(fault, times=1)
    with make(emulator) as client:
        with pytest.raises(OdysseyTimeoutError, match=missing):
            client.connect(timeout=1.5)
        assert client.current_status is ConnectionStatus.FAILED
        wait_until(lambda: goodbyes(emulator) == [True], what="the failed try says goodbye")
        assert client.connect().is_connected


def test_fault_junk_on_socket_and_channel(emulator: Emulator) -> None:
    emulator.faults.inject(faults.Junk())
    with make(emulator) as client:
        client.connect()
        with client.stream("A cat") as stream:
            assert stream.interact("It yawns") == "It yawns"
            emulator.faults.send_junk()
            assert stream.frames.get()


# The queue, limits, ICE servers.


def test_the_queue_is_waited_for() -> None:
    with Emulator(limits=Limits(queue_length=2)) as emulator, make(emulator) as client:
        assert client.connect().is_connected


def test_the_queue_timeout(emulator: Emulator) -> None:
    emulator.faults.inject(faults.QueueBusy())
    with make(emulator, queue_timeout=0.2) as client:
        with pytest.raises(OdysseyTimeoutError, match="queue_timeout"):
            client.connect()
    with make(emulator, timeout=0.3) as client:
        with pytest.raises(OdysseyTimeoutError, match="streamer"):
            client.connect()


def test_disconnecting_ends_another_threads_connecting(emulator: Emulator) -> None:
    emulator.faults.inject(faults.QueueBusy())
    with make(emulator) as client:
        connecting = in_thread(client.connect)
        wait_until(lambda: client.current_status is ConnectionStatus.AUTHENTICATING)
        client.disconnect()
        assert isinstance(connecting.exception(5), OdysseyConnectionError)
        emulator.faults.clear()
        assert client.connect().is_connected


def test_disconnecting_ends_another_threads_signaling(emulator: Emulator) -> None:
    emulator.faults.inject(faults.NoOffer())
    with make(emulator) as client:
        connecting = in_thread(client.connect)
        wait_until(lambda: client.current_status is ConnectionStatus.CONNECTING)
        client.disconnect()
        assert isinstance(connecting.exception(5), OdysseyConnectionError)
        assert client.current_status is ConnectionStatus.DISCONNECTED
        emulator.faults.clear()
        assert client.connect().is_connected


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("MONTHLY_LIMIT_REACHED", MonthlyLimitReachedError),
        ("CONCURRENT_LIMIT_REACHED", ConcurrentLimitReachedError),
        ("CONCURRENT_LIMIT_EXCEEDED", ConcurrentLimitReachedError),
    ],
)
def test_fault_usage_error(emulator: Emulator, code: str, cls: type[OdysseyError]) -> None:
    emulator.faults.inject(faults.UsageError(code=code), times=1)
    with make(emulator) as client, pytest.raises(cls):
        client.connect()


def test_the_concurrent_limit_frees_a_place_at_once() -> None:
    with Emulator(limits=Limits(concurrent_streams=1)) as emulator:
        with make(emulator) as first, make(emulator) as second:
            first.connect()
            with pytest.raises(ConcurrentLimitReachedError) as caught:
                second.connect()
            assert caught.value.details["limit"] == 1
            first.disconnect()
            assert second.connect().is_connected


def test_fault_failing_config(emulator: Emulator) -> None:
    emulator.faults.inject(faults.HttpStatus(path="*/config", status=500))
    with make(emulator) as client:
        assert client.connect().is_connected


@pytest.mark.timing
def test_fault_odd_ice_servers(emulator: Emulator) -> None:
    servers: list[dict[str, object]] = [
        {"url": "stun:127.0.0.1:9"},
        {"urls": ["nonsense:", "turn:"]},
    ]
    emulator.faults.inject(faults.IceServers(servers=servers))
    with make(emulator) as client:
        began = time.monotonic()
        assert client.connect().is_connected
        # aioice alone would wait 5 s for the silent server.
        assert time.monotonic() - began < 4.5


def test_fault_session_request_fails(emulator: Emulator) -> None:
    emulator.faults.inject(faults.HttpStatus(path="/sessions/request", status=500), times=1)
    with make(emulator) as client:
        with pytest.raises(OdysseyServerError) as caught:
            client.connect()
        assert caught.value.status == 500
        assert client.connect().is_connected


# Around it.


def test_inside_a_running_asyncio_loop(emulator: Emulator) -> None:
    async def cell() -> int:
        with make(emulator) as client:
            client.connect()
            with client.stream("A cat") as stream:
                return len(stream.frames.take(3))

    assert asyncio.run(cell()) == 3


def test_threads_that_connect_at_once_share_one_connection(emulator: Emulator) -> None:
    with make(emulator) as client:
        threads = [threading.Thread(target=client.connect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)
        assert client.is_connected
    assert len(emulator.connections) == 1


def test_credentials_connect_without_a_key(emulator: Emulator) -> None:
    with make(emulator) as server:
        credentials = server.create_client_credentials()
    copy = ClientCredentials.from_dict(credentials.to_dict())
    with Odyssey(api_url="http://127.0.0.1:9", timeout=15) as client:
        client.connect_with_credentials(copy)
        assert client.current_session_id == credentials.session_id
        assert client.start_stream("A cat")


def test_wrong_arguments_are_refused_before_anything_is_sent(client: Odyssey) -> None:
    with pytest.raises(TypeError, match="on_connected"):
        client.connect(on_connected="print")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="from_dict"):
        client.connect_with_credentials({"session_id": "x"})  # type: ignore[arg-type]
    for timeout in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            client.connect(timeout=timeout)
    assert client.current_status is ConnectionStatus.DISCONNECTED


def test_keepalives_are_sent(
    client: Odyssey, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signaling.KEEPALIVE_INTERVAL == 10.0
    monkeypatch.setattr(signaling, "KEEPALIVE_INTERVAL", 0.05)
    client.connect()
    wait_until(lambda: emulator.connections[0].keepalives >= 3, what="three keepalives")
