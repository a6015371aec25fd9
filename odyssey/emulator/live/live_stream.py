"""One stream while it runs: its clock, its scene, its recording."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import av

from odyssey.emulator.encoder import CLOCK_RATE, FRAME_RATE, FrameEncoder
from odyssey.emulator.faults import ResizeVideo, Target
from odyssey.emulator.live.messages import StartRequest
from odyssey.emulator.painting.scene import Scene
from odyssey.emulator.recordings.recorder import Recorder, RecordingSummary

__all__ = ["LiveStream"]


@attrs.define(eq=False)
class LiveStream:
    """A running stream. Times of the stream are seconds since its start.

    `interact` and `paint` are for the painter's thread, `finish` and `abandon` for one that may
    block, the rest for the emulator's loop. `on_packet` is called there with each packet painted.
    """

    id: str
    account: str
    width: int
    height: int
    _scene: Scene
    _recorder: Recorder
    on_packet: Callable[[av.Packet[Any]], None] | None = attrs.field(default=None, init=False)
    _started: float = attrs.field(factory=time.monotonic)
    _number: int = attrs.field(default=0, init=False)
    _slot: int = attrs.field(default=-1, init=False)

    @classmethod
    def begin(
        cls, request: StartRequest, *, id_: str, account: str, folder: Path, applied: str
    ) -> LiveStream:
        """Sets the scene and open the recording, for the painter's thread.

        Raises:
            ValueError: The picture can't be read.
        """
        width, height = request.size
        scene = Scene(applied, width, height, request.picture())
        recorder = Recorder(folder, width, height)
        recorder.event("start", 0.0, prompt=request.prompt, applied_prompt=applied)
        return cls(id_, account, width, height, scene, recorder)

    @property
    def target(self) -> Target:
        """The stream as a target of timed faults."""
        return Target(id=self.id, since=self._started)

    @property
    def age(self) -> float:
        return time.monotonic() - self._started

    @property
    def frames_painted(self) -> int:
        return self._number

    def next_slot(self) -> float:
        """Returns the time of the stream at which the next frame is due.

        Frames keep to a grid of 1/24 s; what should have been sent by now is skipped.
        """
        self._slot = max(self._slot + 1, math.floor(self.age * FRAME_RATE))
        return self._slot / FRAME_RATE

    def wait_for(self, at: float) -> float:
        """Returns the seconds from now to a time of the stream; never negative."""
        return max(0.0, self._started + at - time.monotonic())

    def clock_at(self, at: float, origin: float) -> int:
        """A time of the stream on the media clock that started at `origin` (monotonic seconds)."""
        return round((self._started + at - origin) * CLOCK_RATE)

    def paint(
        self, at: float, pts: int, encoder: FrameEncoder, *, key: bool, resized: ResizeVideo | None
    ) -> av.Packet[Any]:
        """Paints, encode and record the next frame."""
        sent = frame = self._scene.paint(self._number, at)
        if resized is not None:
            sides = sorted((resized.width, resized.height), reverse=self.width > self.height)
            sent = frame.reformat(width=sides[0], height=sides[1])
        packet = encoder.encode(sent, pts, key=key)
        self._recorder.add(frame, at)
        self._number += 1
        return packet

    def interact(self, prompt: str, applied: str) -> None:
        at = self.age
        self._scene.interact(applied, at)
        self._recorder.event("interact", at, prompt=prompt, applied_prompt=applied)

    def finish(self, at: float, reason: str | None) -> RecordingSummary:
        """Closes the recording of the stream that ended at `at`; blocks until it is written.

        A reason says that the stream did not end as its client wished.
        """
        self._recorder.event("error" if reason else "end", at, reason=reason)
        return self._recorder.finish(at)

    def abandon(self) -> None:
        """Gives the recording up. Blocks."""
        self._recorder.abort()
