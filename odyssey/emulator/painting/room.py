"""A room, for figures that are indoors: a window in a wall, with a sill."""

from __future__ import annotations

from PIL import Image, ImageDraw

from odyssey.emulator.painting.landscape import lift
from odyssey.emulator.painting.palette import Palette, shade
from odyssey.emulator.painting.planes import Overlay

__all__ = ["SILL", "window"]

SILL = 0.83  # row of the sill, in shares of the height, but for `lift`

_Part = tuple[Overlay, int, int]


def window(palette: Palette, width: int, height: int) -> list[_Part]:
    """Returns the wall and what is before it, in parts to be painted at (left, top)."""
    side = min(width, height)
    wall = palette.lit((206, 160, 132), 0.42)
    wood, sill_colour = palette.lit((250, 240, 224), 0.36), palette.lit((255, 250, 240), 0.26)
    sheet = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(sheet)
    edge, bar, thick = round(side * 0.075), round(side * 0.034), round(side * 0.05)
    sill, across = round((SILL - lift(width, height)) * height), round(0.36 * height)
    draw.rectangle((0, 0, width, height), fill=(*wall, 255))
    draw.rectangle((edge, edge, width - edge, sill), fill=(*wood, 255))
    middle = ((width - bar) // 2, (width + bar) // 2)
    for left, right in ((edge + bar, middle[0]), (middle[1], width - edge - bar)):
        for top, bottom in ((edge + bar, across), (across + bar, sill - bar)):
            rim = (left - 2, top - 2, right + 2, bottom + 2)
            draw.rectangle(rim, fill=(*shade(wood, 0.86), 255))
            draw.rectangle((left, top, right, bottom), fill=(0, 0, 0, 0))
    _plant(draw, width - edge * 2.3, sill, side, palette)
    ledge = (edge // 3, sill - thick // 3, width - edge // 3, sill + thick)
    draw.rectangle(ledge, fill=(*sill_colour, 255))
    draw.rectangle(
        (ledge[0], ledge[3], ledge[2], sill + thick * 1.35), fill=(*shade(wood, 0.78), 255)
    )
    plant = round(side * 0.3)
    boxes = [
        (0, 0, width, edge + bar + 2),
        (0, edge + bar + 2, edge + bar + 2, sill - plant),
        (width - edge - bar - 2, edge + bar + 2, width, sill - plant),
        (middle[0] - 2, edge + bar + 2, middle[1] + 3, sill - bar - 2),
        (edge + bar + 2, across - 2, middle[0] - 2, across + bar + 3),
        (middle[1] + 3, across - 2, width - edge - bar - 2, across + bar + 3),
        (0, sill - plant, edge + bar + 2, sill - bar - 2),
        (width - edge * 4, sill - plant, width, sill - bar - 2),
        (0, sill - bar - 2, width, height),
    ]
    return [_part(sheet, *box) for box in boxes]


def _plant(draw: ImageDraw.ImageDraw, x: float, y: float, side: int, palette: Palette) -> None:
    """A plant in a pot that stands on row `y`."""
    leaf, pot = palette.lit((86, 160, 96), 0.4), palette.lit((204, 104, 72), 0.4)
    tall = side * 0.1
    for lean, long in ((-0.6, 0.75), (0.6, 0.8), (-0.3, 1.1), (0.32, 1.15), (0.0, 1.35)):
        high, wide = y - tall * (0.9 + long * 0.35), tall * 0.17
        bend = x + lean * tall * 0.5
        tip = (x + lean * tall, y - tall - long * tall * 0.7)
        shape = [(x, y - tall * 0.8), (bend - wide, high), tip, (bend + wide, high)]
        draw.polygon(shape, fill=(*shade(leaf, 0.8 + 0.35 * abs(lean)), 255))
    above, below = tall * 0.4, tall * 0.28
    shape = [(x - above, y - tall), (x + above, y - tall), (x + below, y), (x - below, y)]
    draw.polygon(shape, fill=(*pot, 255))
    rim = (x - tall * 0.46, y - tall * 1.05, x + tall * 0.46, y - tall * 0.8)
    draw.rectangle(rim, fill=(*shade(pot, 1.1), 255))


def _part(sheet: Image.Image, left: int, top: int, right: int, bottom: int) -> _Part:
    """Returns a box of the sheet, with even sides and at an even place, but not a pixel twice."""
    x, y = left + left % 2, top + top % 2
    box = (x, y, right + right % 2, bottom + bottom % 2)
    return Overlay.of(sheet.crop(box)), x, y
