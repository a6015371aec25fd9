"""Rendering a script to the files of a recording, as fast as the machine can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import attrs

from odyssey.emulator.encoder import FRAME_RATE
from odyssey.emulator.live.messages import picture_of
from odyssey.emulator.painting.scene import Scene
from odyssey.emulator.recordings.recorder import Recorder, RecordingSummary
from odyssey.emulator.simulations.script import Script

__all__ = ["Rendering", "RenderingStopped"]


class RenderingStopped(Exception):  # noqa: N818 - nothing went wrong
    """It was told to stop."""


@attrs.frozen(eq=False, kw_only=True)
class Rendering:
    """One script and where its video goes.

    Attributes:
        applied: How a prompt is applied.
        stop: Set, it ends the rendering within a frame.
    """

    script: Script
    size: tuple[int, int]
    folder: Path
    applied: Callable[[str], str]
    stop: threading.Event

    def run(self) -> RecordingSummary:
        """Blocks until the files are complete. Leaves none when it raises.

        Raises:
            RenderingStopped: `stop` was set.
            Exception: What painting and encoding fail with.
        """
        recorder = Recorder(self.folder, *self.size)
        try:
            self._play(recorder)
            return recorder.finish(self.script.end_ms / 1000)
        except BaseException:
            recorder.abort()
            raise

    def _play(self, recorder: Recorder) -> None:
        script = self.script
        picture = None if script.image is None else picture_of(script.image)
        first = self.applied(script.prompt)
        scene = Scene(first, *self.size, picture)
        recorder.event("start", 0.0, prompt=script.prompt, applied_prompt=first)
        cues = list(script.cues)
        # A frame is shown from its time on, so the last one begins before the end.
        count = -(-script.end_ms * FRAME_RATE // 1000)
        for number in range(count + 1):
            while cues and (number == count or cues[0].timestamp_ms * FRAME_RATE <= number * 1000):
                self._interact(scene, recorder, *attrs.astuple(cues.pop(0)))
            if number < count:
                if self.stop.is_set():
                    raise RenderingStopped
                at = number / FRAME_RATE
                recorder.add(scene.paint(number, at), at)
        recorder.event("end", script.end_ms / 1000)

    def _interact(self, scene: Scene, recorder: Recorder, timestamp_ms: int, prompt: str) -> None:
        at, applied = timestamp_ms / 1000, self.applied(prompt)
        scene.interact(applied, at)
        recorder.event("interact", at, prompt=prompt, applied_prompt=applied)
