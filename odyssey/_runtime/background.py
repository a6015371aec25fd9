"""Work that can't be called off, on threads that hold neither Ctrl-C nor the program's end up."""

from __future__ import annotations

import concurrent.futures
import contextvars
import importlib
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from odyssey._runtime.deadline import WAIT_SLICE, Deadline

T = TypeVar("T")


def run_in_thread(work: Callable[[], T], name: str) -> Future[T]:
    """What `work` returns, run on a daemon thread of that name.

    Python 3.12 starts no thread any more while the program ends: then it runs here.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # can't be cancelled: it goes on, whoever waits
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcome.set_result(context.run(work))
        except BaseException as exc:
            outcome.set_exception(exc)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:
        run()
    return outcome


def load(module: str, deadline: Deadline | None = None) -> None:
    """Imports a module, for an `import` that follows. Ctrl-C in the middle of an import leaves it
    half done, and numpy can't be loaded twice: only a new process would help.

    Raises:
        TimeoutError: It is not loaded at the deadline; that goes on.
    """
    if module not in sys.modules:
        wait_for(run_in_thread(lambda: importlib.import_module(module), "odyssey-import"), deadline)


def wait_for(outcome: Future[T], deadline: Deadline | None = None) -> T:
    """Waits for it, in slices between which Ctrl-C is seen on every system.

    Raises:
        TimeoutError: it is not there at the deadline; the work goes on.
    """
    deadline = deadline or Deadline.after(None)
    while not outcome.done():
        if deadline.passed():
            raise TimeoutError("timed out")
        concurrent.futures.wait([outcome], deadline.within(WAIT_SLICE))
    return outcome.result()
