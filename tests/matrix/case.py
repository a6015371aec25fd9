"""One case: a fault, a call, the verdict on it, and what is left afterwards. Runs in a process of
its own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import faulthandler
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

import attrs

from odyssey import AdvancedConfig, Odyssey
from odyssey.emulator import Emulator
from tests.matrix.calls import ENOUGH_FRAMES, PROMPT, SETUP_TIMEOUT, Stage, make_library
from tests.matrix.table import ROWS, row_of
from tests.matrix.terms import (
    LIVE,
    LONG_TIMEOUT,
    RETURN_BOUND,
    STREAMING,
    Call,
    Needs,
    Outcome,
    Row,
    Strikes,
)
from tests.support.helpers import in_thread, open_sockets, our_threads, wait_until

T = TypeVar("T")

API_KEY = "ody_0123456789abcdefmatrix"
#: Seconds that `close` may take, and that all threads and sockets have to be gone after it.
CLOSE_BOUND = 3.0
GONE_BOUND = 5.0
#: On a busy machine the emulator may yet be writing a recording.
RECORDER_BOUND = 15.0
#: Seconds beyond its bound after which a call counts as hanging.
PATIENCE = 3.0

#: Connecting is tried again at once.
QUICK = AdvancedConfig(initial_retry_delay_ms=10, max_retry_delay_ms=20)
PATIENT = attrs.evolve(QUICK, frame_timeout_s=LONG_TIMEOUT)

UNAFFECTED = Outcome(None, RETURN_BOUND)


@attrs.frozen
class Library:
    """A folder that `make_library` made; each case works on a copy."""

    folder: Path
    recording: str
    simulation: str

    @classmethod
    def make(cls, folder: Path) -> Library:
        return cls(folder, *make_library(folder, API_KEY))


@attrs.frozen
class Concerned:
    """A fault, by the name of its row, and a call that it concerns."""

    row: str
    call: Call

    def __str__(self) -> str:
        return f"{self.row} x {self.call.value}"

    def run(self, library: Library, folder: Path, stacks: TextIO) -> float:
        """Seconds that the call took. AssertionError when something isn't as it must be; the stacks
        of a call that hangs go to `stacks`.
        """
        row = row_of(self.row)
        outcome = row.outcomes[self.call]
        with _stage(library, folder, outcome) as stage:
            return _concerned(stage, row, self.call, outcome, stacks)


@attrs.frozen
class Unconcerned:
    """All faults of a group, by its title, and the calls that they don't concern."""

    group: str

    def __str__(self) -> str:
        return f"{self.group} x other calls"

    def run(self, library: Library, folder: Path, stacks: TextIO) -> float:
        """As `Concerned.run`, of the longest call."""
        rows = [row for row in ROWS if row.group.title == self.group]
        with _stage(library, folder, UNAFFECTED) as stage:
            return _unconcerned(stage, rows, stacks)


Case = Concerned | Unconcerned


@contextlib.contextmanager
def _stage(library: Library, folder: Path, outcome: Outcome) -> Iterator[Stage]:
    """With a client made for the outcome. Fails if closing takes too long, or leaves anything."""
    threads, sockets = our_threads(), open_sockets()
    shutil.copytree(library.folder, folder / "data")
    with Emulator(folder / "data", api_key=API_KEY) as emulator:
        client = Odyssey(
            API_KEY,
            api_url=emulator.url,
            timeout=outcome.timeout,
            advanced=QUICK if outcome.by_silence else PATIENT,
        )
        stage = Stage(emulator, client, folder, library.recording, library.simulation)
        try:
            yield stage
        finally:
            stage.switch_off()
            _close(client)
        # Before the emulator's end, which would free what waits for it.
        _none_left("threads of the client", lambda: _of_client(our_threads()))
        _none_left("connections of the emulator", lambda: _not_closed(emulator), RECORDER_BOUND)
    _none_left("threads", lambda: our_threads() - threads, RECORDER_BOUND)
    _none_left("sockets", lambda: open_sockets() - sockets)


def _none_left(what: str, left: Callable[[], set[T]], within: float = GONE_BOUND) -> None:
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not left(), within)
    assert not left(), f"{what} are left: {left()}"


#: Threads that belong to the emulator.
EMULATORS = ("emulator", "files", "store", "painter", "recorder", "simulations")


def _of_client(threads: set[str]) -> set[str]:
    return {t for t in threads if not t.startswith(tuple(f"odyssey-{e}" for e in EMULATORS))}


def _not_closed(emulator: Emulator) -> set[str]:
    return {c.session_id for c in emulator.connections if c.state != "closed"}


def _close(client: Odyssey) -> None:
    media = client._live._loop
    began = time.monotonic()
    client.close()
    took = time.monotonic() - began
    assert took < CLOSE_BOUND, f"close() took {took:.1f} s"
    if media is not None:
        wait_until(media._loop.is_closed, GONE_BOUND, "the client's loop closed")
        tasks = asyncio.all_tasks(media._loop)
        assert not tasks, f"tasks are left on the client's loop: {tasks}"


def _concerned(stage: Stage, row: Row, call: Call, outcome: Outcome, stacks: TextIO) -> float:
    """The fault meets the call; then everything is right again, and one can connect again."""
    stage.interactions, stage.as_stream = row.interactions, row.as_stream
    _set_up(stage, row, call)
    if call is Call.CONNECT:
        # One that fails leaves no session behind, or the next would find the account locked out.
        stage.emulator.limits.concurrent_streams = 1
    if row.group.strikes is Strikes.BEFORE:
        if row.group.needs is not Needs.CALLBACKS:
            stage.switch_on(row)
        took = _judge(stage, call, outcome, stacks)
    else:
        waits = stage.hold(call)
        took = _judge(stage, call, outcome, stacks, waits, lambda: stage.switch_on(row))
    if call in LIVE:
        up = not outcome.ends_connection
        wait_until(lambda: stage.client.is_connected is up, 2, f"is_connected is {up}")
    stage.switch_off()
    stage.client.connect(timeout=SETUP_TIMEOUT)
    assert stage.client.is_connected, "can't connect again"
    if row.as_stream:
        _start_again(stage)
    return took


def _start_again(stage: Stage) -> None:
    """A start that was answered too late is ended, and so in nobody's way."""

    def is_over() -> bool:
        connection = stage.emulator.connections[-1]
        return bool(connection.streams) and connection.stream_id is None

    wait_until(is_over, what="the stream's end")
    stage.client.start_stream(PROMPT, timeout=SETUP_TIMEOUT)


def _set_up(stage: Stage, row: Row, call: Call) -> None:
    """What the call needs, and what the fault needs to meet it."""
    needs = row.group.needs
    stage.broadcasts = needs is Needs.BROADCAST
    if needs is Needs.TOKEN:
        stage.client.recordings.list(limit=1)
    elif needs is Needs.RECORDING:
        stage.switch_on(row)
        stage.record()
    elif needs is Needs.CALLBACKS:
        stage.switch_on(row)
    elif needs is Needs.SIMULATION:
        stage.switch_on(row)
        stage.simulate()
    stage.prepare(call)


def _unconcerned(stage: Stage, rows: Sequence[Row], stacks: TextIO) -> float:
    """The other calls with all these faults on, in the order of a program; the longest one's
    seconds. What they need of the calls that the faults concern is done with the faults off.
    """
    others = rows[0].group.other_calls
    longest = 0.0
    for call in Call:
        if call in others:
            for row in rows:
                stage.switch_on(row)
            longest = max(longest, _judge(stage, call, UNAFFECTED, stacks))
            stage.switch_off()
        elif call is Call.CONNECT or (call is Call.START and {*others} & {*STREAMING}):
            stage.make(call, SETUP_TIMEOUT, ENOUGH_FRAMES)
    return longest


def _judge(
    stage: Stage,
    call: Call,
    outcome: Outcome,
    stacks: TextIO,
    waits: Callable[[], bool] = lambda: True,
    strike: Callable[[], None] = lambda: None,
) -> float:
    """Makes the call, and strikes when it waits; seconds from then on. AssertionError if the call
    does something else than its outcome.
    """
    frames = ENOUGH_FRAMES if outcome.error is None else None
    called = time.monotonic()
    made = in_thread(lambda: stage.make(call, outcome.timeout, frames))
    wait_until(lambda: waits() or made.done(), what=f"{call.value} waits")
    began = time.monotonic()
    strike()
    try:
        error = made.exception(outcome.within + PATIENCE)
    except concurrent.futures.TimeoutError:
        faulthandler.dump_traceback(stacks, all_threads=True)
        raise AssertionError(f"{call.value} has not returned after {outcome.within:g} s") from None
    took = time.monotonic() - began
    wanted = "its return" if outcome.error is None else outcome.error.__name__
    if (None if error is None else type(error)) is not outcome.error:
        raise AssertionError(f"{call.value}: {error!r} instead of {wanted}") from error
    assert took <= outcome.within, f"{call.value} took {took:.1f} s, at most {outcome.within:g}"
    if outcome.at_deadline:
        waited = time.monotonic() - called
        assert waited > outcome.timeout / 2, f"{call.value} gave up after {waited:.1f} s already"
    return took
