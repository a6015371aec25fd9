"""An emulator, a client, and the check that each test leaves nothing behind."""

from __future__ import annotations

import gc
import queue
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from odyssey import BroadcastInfo, Odyssey
from tests.support.helpers import open_sockets, our_threads, wait_until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from odyssey.emulator import Emulator


def pytest_configure() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and so would all programs that
    tests start and interrupt.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses the emulator is live, whether it says so or not."""
    for item in items:
        if "emulator" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.live)


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that leaves a thread or a socket of ours behind."""
    monkeypatch.delenv("ODYSSEY_API_KEY", raising=False)
    monkeypatch.delenv("ODYSSEY_API_URL", raising=False)
    threads, sockets = our_threads(), open_sockets()
    yield

    def clean() -> bool:
        if our_threads() <= threads and open_sockets() <= sockets:
            return True
        gc.collect()  # a cycle may still hold a connection of `requests`
        return False

    try:
        wait_until(clean, 15)
    except AssertionError:
        left = our_threads() - threads, open_sockets() - sockets
        raise AssertionError(f"left behind: {left}") from None


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """The service, on this machine."""
    from odyssey.emulator import Emulator

    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Odyssey]:
    """A client of it, not connected."""
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        yield client


@pytest.fixture
def connected(client: Odyssey) -> Odyssey:
    """The same, connected."""
    return client.connect()


@pytest.fixture
def on_air(client: Odyssey) -> BroadcastInfo:
    """A stream that is broadcast, by `client`."""
    announced: queue.Queue[BroadcastInfo] = queue.Queue()
    client.connect(on_broadcast_ready=announced.put)
    client.start_stream("A cat", broadcast=True)
    return announced.get(timeout=5)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests; each of them loads its own page."""
    from tests.support.chromium import start_chromium

    driver = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()
