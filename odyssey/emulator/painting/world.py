"""One theme, ready to be painted at any time."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from odyssey.emulator.painting.caption import Caption
from odyssey.emulator.painting.landscape import Layer, layers, lift
from odyssey.emulator.painting.palette import Palette
from odyssey.emulator.painting.particles import Particles
from odyssey.emulator.painting.photo import Photo
from odyssey.emulator.painting.planes import Overlay, Planes
from odyssey.emulator.painting.room import SILL, window
from odyssey.emulator.painting.sky import Clouds, paint_sky
from odyssey.emulator.painting.subject import Subject
from odyssey.emulator.painting.theme import Theme

__all__ = ["World"]

_WALK = 0.085  # of the shorter side a second
_FLOOR = 0.845  # row on which figures stand, in shares of the height


@attrs.define(eq=False)
class World:
    """The picture of a theme; drawn by `prepare`, then painted frame by frame."""

    theme: Theme
    caption_text: str
    width: int
    height: int
    since: float  # seconds of stream time at which it begins
    travelled: float  # pixels that the ground had gone by then
    photo: Planes | None = None  # the source of a `Photo` that is shown instead of a landscape
    _sky: Planes = attrs.field(init=False)
    _clouds: Clouds | None = attrs.field(init=False, default=None)
    _camera: Photo | None = attrs.field(init=False, default=None)
    _layers: list[Layer] = attrs.field(init=False, factory=list)
    _subject: Subject = attrs.field(init=False)
    _particles: list[Particles] = attrs.field(init=False, factory=list)
    _stars: Particles | None = attrs.field(init=False, default=None)
    _glitter: Particles | None = attrs.field(init=False, default=None)
    _window: list[tuple[Overlay, int, int]] = attrs.field(init=False, factory=list)
    _caption: Caption | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._subject = Subject.of(self.theme, Palette.of(self.theme), self.width, self.height)

    def prepare(self) -> Iterator[None]:
        """Draws what `paint` needs, a part at every step."""
        if self.photo is not None:
            self._prepare_photo(self.photo)
            return
        theme, palette, size = self.theme, Palette.of(self.theme), (self.width, self.height)
        self._sky = paint_sky(theme, palette, *size)
        self._clouds = Clouds.of(theme, palette, *size)
        yield
        for layer in layers(theme, palette, *size):
            self._layers.append(layer)
            yield
        kind = _particles_of(theme, palette)
        self._particles = [Particles.of(kind, *size, theme.seed)] if kind else []
        if palette.dark and theme.weather not in {"rain", "fog"}:
            self._stars = Particles.of("stars", *size, theme.first)
        if theme.place == "sea" and not theme.indoors:
            self._glitter = Particles.of("glitter", *size, theme.first)
        if theme.indoors:
            self._window = window(palette, *size)
        self._caption = Caption.of(self.caption_text, *size)

    def _prepare_photo(self, photo: Planes) -> None:
        size = self.width, self.height
        self._camera = Photo(photo, self.theme.seed)
        kind = self.theme.weather if self.theme.weather in Particles.kinds() else "dust"
        self._particles = [Particles.of(kind, *size, self.theme.seed)]
        self._caption = Caption.of(self.caption_text, *size)

    def travelled_at(self, at: float) -> float:
        """Returns how many pixels the nearest ground has gone at `at` seconds of stream time."""
        slow = 0.25 if self.theme.indoors else 0.0
        pace = max(self._subject.pace, slow) * _WALK * min(self.width, self.height)
        return self.travelled + max(0.0, at - self.since) * pace

    def paint(self, target: Planes, at: float) -> None:
        """Paints the whole picture as it is at `at` seconds of stream time."""
        if self._camera is not None:
            self._camera.paint(target, at)
            self._paint_particles(target, at)
        else:
            self._paint_land(target, at)
        if self._caption is not None:
            self._caption.paint(target)

    def _paint_particles(self, target: Planes, at: float) -> None:
        for particles in self._particles:
            particles.paint(target, at)

    def _paint_land(self, target: Planes, at: float) -> None:
        for (plane, _), (sky, _) in zip(target.each(), self._sky.each(), strict=True):
            plane[...] = sky
        travelled = self.travelled_at(at)
        if self._stars is not None:
            self._stars.paint(target, at)
        if self._clouds is not None:
            self._clouds.paint(target, at)
        hidden = [self.height]
        for layer in reversed(self._layers):
            hidden.append(min(hidden[-1], layer.strip.solid))
        for layer, bottom in zip(self._layers, hidden[-2::-1], strict=True):
            if self._glitter is not None and layer is self._layers[-1]:
                self._glitter.paint(target, at)
            layer.paint(target, travelled, at, bottom)
        if self.theme.indoors:  # rain and snow stay outside
            self._paint_particles(target, at)
        for overlay, left, top in self._window:
            overlay.paint(target, left, top)
        row = SILL if self.theme.indoors else _FLOOR
        floor = (row - lift(self.width, self.height)) * self.height
        self._subject.paint(target, at, floor)
        if not self.theme.indoors:
            self._paint_particles(target, at)


def _particles_of(theme: Theme, palette: Palette) -> str:
    """Returns the kind of particles before everything, or ""."""
    if theme.place == "underwater":
        return "bubbles"
    if theme.weather in Particles.kinds():
        return theme.weather
    if theme.place == "space" or theme.indoors:
        return ""
    return "fireflies" if palette.dark and theme.place not in {"city", "sea"} else "dust"
