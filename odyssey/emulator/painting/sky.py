"""The sky: light, sun, moon, planets and clouds."""

from __future__ import annotations

import attrs
import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter
from PIL import Image, ImageDraw, ImageFilter

from odyssey.emulator.painting.palette import Colour, Palette, mix, shade
from odyssey.emulator.painting.planes import Overlay, Planes, convert
from odyssey.emulator.painting.theme import Theme

__all__ = ["Clouds", "paint_sky"]

_STOPS = (
    0.0,
    0.26,
    0.46,
    0.62,
)  # where the colours of a palette's sky are, in shares of the height
_COARSE = 4  # the light changes slowly: it is worked out in blocks of so many pixels


def paint_sky(theme: Theme, palette: Palette, width: int, height: int) -> Planes:
    """Returns the picture behind everything."""
    chance = np.random.default_rng([theme.seed, 2])
    side = min(width, height)
    x = width * float(chance.choice([chance.uniform(0.15, 0.28), chance.uniform(0.72, 0.85)]))
    y = height * {"day": 0.19, "night": 0.2, "dawn": 0.47, "sunset": 0.45}.get(theme.time, 0.3)
    y = 0.2 * height if theme.place in {"space", "underwater"} else y
    light, radius, strength = _lamp(theme, side)
    glow = _light(palette, width, height)
    rows, columns = np.mgrid[0 : glow.shape[0], 0 : glow.shape[1]].astype(np.float32) * _COARSE
    distance = np.hypot(columns - x, rows - y) / side
    halo = strength * (0.55 * np.exp(-distance * 7) + 0.4 * np.exp(-distance * 2.2))
    glow += halo[:, :, None] * (np.array(light, np.float32) - glow)
    sky = _enlarged(glow, width, height)
    if theme.place == "space":
        _planet(sky, x, y, side * 0.17, palette)
    elif theme.place != "underwater" and theme.weather not in {"rain", "fog"}:
        _disc(sky, x, y, radius, light, moon=palette.dark)
    return sky


def _lamp(theme: Theme, side: int) -> tuple[Colour, float, float]:
    """Colour, radius and strength of what lights the sky."""
    if theme.place == "space":
        return (176, 130, 220), side * 0.1, 0.5
    if theme.place == "underwater":
        return (214, 255, 246), side * 0.1, 0.75
    veiled = 0.4 if theme.weather in {"rain", "fog"} else 1.0
    return {
        "day": ((255, 250, 224), side * 0.062, 0.8 * veiled),
        "dawn": ((255, 238, 200), side * 0.085, 0.85 * veiled),
        "sunset": ((255, 222, 150), side * 0.1, 0.9 * veiled),
        "dusk": ((236, 226, 240), side * 0.055, 0.4 * veiled),
        "night": ((226, 234, 250), side * 0.068, 0.5 * veiled),
    }[theme.time]


def _light(palette: Palette, width: int, height: int) -> npt.NDArray[np.float32]:
    """Returns the sky's colours from above to below, (height / 4, width / 4, 3)."""
    rows = np.linspace(0, 1, 2 * round(height / _COARSE / 2))
    column = np.stack(
        [np.interp(rows, _STOPS, [colour[part] for colour in palette.sky]) for part in range(3)],
        axis=1,
    )
    return np.repeat(column[:, None, :], 2 * round(width / _COARSE / 2), axis=1).astype(np.float32)


def _enlarged(light: npt.NDArray[np.float32], width: int, height: int) -> Planes:
    coarse = av.VideoFrame.from_ndarray(np.clip(light, 0, 255).astype(np.uint8), "rgb24")
    size = {"width": width, "height": height}
    return Planes.of(
        convert(VideoReformatter(), coarse, **size, format="yuv420p", interpolation="BICUBIC")
    )


def _disc(sky: Planes, x: float, y: float, radius: float, colour: Colour, *, moon: bool) -> None:
    size = 2 * round(radius)
    mask = Image.new("L", (4 * size, 4 * size))
    draw = ImageDraw.Draw(mask)
    draw.ellipse((0, 0, 4 * size - 1, 4 * size - 1), fill=255)
    if moon:  # seas on it
        for dx, dy, r in (
            (0.34, 0.38, 0.13),
            (0.58, 0.3, 0.08),
            (0.56, 0.62, 0.16),
            (0.3, 0.68, 0.07),
        ):
            box = [4 * size * part for part in (dx - r, dy - r, dx + r, dy + r)]
            draw.ellipse(box, fill=222)
    disc = Image.new("RGBA", (size, size), colour)
    disc.putalpha(mask.reduce(4))
    Overlay.of(disc).paint(sky, round(x - radius), round(y - radius))


def _planet(sky: Planes, x: float, y: float, radius: float, palette: Palette) -> None:
    """A planet with bands and a ring, lit from one side."""
    scale = 2
    r = round(scale * radius)
    body = Image.new("RGB", (2 * r, 2 * r))
    draw = ImageDraw.Draw(body)
    for band in range(9):
        share = 0.5 + 0.5 * float(np.sin(band * 2.4))
        colour = shade(mix(palette.body, palette.accent, share), 0.9)
        draw.rectangle((0, band * 2 * r / 9, 2 * r, (band + 1) * 2 * r / 9), fill=colour)
    rows, columns = np.mgrid[-1:1:24j, -1:1:24j]
    lit = np.clip(1.25 - 0.75 * np.hypot(rows + 0.4, columns + 0.4), 0.3, 1.0)
    light = Image.fromarray((lit * 255).astype(np.uint8)).resize(body.size)
    body = Image.composite(body, Image.new("RGB", body.size, palette.sky[0]), light)
    mask = Image.new("L", body.size)
    ImageDraw.Draw(mask).ellipse((0, 0, 2 * r - 1, 2 * r - 1), fill=255)
    size = scale * 2 * round(radius * 2.2)
    sheet = Image.new("RGBA", (size, size))
    draw, middle, tone = ImageDraw.Draw(sheet), size / 2, (*shade(palette.accent, 1.4), 235)
    ring = (middle - 2 * r, middle - 0.5 * r, middle + 2 * r, middle + 0.5 * r)
    draw.arc(ring, 180, 360, fill=tone, width=round(0.16 * r))
    sheet.paste(body, (round(middle - r), round(middle - r)), mask)
    draw.arc(ring, 0, 180, fill=tone, width=round(0.16 * r))
    sheet = sheet.reduce(scale).rotate(16, Image.Resampling.BICUBIC)
    Overlay.of(sheet).paint(sky, round(x - size / scale / 2), round(y - size / scale / 2))


def _cloud(
    width: int, height: int, chance: np.random.Generator, palette: Palette, opacity: float
) -> Overlay:
    """One cloud: round above, flat below, lighter on the side of the light."""
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    base = height * 0.84
    draw.rounded_rectangle(
        (0.06 * width, base - 0.16 * height, 0.94 * width, base), 0.08 * height, fill=255
    )
    for share in np.linspace(0.18, 0.82, 7):
        middle = width * (share + float(chance.uniform(-0.02, 0.02)))
        size = height * (0.14 + 0.48 * float(np.sin(np.pi * share) ** 2 * chance.uniform(0.6, 1.0)))
        draw.ellipse((middle - size, base - 1.1 * size, middle + size, base + size), fill=255)
    draw.rectangle((0, base, width, height), fill=0)
    mask = mask.filter(ImageFilter.GaussianBlur(1.2 + height / 50))
    mask = mask.point([round(value * opacity) for value in range(256)])
    light = mix(palette.lit((255, 255, 255), 0.75), palette.sky[3], 0.25)
    dim = mix(light, palette.sky[2], 0.6)
    rows = [mix(light, dim, min(1.0, max(0.0, row / height * 1.5 - 0.3))) for row in range(height)]
    picture = np.empty((height, width, 4), np.uint8)
    picture[:, :, :3] = np.array(rows)[:, None, :]
    picture[:, :, 3] = np.asarray(mask)
    return Overlay.of(Image.fromarray(picture))


@attrs.frozen(eq=False)
class _Cloud:
    overlay: Overlay
    start: float  # pixels
    pace: float  # pixels a second
    top: int


@attrs.frozen(eq=False)
class Clouds:
    """Clouds that drift over the sky."""

    clouds: tuple[_Cloud, ...]

    @classmethod
    def of(cls, theme: Theme, palette: Palette, width: int, height: int) -> Clouds:
        if theme.place in {"space", "underwater"}:
            return cls(())
        chance = np.random.default_rng([theme.seed, 3])
        side = min(width, height)
        heavy = theme.weather in {"rain", "snow", "fog"}
        count = 7 if heavy else int(chance.integers(3, 6))
        opacity = 0.8 if heavy else 0.62 if palette.dark else 0.86
        clouds = []
        for number in range(count):
            depth = (number + 1) / count  # the larger, the nearer and the faster
            wide = 2 * round(side * (0.24 + 0.3 * depth) * chance.uniform(0.85, 1.15) / 2)
            tall = 2 * round(wide * chance.uniform(0.3, 0.38) / 2)
            clouds.append(
                _Cloud(
                    _cloud(wide, tall, chance, palette, opacity * (0.55 + 0.45 * depth)),
                    float(chance.uniform(0, width + wide)) + number * 0.37 * width,
                    side * (0.008 + 0.03 * depth),
                    round(height * (0.4 - 0.3 * depth + chance.uniform(-0.03, 0.03))),
                )
            )
        return cls(tuple(clouds))

    def paint(self, target: Planes, at: float) -> None:
        """Paints them as they are after `at` seconds."""
        for cloud in self.clouds:
            room = target.y.shape[1] + cloud.overlay.width
            left = (cloud.start + cloud.pace * at) % room - cloud.overlay.width
            cloud.overlay.paint(target, round(left), cloud.top)
