"""A connect that fails leaves no session behind that counts against the account's limit."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import attrs
import pytest

from odyssey import (
    AdvancedConfig,
    Odyssey,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyTimeoutError,
)
from odyssey._live import session_keeper
from odyssey._live.provisioning import Grant
from odyssey._runtime.deadline import Deadline
from odyssey.emulator import Emulator, faults
from tests.support.helpers import in_thread, wait_until

#: Faults that a connect fails of after its session was granted.
LATE_TOKEN = faults.HttpDelay(path="/sessions/token", seconds=1.5)
LATE_SESSION = faults.HttpDelay(path="/sessions/request", seconds=1.5)
LATE_CONFIG = faults.HttpDelay(path="*/config", seconds=1.5)
AFTER_THE_GRANT = [
    pytest.param(LATE_SESSION, marks=pytest.mark.slow),
    LATE_TOKEN,
    pytest.param(LATE_CONFIG, marks=pytest.mark.slow),
    faults.SocketRefused(status=503),
    pytest.param(faults.SocketDroppedBeforeOffer(code=None), marks=pytest.mark.slow),
    faults.SocketDroppedBeforeOffer(code=1011),
    faults.NoOffer(),
    pytest.param(faults.NoTrack(), marks=pytest.mark.slow),
    pytest.param(faults.NoChannel(), marks=pytest.mark.slow),
    faults.ErrorInsteadOfOffer(),
]


def one_session_only(emulator: Emulator) -> None:
    """A session that is left behind lets nobody connect any more."""
    emulator.limits = attrs.evolve(emulator.limits, concurrent_streams=1)


@pytest.mark.parametrize("fault", AFTER_THE_GRANT, ids=repr)
def test_the_next_connect_finds_the_account_free(emulator: Emulator, fault: faults.Fault) -> None:
    one_session_only(emulator)
    advanced = AdvancedConfig(max_retries=1, initial_retry_delay_ms=50)
    with Odyssey(emulator.api_key, api_url=emulator.url, advanced=advanced) as client:
        # Loaded before: else that takes the time of the first call.
        client.connect(timeout=15)
        client.disconnect()
        emulator.faults.inject(fault)
        with pytest.raises(OdysseyConnectionError):
            client.connect(timeout=0.8)
        for _ in range(2):
            wait_until(nothing_under_way)
            with contextlib.suppress(OdysseyConnectionError):  # a kept session is not asked for
                client.connect(timeout=0.8)
            client.disconnect()
        emulator.faults.clear()
        wait_until(nothing_under_way)
        assert client.connect(timeout=10).is_connected


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_session_that_is_not_let_in(emulator: Emulator, status: int) -> None:
    """It is let in with the next token, and what is said until then is why it is not."""
    one_session_only(emulator)
    emulator.faults.inject(faults.SocketRefused(status=status))
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        for _ in range(5):
            with pytest.raises(OdysseyError, match=f"HTTP {status}"):
                client.connect()
        emulator.faults.clear()
        assert client.connect().is_connected
        client.disconnect()
        assert client.connect().is_connected


@pytest.mark.parametrize("fault", [faults.SocketRefused(status=404), faults.ErrorInsteadOfOffer()])
def test_many_tries_leave_the_account_to_others(emulator: Emulator, fault: faults.Fault) -> None:
    emulator.limits = attrs.evolve(emulator.limits, concurrent_streams=3)
    emulator.faults.inject(fault)
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        for _ in range(5):
            with pytest.raises(OdysseyConnectionError):
                client.connect()
        emulator.faults.clear()
        with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as other:
            assert other.connect().is_connected
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        one_session_only(emulator)
        assert client.connect().is_connected  # closing has released them


def test_another_is_asked_for_where_one_is_refused_again(
    client: Odyssey, emulator: Emulator
) -> None:
    emulator.faults.inject(faults.SocketRefused(status=401), times=2)
    with pytest.raises(OdysseyAuthError):
        client.connect()
    assert client.connect().is_connected


@pytest.mark.parametrize("fault", [LATE_SESSION, LATE_TOKEN], ids=repr)
def test_tries_in_haste_take_one_session(
    client: Odyssey, emulator: Emulator, fault: faults.Fault
) -> None:
    """The next one waits for what the one before asked for, and asks for none of its own."""
    emulator.limits = attrs.evolve(emulator.limits, concurrent_streams=2)
    client.connect()
    client.disconnect()
    emulator.faults.inject(fault)
    for _ in range(5):
        with contextlib.suppress(OdysseyTimeoutError):  # what was asked for may come meanwhile
            client.connect(timeout=0.2)
        client.disconnect()
    emulator.faults.clear()
    wait_until(nothing_under_way)
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as other:
        assert other.connect().is_connected
        assert client.connect().is_connected


@pytest.mark.timing
def test_a_connect_whose_media_thread_is_stuck(client: Odyssey, emulator: Emulator) -> None:
    """Its time is kept all the same, and the next one gets the session."""
    one_session_only(emulator)
    client.connect()
    client.disconnect()
    emulator.faults.inject(faults.NoOffer(), times=1)
    connecting = in_thread(lambda: client.connect(timeout=1))
    wait_until(lambda: any(c.state == "connecting" for c in emulator.connections))
    released = threading.Event()
    media = client._live._loop
    assert media is not None
    media.post(released.wait, 10)
    began = time.monotonic()
    assert isinstance(connecting.exception(15), OdysseyTimeoutError)
    assert time.monotonic() - began < 1 + 2.5
    again = in_thread(client.connect)
    released.set()
    assert again.result(15) is client


def nothing_under_way() -> bool:
    """What the failed call began has ended."""
    names = ("odyssey-connecting", "odyssey-release")
    return not any(thread.name.startswith(names) for thread in threading.enumerate())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(LATE_SESSION, marks=pytest.mark.slow),
        pytest.param(LATE_TOKEN, marks=pytest.mark.slow),
        LATE_CONFIG,
        pytest.param(faults.SocketRefused(status=503), marks=pytest.mark.slow),
    ],
    ids=repr,
)
def test_closing_releases_what_was_kept(emulator: Emulator, fault: faults.Fault) -> None:
    """Also where each try is another client's."""
    one_session_only(emulator)
    for _ in range(3):
        emulator.faults.inject(fault)
        with Odyssey(emulator.api_key, api_url=emulator.url) as client:
            with pytest.raises(OdysseyConnectionError):
                client.connect(timeout=0.8)
            emulator.faults.clear()
        wait_until(nothing_under_way)
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        assert client.connect(timeout=10).is_connected


@pytest.mark.parametrize("fault", [LATE_SESSION, LATE_TOKEN, LATE_CONFIG], ids=repr)
def test_disconnecting_meanwhile(client: Odyssey, emulator: Emulator, fault: faults.Fault) -> None:
    one_session_only(emulator)
    emulator.faults.inject(fault, times=1)
    connecting = in_thread(client.connect)
    wait_until(lambda: not emulator.faults.active)
    client.disconnect()
    with pytest.raises(OdysseyConnectionError, match="disconnected while connecting"):
        connecting.result(5)
    wait_until(nothing_under_way)
    assert client.connect(timeout=10).is_connected


@pytest.mark.slow
def test_credentials_that_came_too_late(emulator: Emulator) -> None:
    one_session_only(emulator)
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=0.8) as client:
        for fault in (LATE_SESSION, LATE_TOKEN):
            emulator.faults.inject(fault, times=1)
            with pytest.raises(OdysseyTimeoutError):
                client.create_client_credentials()
            wait_until(nothing_under_way)
        credentials = client.create_client_credentials()
    with Odyssey(api_url=emulator.url) as other:
        assert other.connect_with_credentials(credentials).is_connected


@pytest.mark.parametrize("call", [Odyssey.connect, Odyssey.create_client_credentials])
def test_a_session_that_the_service_gave_up_is_replaced(
    client: Odyssey, emulator: Emulator, call: Callable[[Odyssey], object]
) -> None:
    emulator.faults.inject(LATE_CONFIG, times=1)
    with pytest.raises(OdysseyTimeoutError):
        client.connect(timeout=0.8)
    emulator.limits = attrs.evolve(emulator.limits, session_token_seconds=0.2)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.3)
    emulator.limits = attrs.evolve(emulator.limits, session_token_seconds=600)
    call(client)


def test_one_whose_time_is_over_is_not_used(client: Odyssey) -> None:
    keeper = session_keeper.SessionKeeper(client._http)
    young = Grant("young", "ws://127.0.0.1:1", None)
    keeper.keep(young)
    keeper.keep(Grant("old", "ws://127.0.0.1:1", None, Deadline.after(0)))
    assert keeper.take(Deadline.after(1)) is young
    assert keeper.take(Deadline.after(1)) is None
