"""What a forked child does not inherit: the threads that run, and hold the locks."""

from __future__ import annotations

import os
import threading

from odyssey.errors import OdysseyError


class Home:
    """The process that something was made in."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """False in a forked child."""
        return os.getpid() == self._pid

    def require(self) -> None:
        """Raises `OdysseyError` in a forked child. Called before any lock is taken: a thread of the
        parent's, which does not run here, may have held it when the process forked.
        """
        if not self.is_here:
            raise self.refusal()

    def refusal(self) -> OdysseyError:
        """What a forked child is told."""
        return OdysseyError(
            f"this client belongs to process {self._pid} and can't be used in its forked child "
            f"{os.getpid()}: make a client of its own there"
        )


class ProcessLock:
    """A lock that is free in a forked child, whoever held it in the parent."""

    def __init__(self) -> None:
        self._locks = {os.getpid(): threading.Lock()}

    def __enter__(self) -> None:
        # `setdefault` is one step: of two threads that come first, both get the same lock.
        self._locks.setdefault(os.getpid(), threading.Lock()).acquire()

    def __exit__(self, *_: object) -> None:
        self._locks[os.getpid()].release()
