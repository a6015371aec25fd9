"""What tests of every kind use."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import psutil
import pytest
import requests

T = TypeVar("T")

#: Threads that our own code and what it uses start. pytest-timeout's and the like are not ours.
OUR_THREADS = ("odyssey", "video-decoder", "audio-decoder", "ThreadPoolExecutor", "asyncio")


def wait_until(condition: Callable[[], T], seconds: float = 10.0, what: str = "") -> T:
    """The first true value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.01)


def in_thread(call: Callable[[], object]) -> Future[object]:
    """The call's outcome, made in a thread of its own."""
    outcome: Future[object] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as exc:
            outcome.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def our_threads() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith(OUR_THREADS)}


def open_sockets() -> set[tuple[int, str, object, object]]:
    """Sockets of this process; a closed TCP connection that lingers has no descriptor any more."""
    connections = psutil.Process().net_connections(kind="all")
    return {(c.fd, str(c.type), c.laddr, c.raddr) for c in connections if c.fd != -1}


def open_files() -> int:
    """File descriptors of this process."""
    return psutil.Process().num_fds() if hasattr(psutil.Process, "num_fds") else 0


def skip_unless_installed(*names: str) -> None:
    """Without importing them: some take seconds, and start threads."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")


class Reachable(Protocol):
    """An emulator, in this process or another."""

    @property
    def url(self) -> str: ...
    @property
    def api_key(self) -> str: ...


class FaultSwitch:
    """Switches an emulator's faults as another program would: over HTTP."""

    def __init__(self, emulator: Reachable) -> None:
        self._url = emulator.url + "/emulator/faults"
        self._key = emulator.api_key

    def on(self, name: str, **given: object) -> list[dict[str, Any]]:
        """Returns what is on then."""
        return self._done(self.send("PUT", f"/{name}", json=given))

    def off(self, name: str | None = None) -> list[dict[str, Any]]:
        return self._done(self.send("DELETE", "" if name is None else f"/{name}"))

    def listed(self) -> dict[str, Any]:
        return dict(self.send("GET", "").json())

    def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._key}", **(headers or {})}
        return requests.request(method, self._url + path, headers=headers, timeout=10, **more)

    def _done(self, answer: requests.Response) -> list[dict[str, Any]]:
        assert answer.ok, answer.text
        return list(answer.json()["on"])
