"""What is still open when the program ends is closed then."""

from __future__ import annotations

import atexit
import concurrent.futures
import weakref
from typing import Protocol

from odyssey._background import in_background
from odyssey._deadline import Deadline

#: Seconds that the end of the program may be held up.
EXIT_TIMEOUT = 3.0


class Closable(Protocol):
    def close(self) -> None: ...


_open: weakref.WeakSet[Closable] = weakref.WeakSet()


def close_at_exit(thing: Closable) -> None:
    """Has `thing` closed when the program ends, if it is still there; `close` is idempotent."""
    _open.add(thing)


@atexit.register
def _close_all() -> None:
    """All at once, and bounded: the service is told, so that its sessions don't go on."""
    deadline = Deadline.after(EXIT_TIMEOUT)
    closing = [in_background(thing.close, "odyssey-close") for thing in list(_open)]
    concurrent.futures.wait(closing, deadline.remaining())
