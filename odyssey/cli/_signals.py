"""SIGTERM, which ends commands in good order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def on_sigterm(action: Callable[[], object]) -> Iterator[None]:
    """Calls `action` when the process is asked to end, instead of ending it at once."""
    try:
        before = signal.signal(signal.SIGTERM, lambda _number, _frame: action())
    except ValueError:  # not in the main thread, which alone gets signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
