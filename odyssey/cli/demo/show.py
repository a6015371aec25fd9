"""The demo's stream: frames are read and counted, prompts sent while they come."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

import attrs
import numpy.typing as npt

from odyssey.cli._counting import RATE_FRAMES, rate_of
from odyssey.cli._output import Screen
from odyssey.cli.demo.contact_sheet import Tile

if TYPE_CHECKING:
    from odyssey import Stream, VideoFrame

NumberReader = Callable[[npt.NDArray[Any]], int | None]

_TILES, _MOST_TILES = 6, 12


@attrs.define(eq=False)
class Tally:
    """The received frames, counted.

    Attributes:
        read_number: Reads the number that the emulator paints into its frames; None elsewhere.
        ages_ms: For each frame, from decoded to its RGB array being in this program's hands.
        arrivals: When each frame was decoded, in `time.monotonic()` seconds.
        numbered: The numbers painted into the frames, with their arrivals.
    """

    read_number: NumberReader | None
    ages_ms: list[float] = attrs.field(factory=list)
    arrivals: list[float] = attrs.field(factory=list)
    numbered: list[tuple[int, float]] = attrs.field(factory=list)
    size: tuple[int, int] = (0, 0)

    def add(self, frame: VideoFrame) -> float:
        """Counts a frame; returns its time in seconds since the first one."""
        data = frame.data
        self.ages_ms.append((time.monotonic() - frame.received_at) * 1000)
        self.arrivals.append(frame.received_at)
        self.size = frame.width, frame.height
        if self.read_number is not None:
            number = self.read_number(data)
            if number is not None:
                self.numbered.append((number, frame.received_at))
        return frame.received_at - self.arrivals[0]

    @property
    def rate(self) -> float:
        """Frames a second."""
        return rate_of(self.arrivals)

    @property
    def missing(self) -> int | None:
        """The count of skipped numbers between the first and the last; None without numbers."""
        if not self.numbered:
            return None
        numbers = {number for number, _ in self.numbered}
        return max(numbers) - min(numbers) + 1 - len(numbers)

    def arrival_of(self, number: int) -> float | None:
        """Returns when the first frame with that number or a later one was decoded."""
        place = bisect.bisect_left(self.numbered, (number, 0.0))
        return self.numbered[place][1] if place < len(self.numbered) else None

    def line(self) -> str:
        """As the progress line shows it."""
        width, height = self.size
        return (
            f"  {len(self.arrivals):4d} frames   {rate_of(self.arrivals[-RATE_FRAMES:]):4.1f}/s   "
            f"{width}x{height}   newest {self.ages_ms[-1]:.1f} ms old"
        )


@attrs.define(eq=False)
class Steering:
    """A prompt that is sent while the stream plays, and what came of it."""

    prompt: str
    due: float  # seconds since the first frame
    sent_at: float = 0.0  # `time.monotonic()`
    at: float = 0.0  # seconds since the first frame
    applied: str = ""
    acknowledged_ms: float = 0.0
    first_frame_ms: float | None = None

    def send(self, stream: Stream) -> None:
        """Sends it and waits for the acknowledgement."""
        self.sent_at = time.monotonic()
        self.applied = stream.interact(self.prompt)
        self.acknowledged_ms = (time.monotonic() - self.sent_at) * 1000


@attrs.define(eq=False)
class Show:
    """A stream of some seconds with prompts spread over it."""

    prompt: str
    steerings: list[Steering]
    seconds: float
    tally: Tally
    screen: Screen
    tiles: list[Tile] = attrs.field(factory=list)

    @classmethod
    def plan(
        cls, prompt: str, more: list[str], seconds: float, tally: Tally, screen: Screen
    ) -> Show:
        length = seconds / (1 + len(more))
        steerings = [Steering(text, number * length) for number, text in enumerate(more, 1)]
        return cls(prompt, steerings, seconds, tally, screen)

    def play(self, stream: Stream, executor: Executor) -> None:
        """Reads frames until the time is over and every prompt was acknowledged.

        Prompts are sent on a thread of `executor`, so that frames go on being read meanwhile.
        """
        to_send = list(self.steerings)
        moments = self._tile_moments()
        sending: Future[None] | None = None
        seconds = 0.0
        while to_send or sending or seconds < self.seconds:
            frame = stream.frames.get()
            seconds = self.tally.add(frame)
            self.screen.progress(self.tally.line())
            if moments and seconds >= moments[0]:
                del moments[0]
                self._keep(frame, seconds)
            if sending is None and to_send and seconds >= to_send[0].due:
                to_send[0].at = seconds
                self.screen.say(f"> {to_send[0].prompt}")
                sending = executor.submit(to_send[0].send, stream)
            elif sending is not None and sending.done():
                sending.result()
                done, sending = to_send.pop(0), None
                self.screen.say(f"  acknowledged after {done.acknowledged_ms:.1f} ms")

    def _tile_moments(self) -> list[float]:
        """Returns the times of the pictures for the contact sheet, as many for each prompt."""
        prompts = 1 + len(self.steerings)
        each = max(1, _TILES // prompts)
        step = self.seconds / prompts / each
        moments = [(number + 0.9) * step for number in range(prompts * each)]
        return moments[:: -(-len(moments) // _MOST_TILES)]

    def _keep(self, frame: VideoFrame, seconds: float) -> None:
        prompt = self.prompt if frame.prompt is None else frame.prompt
        group = self.tiles[-1].group if self.tiles else 0
        if self.tiles and self.tiles[-1].prompt != prompt:
            group += 1
        self.tiles.append(Tile(frame, seconds, prompt, group))
