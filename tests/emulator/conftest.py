"""Emulators that have to leave nothing behind, and tests that are coroutines."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from odyssey.emulator import Emulator
from tests.emulator.raw_client import Rest, wait_until

_PROCESS = psutil.Process()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function on a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def _descriptors() -> int:
    return int(getattr(_PROCESS, "num_handles" if psutil.WINDOWS else "num_fds")())


def _threads() -> list[str]:
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("odyssey-"))


def _sockets() -> set[tuple[Any, ...]]:
    return {(c.type, c.laddr) for c in _PROCESS.net_connections() if c.status != "TIME_WAIT"}


class Complaints(logging.Handler):
    """What the emulator and asyncio warn of: tasks that were left, jobs that were late."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.expected: list[str] = []
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        wanted = any(part in line for part in self.expected)
        (self.seen if wanted else self.lines).append(line)


@pytest.fixture(scope="session")
def cheap_collections() -> None:
    """Spares the collections below from going through all modules each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Warnings fail the test, but for those that contain a text in `expected`."""
    handler = Complaints()
    loggers = [logging.getLogger(name) for name in ("odyssey", "asyncio", "aiohttp")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler
    gc.collect()  # a task whose exception nobody saw says so when it is collected
    for logger in loggers:
        logger.removeHandler(handler)
    assert handler.lines == []


@pytest.fixture
def whole_end(
    cheap_collections: None,
    complaints: Complaints,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Checks that what the test started has ended whole."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = (_descriptors(), _sockets())
    assert _threads() == []
    yield
    assert _threads() == []

    def clean() -> bool:
        if _descriptors() <= before[0] and _sockets() <= before[1]:
            return True
        gc.collect()  # a cycle may still hold a socket of the test's own client
        return False

    wait_until(clean, 2)
    assert list(temporary.iterdir()) == []


@pytest.fixture
def make_emulator(whole_end: None) -> Iterator[Callable[..., Emulator]]:
    """Starts emulators, which are closed after the test."""
    emulators = []

    def make(*args: Any, **kwargs: Any) -> Emulator:
        emulator = Emulator(*args, **kwargs)
        emulators.append(emulator)
        emulator.start()
        return emulator

    yield make
    for emulator in emulators:
        emulator.close()


@pytest.fixture
def emulator(make_emulator: Callable[..., Emulator]) -> Emulator:
    """A running emulator with the usual options."""
    return make_emulator()


@pytest.fixture
def rest(emulator: Emulator) -> Iterator[Rest]:
    """A client of its REST side, logged in."""
    with Rest(emulator) as client:
        yield client
