"""The blocking calls: what comes before each, how it is made, and how it is kept waiting."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import attrs

from odyssey import Odyssey
from odyssey.emulator import Emulator, faults
from odyssey.emulator.faults.stream_faults import Reply
from tests.matrix.conditions import CONDITIONS
from tests.matrix.terms import LIVE, STREAMING, Call, Row
from tests.support.helpers import in_thread

#: Seconds that what comes before a call may take.
SETUP_TIMEOUT = 15.0
#: Frames after which reading has shown that they come.
ENOUGH_FRAMES = 4

PROMPT = "A cat on a windowsill"
INTERACTIONS = ("It yawns", "It stretches")
SCRIPT = [
    {"timestamp_ms": 0, "start": {"prompt": PROMPT}},
    {"timestamp_ms": 200, "end": {}},
]


@attrs.define
class Stage:
    """An emulator and a client of it, with a recording and a simulation that are over."""

    emulator: Emulator
    client: Odyssey
    folder: Path
    recording: str
    simulation: str
    broadcasts: bool = False
    interactions: int = 2
    as_stream: bool = False
    callbacks: Mapping[str, Callable[..., None]] = attrs.field(factory=dict)
    _conditions: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack)

    def switch_on(self, row: Row) -> None:
        """Switches on the fault of the row, or makes its condition so."""
        if row.fault in CONDITIONS:
            self._conditions.enter_context(CONDITIONS[row.fault].make(self))
        else:
            self.emulator.faults.switch_on(row.fault, **row.params)

    def switch_off(self) -> None:
        """Makes everything right again."""
        self._conditions.close()
        self.emulator.faults.switch_off()

    def prepare(self, call: Call) -> None:
        """Brings the client to where the call can be made."""
        if call in LIVE:
            self.client.connect(timeout=SETUP_TIMEOUT, **self.callbacks)
        if call in STREAMING:
            self.client.start_stream(PROMPT, timeout=SETUP_TIMEOUT)

    def record(self) -> None:
        """Makes a recording of its own."""
        self.client.connect(timeout=SETUP_TIMEOUT)
        with self.client.stream(PROMPT, timeout=SETUP_TIMEOUT) as stream:
            stream.frames.take(3, timeout=SETUP_TIMEOUT)
        self.recording = stream.id

    def simulate(self) -> None:
        """Submits a simulation of its own."""
        self.simulation = self.client.simulations.submit(script=SCRIPT).job_id

    def make(self, call: Call, timeout: float, frames: int | None) -> None:
        """The call; `frames`: how many to read, None to read as long as they come."""
        client = self.client
        if call is Call.CONNECT:
            client.connect(timeout=timeout, **self.callbacks)
        elif call is Call.START and self.as_stream:
            with client.stream(PROMPT, timeout=timeout):
                pass
        elif call is Call.START:
            client.start_stream(PROMPT, broadcast=self.broadcasts, timeout=timeout)
        elif call is Call.INTERACT:
            self._interact(timeout)
        elif call is Call.END:
            client.end_stream(timeout=timeout)
        elif call is Call.GET:
            _read(lambda: client.frames.get(timeout=timeout), frames)
        elif call is Call.ITERATE:
            with contextlib.suppress(StopIteration):  # a clean end
                _read(iter(client.frames).__next__, frames)
        elif call is Call.DOWNLOAD:
            client.recordings.download(self.recording, self.folder / "video.mp4")
        elif call is Call.WAIT:
            client.recordings.wait(self.recording, timeout=timeout, interval=0.1)
        elif call is Call.SIMULATION:
            client.simulations.wait(self.simulation, timeout=timeout, interval=0.1)

    def _interact(self, timeout: float) -> None:
        """At once: each has to get its own answer, or the same error."""
        prompts = INTERACTIONS[: self.interactions]
        waiting = [in_thread(partial(self.client.interact, p, timeout=timeout)) for p in prompts]
        errors = [outcome.exception() for outcome in waiting]
        assert len({type(error) for error in errors}) == 1, f"of several at once: {errors}"
        if errors[0] is not None:
            raise errors[0]
        answers = [outcome.result() for outcome in waiting]
        assert answers == [*prompts], f"answered with {answers}"

    def hold(self, call: Call) -> Callable[[], bool]:
        """Keeps the call from being answered; what returns tells whether it waits."""
        emulator = self.emulator

        def withhold(reply: Reply) -> None:
            emulator.faults.inject(faults.WithholdReply(type=reply))

        if call is Call.START:
            withhold("stream_started")
            return lambda: emulator.connections[-1].stream_id is not None
        if call is Call.INTERACT:
            withhold("update_acknowledged")
            prompts = {*INTERACTIONS[: self.interactions]}
            return lambda: prompts <= {*emulator.connections[-1].prompts}
        if call is Call.END:
            withhold("stream_ended")
            return lambda: emulator.connections[-1].stream_id is None
        return lambda: self.client.frames.stats.delivered > 0


def _read(next_frame: Callable[[], object], frames: int | None) -> None:
    """`frames` of them, or, with None, until it fails."""
    count = 0
    while frames is None or count < frames:
        next_frame()
        count += 1


def make_library(folder: Path, api_key: str) -> tuple[str, str]:
    """A folder of an emulator with a recording and a completed simulation; their ids."""
    with (
        Emulator(folder, api_key=api_key) as emulator,
        Odyssey(api_key, api_url=emulator.url) as client,
    ):
        job = client.simulations.submit(script=SCRIPT)
        client.connect()
        with client.stream(PROMPT) as stream:
            stream.frames.take(12)
        client.recordings.wait(stream.id, interval=0.05)
        client.simulations.wait(job, interval=0.05)
    return stream.id, job.job_id
