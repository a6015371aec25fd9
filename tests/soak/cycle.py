"""One cycle: a stream under a fault, then one without, which has to be as if nothing had been."""

from __future__ import annotations

import collections
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from odyssey import (
    BroadcastInfo,
    FrameQueue,
    Odyssey,
    OdysseyError,
    connect_to_stream,
)
from odyssey.emulator import read_frame_number
from odyssey.emulator.faults import CATALOGUE
from tests.support.helpers import FaultSwitch
from tests.support.services import EmulatorProcess

T = TypeVar("T")

#: Seconds that the client's calls may take, and by how much they may miss it on a busy machine.
TIMEOUT = 4.0
LATE = 3.0

#: All but those of simulations, which need no connection.
FAULTS = [name for name in CATALOGUE if not name.startswith("simulation")]


class SoakError(Exception):
    """What must not happen, did."""


class Cycles:
    """Goes through cycles with one client, or now and then a new one; counts what it sees."""

    def __init__(self, service: EmulatorProcess, random: random.Random, folder: Path) -> None:
        self.errors: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()
        self.frames = 0
        self.slowest: dict[str, float] = {}
        self._service, self._random, self._folder = service, random, folder
        self._faults = FaultSwitch(service)
        self._client = self._new_client()

    def close(self) -> None:
        self._client.close()

    def run(self, seconds: float) -> str:
        """One cycle of about so many seconds; the fault's name.

        Raises:
            SoakError: a call took too long or raised what it must not, or the client did not work
                once the fault was over.
        """
        until = time.monotonic() + seconds
        name = self._random.choice(FAULTS)
        self.faults[name] += 1
        try:
            self._break(name)
            self._faults.off()
            self._client.disconnect()
            if self._random.random() < 0.3:
                self._client.close()
                self._client = self._new_client()
            self._work(until)
            self._client.disconnect()
            self._client.frames.clear()  # up to 43 MB that nobody read
        except SoakError as exc:
            raise SoakError(f"{name}: {exc}") from exc.__cause__
        finally:
            self._faults.off()
        return name

    def _new_client(self) -> Odyssey:
        return Odyssey(self._service.api_key, api_url=self._service.url, timeout=TIMEOUT)

    def _break(self, name: str) -> None:
        """All that a program might call, under the fault: it returns or fails, but in time."""
        client, early = self._client, self._random.random() < 0.5
        if early:
            self._faults.on(name)
        self._try("connect", client.connect)
        stream_id = self._try("start_stream", lambda: client.start_stream("A harbour"))
        if not early:
            self._faults.on(name)
        for prompt in ("Rain sets in", "The sun comes out"):
            self._try("frames", lambda: self._read(client.frames, 30))
            self._try("interact", lambda p=prompt: client.interact(p))  # type: ignore[misc]
        self._try("end_stream", client.end_stream)
        if stream_id is not None and self._random.random() < 0.4:
            self._fetch(stream_id)

    def _fetch(self, stream_id: str) -> None:
        recordings, target = self._client.recordings, self._folder / "video.mp4"
        self._try("wait", lambda: recordings.wait(stream_id, timeout=TIMEOUT, interval=0.2))
        self._try("download", lambda: recordings.download(stream_id, target), 5 * TIMEOUT)
        target.unlink(missing_ok=True)

    def _work(self, until: float) -> None:
        """Everything works, and each picture is the one after the last."""
        client = self._client
        announced: collections.deque[BroadcastInfo] = collections.deque()
        self._must("connect", lambda: client.connect(on_broadcast_ready=announced.append))
        with_spectator = self._random.random() < 0.3
        stream_id = self._must(
            "start_stream", lambda: client.start_stream("A meadow", broadcast=with_spectator)
        )
        self._must("interact", lambda: client.interact("A meadow at night"))
        last = -1
        while time.monotonic() < until or last < 0:
            frame = self._must("frames", client.frames.get)
            number = read_frame_number(frame.data)
            if number is None or number <= last:
                raise SoakError(f"frame {number} after {last} (index {frame.index})")
            last = number
            self.frames += 1
        if announced:
            self._must("spectator", lambda: self._watch(announced[0]))
        self._must("end_stream", client.end_stream)
        recording = self._must("wait", lambda: client.recordings.wait(stream_id, timeout=10), 10)
        if self._random.random() < 0.3:
            frames = client.recordings.frames(recording, step=12)
            self._must("recordings.frames", lambda: [frame.data for frame in frames], 10)
            self._must("list", lambda: client.recordings.list(limit=10))

    def _watch(self, info: BroadcastInfo) -> None:
        with connect_to_stream(info.webrtc_url, info.spectator_token, timeout=TIMEOUT) as watching:
            watching.frames.take(12)

    def _read(self, frames: FrameQueue, count: int) -> None:
        for _ in range(count):
            frames.get().data.mean()
            self.frames += 1

    def _try(self, what: str, call: Callable[[], T], bound: float = TIMEOUT) -> T | None:
        try:
            return self._timed(what, call, bound)
        except OdysseyError as exc:
            self.errors[type(exc).__name__] += 1
            return None

    def _must(self, what: str, call: Callable[[], T], bound: float = TIMEOUT) -> T:
        try:
            return self._timed(what, call, bound)
        except OdysseyError as exc:
            raise SoakError(f"without a fault, {what} failed: {exc}") from exc

    def _timed(self, what: str, call: Callable[[], T], bound: float) -> T:
        began = time.monotonic()
        try:
            return call()
        except (OdysseyError, SoakError):
            raise
        except Exception as exc:
            raise SoakError(f"{what} raised {type(exc).__name__}: {exc}") from exc
        finally:
            took = time.monotonic() - began
            self.slowest[what] = max(self.slowest.get(what, 0.0), took)
            if took > bound + LATE:
                raise SoakError(f"{what} took {took:.1f} s, with {bound:.0f} s allowed")
