"""Drawing smooth shapes: a sheet for land that goes round, a pen for figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from odyssey.emulator.painting.palette import Colour, mix
from odyssey.emulator.painting.planes import Overlay, Strip

__all__ = ["Pen", "Sheet"]

Point = tuple[float, float]
_FINE = 2  # land is drawn at so many times its size
_BELT = 8  # rows of the drawing that have one colour, where it changes from above to below
_FINER = 3  # figures

# What is drawn on has four bytes a pixel that Pillow takes for inks. While all shapes are opaque
# and all else is 0, they are RGBA with premultiplied colours as well, and their averages are right.
# With "RGBA" it would convert there and back, which takes longer than all of the drawing.
_RAW = "CMYK"


class Sheet:
    """Land to draw on, in the picture's pixels; what leaves on one side comes in on the other."""

    def __init__(self, width: int, top: int, bottom: int) -> None:
        """A transparent sheet, `width` around, for the rows from `top` to `bottom` (all even)."""
        self.width, self.top, self.bottom = width, top, bottom
        size = (_FINE * width, _FINE * (bottom - top))
        self._picture = Image.new(_RAW, size)
        self._draw = ImageDraw.Draw(self._picture)

    def _copies(self, points: Iterable[Point]) -> list[list[Point]]:
        """Returns the shape at every place where a part of it is on the sheet."""
        shape = [(_FINE * x, _FINE * (y - self.top)) for x, y in points]
        around = _FINE * self.width
        lowest, highest = min(x for x, _ in shape), max(x for x, _ in shape)
        turns = [
            turn for turn in (-around, 0, around) if highest + turn >= 0 and lowest + turn <= around
        ]
        return [[(x + turn, y) for x, y in shape] for turn in turns]

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        for copy in self._copies(points):
            self._draw.polygon(copy, fill=(*colour, 255))

    def ellipse(self, x: float, y: float, wide: float, tall: float, colour: Colour) -> None:
        """An ellipse around (`x`, `y`) that reaches `wide` and `tall` to its sides."""
        for copy in self._copies([(x - wide, y - tall), (x + wide, y + tall)]):
            self._draw.ellipse([copy[0], copy[1]], fill=(*colour, 255))

    def rectangle(
        self, left: float, top: float, right: float, bottom: float, colour: Colour
    ) -> None:
        if left >= 0 and right < self.width:
            box = (
                left * _FINE,
                (top - self.top) * _FINE,
                right * _FINE,
                (bottom - self.top) * _FINE,
            )
            self._draw.rectangle(box, fill=(*colour, 255))
            return
        for copy in self._copies([(left, top), (right, bottom)]):
            self._draw.rectangle([copy[0], copy[1]], fill=(*colour, 255))

    def line(self, points: Sequence[Point], colour: Colour, thick: float) -> None:
        for copy in self._copies(points):
            self._draw.line(copy, fill=(*colour, 255), width=round(_FINE * thick), joint="curve")

    def ground(self, ridge: npt.NDArray[np.float64], above: Colour, below: Colour) -> None:
        """Fills all under `ridge`, rows (width + 1,), with colours from its top to the bottom."""
        width, height = self._picture.size
        line = np.repeat(_FINE * (ridge[:-1] - self.top), _FINE).astype(np.float32)
        under = np.arange(height, dtype=np.float32)[:, None] >= line
        mask = Image.fromarray(under.view(np.uint8) * np.uint8(255))
        first = max(0, int(line.min()))
        for row in range(first, height, _BELT):
            colour = mix(above, below, (row - first) / (height - first))
            box = (0, row, width, min(row + _BELT, height))
            self._picture.paste((*colour, 255), box, mask.crop(box))

    def strip(self) -> Strip:
        """Returns the drawing as a strip."""
        return Strip.of(np.asarray(self._picture.reduce(_FINE)), self.top)


class Pen:
    """A figure to draw, in shares of its square's side: (0, 0) is above left."""

    def __init__(self, side: int) -> None:
        """A transparent square, `side` pixels (an even number) high and wide."""
        self.side = side
        self._scale = _FINER * side
        self._picture = Image.new(_RAW, (self._scale, self._scale))
        self._draw = ImageDraw.Draw(self._picture)

    def _points(self, points: Iterable[Point]) -> list[Point]:
        return [(x * self._scale, y * self._scale) for x, y in points]

    def ellipse(self, x: float, y: float, wide: float, tall: float, colour: Colour) -> None:
        """An ellipse around (`x`, `y`) that reaches `wide` and `tall` to its sides."""
        box = self._points([(x - wide, y - tall), (x + wide, y + tall)])
        self._draw.ellipse([box[0], box[1]], fill=(*colour, 255))

    def polygon(self, points: Iterable[Point], colour: Colour) -> None:
        self._draw.polygon(self._points(points), fill=(*colour, 255))

    def rectangle(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        colour: Colour,
        round_: float = 0.0,
    ) -> None:
        box = self._points([(left, top), (right, bottom)])
        self._draw.rounded_rectangle([box[0], box[1]], round_ * self._scale, fill=(*colour, 255))

    def arc(
        self,
        x: float,
        y: float,
        wide: float,
        tall: float,
        span: tuple[float, float],
        colour: Colour,
        thick: float,
    ) -> None:
        """A part of an ellipse's line, from and to degrees clockwise from the right."""
        box = self._points([(x - wide, y - tall), (x + wide, y + tall)])
        width = round(thick * self._scale)
        self._draw.arc([box[0], box[1]], span[0], span[1], fill=(*colour, 255), width=width)

    def stroke(
        self, points: Sequence[Point], colour: Colour, thick: float, end: float | None = None
    ) -> None:
        """A bent line with round ends; `end` is its thickness there, if it is another."""
        path = self._points(_smooth(points))
        last = thick if end is None else end
        for number, (x, y) in enumerate(path):
            r = self._scale * (thick + (last - thick) * number / (len(path) - 1)) / 2
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 255))

    def overlay(self) -> tuple[Overlay, int, int]:
        """Returns the drawing, and the pixels from the corner to its left and its top."""
        box = self._picture.getbbox() or (0, 0, 1, 1)
        grain = 2 * _FINER
        left, top = box[0] // grain, box[1] // grain
        right, bottom = -(-box[2] // grain), -(-box[3] // grain)
        part = (left * grain, top * grain, right * grain, bottom * grain)
        overlay = Overlay.premultiplied(np.asarray(self._picture.reduce(_FINER, part)))
        return overlay, 2 * left, 2 * top


def _smooth(points: Sequence[Point]) -> list[Point]:
    """Points close together on the Bezier curve that has `points` as its poles."""
    share = np.linspace(0, 1, 28)
    x, y = (
        np.array([point[axis] for point in points])[:, None] * np.ones_like(share)
        for axis in (0, 1)
    )
    while len(x) > 1:
        x, y = x[:-1] + share * (x[1:] - x[:-1]), y[:-1] + share * (y[1:] - y[:-1])
    return list(zip(x[0].tolist(), y[0].tolist(), strict=True))
