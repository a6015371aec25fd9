"""The poses and colours in which figures are drawn, and their eyes."""

from __future__ import annotations

import attrs

from odyssey.emulator.painting.palette import Colour
from odyssey.emulator.painting.sheet import Pen

__all__ = ["Look", "eye"]


@attrs.frozen
class Look:
    """One pose of a figure: `turn` goes from 0 to 2 pi in the course of a step."""

    turn: float
    body: Colour
    accent: Colour
    ink: Colour
    paper: Colour  # white, in the light of the scene
    asleep: bool  # eyes closed
    lamps: bool  # it is dark: windows and lamps are lit


def eye(pen: Pen, look: Look, x: float, y: float, size: float) -> None:
    """An open eye around (`x`, `y`), or a closed one."""
    if look.asleep:
        pen.arc(x, y - size * 0.3, size, size * 0.8, (20, 160), look.ink, size * 0.4)
    else:
        pen.ellipse(x, y, size * 0.8, size, look.ink)
        pen.ellipse(x + size * 0.25, y - size * 0.4, size * 0.28, size * 0.3, look.paper)
