"""The contact sheet: frames of a stream on one picture, each with its time and prompt below."""

from __future__ import annotations

import attrs
from PIL import Image, ImageDraw, ImageFont

from odyssey.errors import printable
from odyssey.frames.frame import VideoFrame

_PAPER, _INK, _FAINT = (17, 19, 24), (236, 238, 242), (150, 156, 168)
_MARKS = ((255, 176, 92), (105, 190, 255), (158, 224, 130), (240, 140, 190))
_MARGIN, _GAP, _LEADING = 36, 18, 21
_HEADER, _BELOW = 84, 14
_LINES = 3

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@attrs.frozen(eq=False)
class Tile:
    """One picture of the sheet.

    Attributes:
        frame: The picture.
        seconds: Since the first frame.
        prompt: What it should show.
        group: Which prompt that is: 0, 1, …; tiles of a group carry the same mark.
    """

    frame: VideoFrame
    seconds: float
    prompt: str
    group: int


def contact_sheet(tiles: list[Tile], title: str, subtitle: str) -> Image.Image:
    """Puts the tiles in rows under a title; there is at least one tile."""
    portrait = tiles[0].frame.height > tiles[0].frame.width
    columns = min(len(tiles), 6 if portrait else 3)
    width = 252 if portrait else 512
    height = max(round(width * tile.frame.height / tile.frame.width) for tile in tiles)
    small, large = ImageFont.load_default(size=16), ImageFont.load_default(size=26)
    texts = [_wrap(printable(tile.prompt), small, width) for tile in tiles]
    row = height + _BELOW + _LEADING * (1 + max(map(len, texts))) + _GAP
    rows = -(-len(tiles) // columns)
    size = (
        2 * _MARGIN + columns * width + (columns - 1) * _GAP,
        _MARGIN + _HEADER + rows * row + _GAP,
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), title, _INK, large, anchor="lt")
    draw.text((_MARGIN, _MARGIN + 36), subtitle, _FAINT, small, anchor="lt")
    for number, (tile, lines) in enumerate(zip(tiles, texts, strict=True)):
        left = _MARGIN + number % columns * (width + _GAP)
        top = _MARGIN + _HEADER + number // columns * row
        picture = tile.frame.to_image()
        tall = round(width * picture.height / picture.width)
        sheet.paste(picture.resize((width, tall), Image.Resampling.LANCZOS), (left, top))
        mark = _MARKS[tile.group % len(_MARKS)]
        draw.rectangle((left, top + height, left + width - 1, top + height + 3), mark)
        below = top + height + _BELOW
        draw.text((left, below), f"{tile.seconds:.1f} s", mark, small, anchor="lt")
        for line, text in enumerate(lines, 1):
            draw.text((left, below + line * _LEADING), text, _INK, small, anchor="lt")
    return sheet


def _wrap(text: str, font: _Font, width: float) -> list[str]:
    """At most three lines of `width` pixels; what does not fit becomes "..."."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    lines = [line for line in lines if line]
    if len(lines) > _LINES:
        lines[_LINES - 1 :] = [lines[_LINES - 1] + " ..."]
    return [_cut(line, font, width) for line in lines]


def _cut(line: str, font: _Font, width: float) -> str:
    """Cuts a line (one long word, mostly) that is too wide."""
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "...") > width:
        line = line[:-1]
    return line.rstrip(" .") + "..."
