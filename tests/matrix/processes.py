"""Runs cases, each in a process of its own that ends when its time is over, whatever it does."""

from __future__ import annotations

import faulthandler
import multiprocessing
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TextIO, TypeVar, cast

T = TypeVar("T")

#: Seconds after which a process is ended, and its stacks are shown.
HARD_LIMIT = 60.0
#: Seconds on top, for a process that can't even do that.
KILL_AFTER = 5.0

STACKS = "stacks.txt"

# A server that has loaded everything forks the processes, which saves each its imports; Windows has
# no such thing, and starts each anew.
if sys.platform == "win32":
    _context = multiprocessing.get_context("spawn")
else:
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(
        ["pytest", "odyssey._rtc.connection", "odyssey.emulator.server", "tests.matrix.case"]
    )


class Failure(Exception):  # noqa: N818 - what went wrong in another process, as text
    pass


def in_process(work: Callable[[Path, TextIO], T], limit: float = HARD_LIMIT) -> T:
    """What `work(folder, stacks)` returns, called in a new process. `work` can be pickled; `folder`
    is its own, and empty; what it writes to the file `stacks` is shown if it fails.

    Raises:
        Failure: it raised, died, or was ended after `limit` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="odyssey-matrix-") as name:
        folder = Path(name)
        receiving, sending = _context.Pipe(duplex=False)
        process = _context.Process(target=_run, args=(work, folder, limit, sending), daemon=True)
        with receiving:
            with sending:
                process.start()
            try:
                value, error = _answer(receiving, limit)
            finally:
                process.join(KILL_AFTER)
                process.kill()
                process.join()
                process.close()
        if error is not None:
            raise Failure(f"{error}\n{(folder / STACKS).read_text()}".rstrip())
    return cast(T, value)


def _answer(receiving: Connection, limit: float) -> tuple[object, str | None]:
    """What the work returned, or what went wrong."""
    if not receiving.poll(limit + KILL_AFTER):
        return None, f"not even ended by itself after {limit:g} s"
    try:
        value, error = receiving.recv()
    except EOFError:
        return None, f"its process ended without a result; its time was {limit:g} s"
    return value, error


def _run(
    work: Callable[[Path, TextIO], T], folder: Path, limit: float, sending: Connection
) -> None:
    """In the process."""
    with (folder / STACKS).open("w") as stacks:
        faulthandler.dump_traceback_later(limit, exit=True, file=stacks)
        own = folder / "own"
        own.mkdir()
        try:
            answer: tuple[T | None, str | None] = work(own, stacks), None
        except BaseException:
            answer = None, traceback.format_exc()
        stacks.flush()
        faulthandler.cancel_dump_traceback_later()
        sending.send(answer)
