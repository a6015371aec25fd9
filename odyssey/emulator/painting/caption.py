"""The prompt as a caption: white words in a translucent band."""

from __future__ import annotations

from functools import lru_cache

import attrs
from PIL import Image, ImageDraw, ImageFont

from odyssey.emulator.painting.planes import Overlay, Planes

__all__ = ["Caption", "wrap"]

_LINES = 3
_LONGEST = 600  # characters looked at: more do not fit in any band
_BAND = (10, 12, 20, 150)
_INK = (255, 255, 255, 255)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=8)
def _font(size: int) -> _Font:
    return ImageFont.load_default(size=size)


def wrap(text: str, font: _Font, width: float) -> list[str]:
    """Break `text` into at most three lines of `width` pixels; what does not fit becomes "…"."""
    lines = [""]
    words = [word for word in "".join(map(_printable, text[:_LONGEST])).split() if word]
    for word in words:
        for piece in _pieces(word, font, width):
            longer = f"{lines[-1]} {piece}".strip()
            if font.getlength(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(piece)
    if len(lines) > _LINES or len(text) > _LONGEST:
        last = lines[min(len(lines), _LINES) - 1]
        while last and font.getlength(last + "…") > width:
            last = last[:-1]
        lines[_LINES - 1 :] = [last.rstrip(" ,.;:") + "…"]
    return [line for line in lines if line]


def _printable(character: str) -> str:
    return character if character.isprintable() else " "


def _pieces(word: str, font: _Font, width: float) -> list[str]:
    """A word that is wider than a line (or a script without spaces) in parts that are not."""
    pieces = [""]
    for character in word:
        if pieces[-1] and font.getlength(pieces[-1] + character) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


@attrs.frozen(eq=False)
class Caption:
    """A caption for one size of picture."""

    overlay: Overlay
    left: int
    top: int

    @classmethod
    def of(cls, text: str, width: int, height: int) -> Caption | None:
        """Returns a caption near the lower edge, or None if there is nothing to say."""
        side = min(width, height)
        font = _font(max(10, round(side * 0.043)))
        padding = round(side * 0.034)
        lines = wrap(text, font, min(width * 0.88, side * 1.3) - 2 * padding)
        if not lines:
            return None
        leading = round(side * 0.056)
        wide = max(font.getlength(line) for line in lines) + 2 * padding
        band_width, band_height = _even(wide), _even(leading * len(lines) + 1.1 * padding)
        band = _band(band_width, band_height)
        draw = ImageDraw.Draw(band)
        first = band_height / 2 - leading * (len(lines) - 1) / 2
        for number, line in enumerate(lines):
            place = (band_width / 2, first + number * leading)
            draw.text(place, line, font=font, fill=_INK, anchor="mm")
        top = height - round(height * 0.035) - band_height
        return cls(Overlay.of(band), (width - band_width) // 2, top)

    def paint(self, target: Planes) -> None:
        self.overlay.paint(target, self.left, self.top)


def _even(length: float) -> int:
    return 2 * round(length / 2)


def _band(width: int, height: int) -> Image.Image:
    mask = Image.new("L", (2 * width, 2 * height))
    radius = min(height, round(height * 0.5))
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, 2 * width - 1, 2 * height - 1), radius, fill=_BAND[3]
    )
    band = Image.new("RGBA", (width, height), _BAND[:3])
    band.putalpha(mask.reduce(2))
    return band
