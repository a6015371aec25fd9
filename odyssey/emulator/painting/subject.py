"""The figure in a scene: where it is, which pose it takes, how it moves."""

from __future__ import annotations

from math import pi, sin

import attrs

from odyssey.emulator.painting.figures import FIGURES, Figure
from odyssey.emulator.painting.look import Look
from odyssey.emulator.painting.palette import Palette
from odyssey.emulator.painting.planes import Overlay, Planes
from odyssey.emulator.painting.sheet import Pen
from odyssey.emulator.painting.theme import Theme

__all__ = ["Subject"]

_POSES = 16  # of a step; each is drawn when it is first needed
_BLINK_EVERY, _BLINK = 3.1, 0.16  # seconds
_HIGH = 0.36  # row around which flying figures are, in shares of the height


@attrs.frozen(eq=False)
class Subject:
    """A figure for one size of picture."""

    figure: Figure
    theme: Theme
    palette: Palette
    width: int
    height: int
    _poses: dict[tuple[int, bool], tuple[Overlay, int, int]] = attrs.field(
        init=False, factory=dict
    )  # with where they begin

    @classmethod
    def of(cls, theme: Theme, palette: Palette, width: int, height: int) -> Subject:
        name = theme.subject
        if name == "cat" and theme.indoors:
            name = "sitting cat"
        return cls(FIGURES[name or "balloon"], theme, palette, width, height)

    @property
    def side(self) -> int:
        """Pixels of the square that the figure is drawn in; an even number."""
        size = self.figure.size if self.theme.subject else self.figure.size * 0.72
        return 2 * round(size * min(self.width, self.height) / 2)

    @property
    def pace(self) -> float:
        """The speed at which the land goes by; 1 is a walk."""
        if self.theme.action == "sleep" or self.theme.indoors:
            return 0.0
        walk = 1.0 if self.figure.moves else 0.0
        return 2.4 if self.theme.action == "run" else walk

    def paint(self, target: Planes, at: float, floor: float) -> None:
        """Paints it `at` seconds; `floor` is the row that it stands on."""
        asleep = self.theme.action == "sleep"
        step = self.figure.step * {"run": 0.6, "dance": 0.7, "sleep": 1.8}.get(
            self.theme.action, 1.0
        )
        pose = int(at / step * _POSES) % _POSES
        still = asleep and self.figure.moves and self.figure.place == "ground"
        shut = asleep or (self.figure.blinks and at % _BLINK_EVERY > _BLINK_EVERY - _BLINK)
        left, top = self._corner(at, floor, step)
        overlay, right, down = self._pose(0 if still else pose, shut)
        overlay.paint(target, round(left) + right, round(top) + down)

    def _pose(self, number: int, shut: bool) -> tuple[Overlay, int, int]:
        if (number, shut) not in self._poses:
            pen = Pen(self.side)
            share = 0.25 if self.theme.indoors else 0.55
            lit = self.palette.lit
            look = Look(
                turn=2 * pi * number / _POSES,
                body=lit(self.palette.body, share),
                accent=lit(self.palette.accent, share),
                ink=(34, 32, 46),
                paper=lit((250, 248, 242), share * 0.9),
                asleep=shut,
                lamps=self.palette.dark,
            )
            self.figure.draw(pen, look)
            self._poses[number, shut] = pen.overlay()
        return self._poses[number, shut]

    def _corner(self, at: float, floor: float, step: float) -> tuple[float, float]:
        short, action = min(self.width, self.height), self.theme.action
        left, top = (self.width - self.side) / 2, floor - 0.97 * self.side
        if self.figure.place == "water":
            top += 0.012 * short * sin(2 * pi * at / step)
        elif self.figure.place == "air":
            top = _HIGH * self.height - self.side / 2 + 0.03 * short * sin(at * 1.1)
            left += 0.1 * self.width * sin(at * 0.45 + self.theme.seed % 7)
        if action == "jump":
            top -= 0.2 * short * abs(sin(pi * at / 0.75))
        elif action == "dance":
            left += 0.07 * short * sin(2 * pi * at / 1.2)
            top -= 0.05 * short * abs(sin(2 * pi * at / 0.6))
        elif action == "fly" and self.figure.place != "air":
            top = 0.42 * self.height - self.side / 2 + 0.04 * short * sin(at * 1.6)
        return left, top
