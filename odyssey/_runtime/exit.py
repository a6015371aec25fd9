"""What is still open when the program ends, or when nobody holds it any more, is closed then."""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import threading
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from odyssey._runtime.deadline import Deadline

#: Seconds that the end of the program may be held up.
EXIT_TIMEOUT = 3.0


class Closable(Protocol):
    def begin_closing(self) -> Future[None] | None:
        """Begins what takes long of `close`, on a thread that it has, and does not wait."""

    def close(self) -> None: ...


_open: weakref.WeakSet[Closable] = weakref.WeakSet()


def close_at_exit(thing: Closable) -> None:
    """Has `thing` closed when the program ends, if it is still there; `close` is idempotent."""
    _open.add(thing)
    # Last in, first out: closed before what it talks to, which may be an emulator of this program.
    atexit.unregister(_close_all)
    atexit.register(_close_all)


def close_dropped(close: Callable[[], None], unclosed: str | None, source: object) -> None:
    """Closes what nothing refers to any more; for a `__del__`.

    Args:
        unclosed: What should have been closed, to be warned of; None where nothing should.
    """
    # On a thread of its own: this may be the media thread, and closing takes its time.
    with contextlib.suppress(RuntimeError):  # the interpreter is on its way out
        threading.Thread(target=close, name="odyssey-close", daemon=True).start()
    if unclosed is not None:
        # Last: where warnings are errors, this raises.
        said = f"unclosed {unclosed}: use `with`, or close it"
        warnings.warn(said, ResourceWarning, stacklevel=3, source=source)


def _close_all() -> None:
    """Closes all, bounded: the service is told, so that its sessions don't go on.

    Side by side, but on no new threads: by now Python 3.12 and newer start none.
    """
    deadline = Deadline.after(EXIT_TIMEOUT)
    things = list(_open)
    begun = [thing.begin_closing() for thing in things]
    concurrent.futures.wait([each for each in begun if each is not None], deadline.remaining())
    for thing in things:
        if not deadline.passed():
            thing.close()
