"""What is still open when the program ends is closed then."""

from __future__ import annotations

import atexit
import threading
import weakref
from typing import Protocol

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
    threads = [threading.Thread(target=thing.close, daemon=True) for thing in list(_open)]
    for thread in threads:
        thread.start()
    deadline = Deadline.after(EXIT_TIMEOUT)
    for thread in threads:
        thread.join(deadline.remaining())
