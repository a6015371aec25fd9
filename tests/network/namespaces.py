"""Network namespaces without a name: a thread enters one, and the kernel removes it with its last
user, so that nothing stays behind however a program ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from types import TracebackType

_CLONE_NEWNET = 0x40000000
_OF_THIS_THREAD = "/proc/thread-self/ns/net"


class Namespace:
    """A network of its own, with a loopback and nothing else. `with` frees it."""

    def __init__(self) -> None:
        with _staying_here():
            _call("unshare", _CLONE_NEWNET)
            self._fd = os.open(_OF_THIS_THREAD, os.O_RDONLY)
        self.ip("link set lo up")

    def __enter__(self) -> Namespace:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread opens or starts meanwhile is in there; other threads stay outside."""
        with _staying_here():
            _call("setns", self._fd, _CLONE_NEWNET)
            yield

    def ip(self, command: str) -> None:
        """Runs iproute2 in there."""
        with self.entered():
            done = subprocess.run(
                ["ip", *command.split()], capture_output=True, text=True, timeout=10, check=False
            )
        assert done.returncode == 0, f"ip {command}: {done.stderr}"


@contextlib.contextmanager
def _staying_here() -> Iterator[None]:
    before = os.open(_OF_THIS_THREAD, os.O_RDONLY)
    try:
        yield
    finally:
        _call("setns", before, _CLONE_NEWNET)
        os.close(before)


def _call(name: str, *arguments: int) -> None:
    """Of the C library: `os` has these from Python 3.12 on."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
