"""Faults of a network, on loopback: resolvers that hang, addresses that swallow what they get."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import pytest

#: The most that a call may take beyond its time.
LATE = 0.5


@attrs.define(eq=False)
class Resolver:
    """Stands before the system's: names of `dead` hang, names of `hosts` have those addresses."""

    dead: set[str] = attrs.field(factory=set)
    hosts: dict[str, Sequence[str]] = attrs.field(factory=dict)
    asked: list[str] = attrs.field(factory=list)
    over: threading.Event = attrs.field(factory=threading.Event)

    def look_up(self, plain: Any, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        if name in self.dead:
            self.over.wait(8)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if name in self.hosts:
            found = [plain(address, port, *args, **kwargs) for address in self.hosts[name]]
            return [entry for several in found for entry in several]
        return plain(host, port, *args, **kwargs)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """Look-ups of this process go through it. Those that hang end with the test."""
    resolver = Resolver()
    plain = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: resolver.look_up(plain, *a, **k))
    yield resolver
    resolver.over.set()
    for thread in threading.enumerate():
        if thread.name in ("odyssey-lookup", "odyssey-resolver", "odyssey-request"):
            thread.join(10)


@contextlib.contextmanager
def black_holes(addresses: Sequence[str], port: int = 0) -> Iterator[int]:
    """Swallows what asks for a connection to these addresses of loopback; yields their port.

    Linux drops a SYN to a socket whose queue of connections is full.
    """
    with contextlib.ExitStack() as stack:
        for address in addresses:
            listening = stack.enter_context(socket.socket())
            listening.bind((address, port))
            listening.listen(0)
            port = listening.getsockname()[1]
            while True:
                filling = stack.enter_context(socket.socket())
                filling.settimeout(0.2)
                try:
                    filling.connect((address, port))
                except TimeoutError:
                    break
        yield port
