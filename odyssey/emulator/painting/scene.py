"""The scene painter: moving pictures made from prompts, cheap enough to paint in real time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import attrs
import av
from PIL import Image

from odyssey.emulator.painting.frame_number import draw_frame_number, read_frame_number
from odyssey.emulator.painting.photo import Photo
from odyssey.emulator.painting.planes import Planes, blank, fade
from odyssey.emulator.painting.theme import Theme
from odyssey.emulator.painting.world import World

__all__ = ["Scene", "black_frame", "read_frame_number"]

# An interaction is drawn in parts over the frames of the first of these times and faded in over the
# second, so that no frame is late; together well below half a second.
_DRAWING = 0.17
_FADING = 0.28


@attrs.define(eq=False)
class _Change:
    """A world on its way into the picture."""

    world: World
    steps: Iterator[None]

    @classmethod
    def to(cls, world: World) -> _Change:
        return cls(world, world.prepare())

    def advance(self) -> None:
        next(self.steps, None)

    def complete(self) -> World:
        for _ in self.steps:
            pass
        return self.world


class Scene:
    """A picture that moves, made from a prompt and changed by more of them.

    What is painted depends on the prompts, their times and the time painted alone.
    """

    def __init__(
        self, prompt: str, width: int, height: int, image: Image.Image | None = None
    ) -> None:
        """A scene of `width` by `height` pixels, both even; takes about as long as ten frames.

        With an `image` that picture is shown, moving slowly, instead of a landscape.
        """
        if width < 64 or height < 64 or width % 2 or height % 2:
            raise ValueError(f"size: expected even numbers from 64, got {width}x{height}")
        self._size = width, height
        self._requests: list[tuple[str, float]] = []
        self._asked = threading.Lock()  # guards the requests: they come from other threads
        self._photo = None if image is None else Photo.planes(image, width, height)
        first = World(Theme.of(prompt), prompt, width, height, 0.0, 0.0, self._photo)
        self._world = _Change.to(first).complete()
        self._old: Planes | None = None  # the picture that is being faded out
        self._next: _Change | None = None
        self._free_from = float("-inf")  # when the last fade is over

    def interact(self, prompt: str, at: float) -> None:
        """Lets `prompt` change the scene from `at` seconds of stream time on; from any thread."""
        with self._asked:
            self._requests.append((prompt, at))

    def paint(self, number: int, at: float) -> av.VideoFrame:
        """Returns the picture at `at` seconds, yuv420p, carrying the frame number `number`.

        Times may not go back.

        Raises:
            ValueError: The picture can't carry the number.
        """
        self._apply(at)
        frame = blank(*self._size)
        target = Planes.of(frame)
        self._world.paint(target, at)
        if self._old is not None:
            share = (at - self._world.since) / _FADING
            if share < 1:
                fade(target, self._old, 1 - share)
            else:
                self._old = None
        draw_frame_number(target.y, target.u, target.v, number)
        return frame

    def _apply(self, at: float) -> None:
        """Brings the scene to what it is at `at` seconds."""
        while True:
            if self._next is None:
                self._take(at)
            if self._next is None:
                return
            if at < self._next.world.since:
                self._merge(at)
                self._next.advance()
                return
            self._merge(self._next.world.since)
            self._switch(self._next)

    def _due(self, at: float) -> list[tuple[str, float]]:
        with self._asked:
            due = [request for request in self._requests if request[1] <= at]
            self._requests = [request for request in self._requests if request[1] > at]
        return due

    def _take(self, at: float) -> None:
        """Begins with the oldest request, if one is due."""
        due = self._due(at)
        if not due:
            return
        prompt, asked = due[0]
        with self._asked:
            self._requests[:0] = due[1:]
        begin = max(asked + _DRAWING, self._free_from)
        self._next = _Change.to(self._world_after(self._world.theme.after(prompt), prompt, begin))

    def _merge(self, at: float) -> None:
        """Merges prompts into the next change, as long as that is not yet seen."""
        if self._next is None:
            return
        theme, begin = self._next.world.theme, self._next.world.since
        prompt = None
        for prompt, _ in self._due(at):
            theme = theme.after(prompt)
        if prompt is not None:
            self._next = _Change.to(self._world_after(theme, prompt, begin))

    def _world_after(self, theme: Theme, prompt: str, begin: float) -> World:
        travelled = self._world.travelled_at(begin)
        return World(theme, prompt, *self._size, begin, travelled, self._photo)

    def _switch(self, change: _Change) -> None:
        world = change.complete()
        frame = blank(*self._size)
        self._old = Planes.of(frame)
        self._world.paint(self._old, world.since)
        self._world, self._next = world, None
        self._free_from = world.since + _FADING


def black_frame(width: int, height: int) -> av.VideoFrame:
    """Returns a black picture, yuv420p, for when nothing runs; it carries no frame number."""
    frame = blank(width, height)
    planes = Planes.of(frame)
    planes.y[...] = 16
    planes.u[...] = 128
    planes.v[...] = 128
    return frame
