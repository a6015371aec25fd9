"""Looks names up within a deadline."""

from __future__ import annotations

import ipaddress
import socket
import threading
from concurrent.futures import Future

from odyssey._runtime.background import run_in_thread, wait_for
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.fork import ForkGuard


class _LookUps:
    """The look-ups under way: whoever asks for the same name meanwhile shares one.

    A look-up can't be called off, and a resolver that is dead may hold it for minutes: without this
    each call would leave a thread behind.
    """

    def __init__(self) -> None:
        self._fork_guard = ForkGuard(self._begin)
        self._begin()

    def _begin(self) -> None:
        # Re-entrant: a look-up that is over at once ends while the lock is held.
        self._lock = threading.RLock()
        self._under_way: dict[tuple[str, int], Future[list[str]]] = {}

    def addresses(self, host: str, port: int) -> Future[list[str]]:
        name = host, port
        with self._lock:
            outcome = self._under_way.get(name)
            if outcome is None:
                outcome = run_in_thread(lambda: _addresses(host, port), "odyssey-lookup")
                self._under_way[name] = outcome
                outcome.add_done_callback(lambda _: self._end(name))
        return outcome

    def _end(self, name: tuple[str, int]) -> None:
        with self._lock:
            self._under_way.pop(name, None)


_look_ups = _LookUps()


def look_up(host: str, port: int, deadline: Deadline) -> list[str]:
    """The addresses of a host, in the system's order.

    Raises:
        TimeoutError: it took too long; the look-up goes on in the background.
        OSError, UnicodeError: there is no such host, or it is no name.
    """
    bare = host.strip("[]")
    try:
        ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return wait_for(_look_ups.addresses(bare, port), deadline)
    return [bare]


def _addresses(host: str, port: int) -> list[str]:
    host.encode("idna")  # refuses empty labels, which some systems would look up for long
    family = socket.AF_UNSPEC if socket.has_ipv6 else socket.AF_INET
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return list(dict.fromkeys(_numeric(address) for *_, address in found))


def _numeric(address: tuple[object, ...]) -> str:
    """The host of a socket address, with the interface that a link-local one needs."""
    scope = f"%{address[3]}" if len(address) == 4 and address[3] else ""
    return f"{address[0]}{scope}" if "%" not in str(address[0]) else str(address[0])
