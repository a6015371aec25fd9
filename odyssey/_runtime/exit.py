"""What is still open when the program ends, or when nobody holds it any more, is closed then."""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Protocol

from odyssey._runtime.background import run_in_thread
from odyssey._runtime.deadline import Deadline

#: Seconds that the end of the program may be held up.
EXIT_TIMEOUT = 3.0


class Closable(Protocol):
    def close(self) -> None: ...


_open: weakref.WeakSet[Closable] = weakref.WeakSet()


def close_at_exit(thing: Closable) -> None:
    """Has `thing` closed when the program ends, if it is still there; `close` is idempotent."""
    _open.add(thing)


def close_dropped(close: Callable[[], None], unclosed: str | None, source: object) -> None:
    """For a `__del__`. `unclosed`: what should have been closed, to be warned of."""
    if unclosed is not None:
        said = f"unclosed {unclosed}: use `with`, or close it"
        warnings.warn(said, ResourceWarning, stacklevel=3, source=source)
    # On a thread of its own: this may be the media thread, and closing takes its time.
    with contextlib.suppress(RuntimeError):  # the interpreter is on its way out
        threading.Thread(target=close, name="odyssey-close", daemon=True).start()


@atexit.register
def _close_all() -> None:
    """All at once, and bounded: the service is told, so that its sessions don't go on."""
    deadline = Deadline.after(EXIT_TIMEOUT)
    closing = [run_in_thread(thing.close, "odyssey-close") for thing in list(_open)]
    concurrent.futures.wait(closing, deadline.remaining())
