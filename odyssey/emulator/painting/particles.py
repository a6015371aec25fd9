"""Snow, rain, sparks and stars: many small spots, painted all at once."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from odyssey.emulator.painting.palette import Colour
from odyssey.emulator.painting.planes import Planes, from_rgb

__all__ = ["Particles"]

_Floats = npt.NDArray[np.float32]


@attrs.frozen
class _Kind:
    """A kind of particle: look and motion, with lengths in shares of the shorter side."""

    count: int
    size: tuple[float, float]  # (width, height)
    speed: tuple[float, float]  # a second, to the right and down
    sway: float = 0.0
    glow: float = 0.0  # 0: always as bright; 1: comes and goes
    opacity: float = 0.8
    colour: Colour = (255, 255, 255)
    rows: tuple[float, float] = (0.0, 1.0)  # the part of the picture's height it keeps to


_KINDS: dict[str, tuple[_Kind, ...]] = {
    "snow": (
        _Kind(90, (0.008, 0.008), (0.02, 0.10), 0.012, opacity=0.7),
        _Kind(60, (0.015, 0.015), (0.04, 0.19), 0.02, opacity=0.85),
        _Kind(16, (0.026, 0.026), (0.07, 0.32), 0.03, opacity=0.8),
    ),
    "rain": (
        _Kind(90, (0.004, 0.05), (-0.10, 1.3), opacity=0.28, colour=(206, 220, 238)),
        _Kind(50, (0.005, 0.09), (-0.16, 2.1), opacity=0.34, colour=(222, 232, 244)),
    ),
    "embers": (
        _Kind(34, (0.010, 0.010), (0.03, -0.16), 0.03, 0.6, 0.95, (255, 170, 60)),
        _Kind(16, (0.016, 0.016), (0.05, -0.26), 0.04, 0.5, 0.95, (255, 120, 40)),
    ),
    "fireflies": (
        _Kind(26, (0.020, 0.020), (0.01, -0.012), 0.05, 1.0, 0.95, (255, 240, 140), (0.45, 0.95)),
    ),
    "petals": (
        _Kind(30, (0.018, 0.012), (0.09, 0.12), 0.05, opacity=0.9, colour=(255, 190, 208)),
        _Kind(16, (0.026, 0.018), (0.14, 0.19), 0.07, opacity=0.9, colour=(255, 214, 224)),
    ),
    "leaves": (
        _Kind(18, (0.024, 0.016), (0.16, 0.13), 0.06, opacity=0.95, colour=(224, 120, 40)),
        _Kind(14, (0.028, 0.020), (0.22, 0.17), 0.08, opacity=0.95, colour=(206, 70, 44)),
    ),
    "bubbles": (
        _Kind(30, (0.014, 0.014), (0.0, -0.12), 0.02, opacity=0.5, colour=(220, 248, 255)),
        _Kind(12, (0.026, 0.026), (0.0, -0.17), 0.03, opacity=0.45, colour=(220, 248, 255)),
    ),
    "dust": (
        _Kind(22, (0.009, 0.009), (0.02, -0.01), 0.03, 0.8, 0.6, (255, 250, 224), (0.35, 0.9)),
    ),
    "stars": (
        _Kind(70, (0.005, 0.005), (-0.002, 0.0), 0.0, 0.7, 0.9, rows=(0.0, 0.55)),
        _Kind(26, (0.008, 0.008), (-0.002, 0.0), 0.0, 0.9, 1.0, rows=(0.0, 0.5)),
    ),
    "glitter": (
        _Kind(70, (0.05, 0.004), (0.01, 0.0), 0.008, 1.0, 0.6, (255, 246, 220), (0.6, 0.83)),
    ),
}


@attrs.frozen(eq=False)
class _Swarm:
    """The particles of one kind; arrays of one value for each of the n of them."""

    kind: _Kind
    side: int  # pixels of the picture's shorter side
    start: _Floats  # (2, n): pixels to the right and down at time 0
    pace: _Floats  # (n,): factor of the speed
    phase: _Floats  # (n,)
    kernels: tuple[_Floats, _Floats]  # opacity of one particle in y, and in u and v
    colour: tuple[int, int, int]  # y, u, v
    white: bool  # so that it can take on the colour of what is behind

    def paint(self, target: Planes, at: float) -> None:
        height, width = target.y.shape
        kernel_height, kernel_width = self.kernels[0].shape
        first, last = (round(share * height) for share in self.kind.rows)
        turn = self.phase + at * (1.1 + self.pace)
        x = self.start[0] + (at * self.kind.speed[0] * self.side) * self.pace
        y = self.start[1] + (at * self.kind.speed[1] * self.side) * self.pace
        x += np.sin(turn) * (self.kind.sway * self.side)
        x = x % (width + 2 * kernel_width) - kernel_width
        y = y % (last - first + 2 * kernel_height) + first - kernel_height
        strength = 1 - self.kind.glow * (0.5 + 0.5 * np.sin(turn * 1.7))
        whole = (x >= 0) & (x < width - kernel_width) & (y >= 0) & (y < height - kernel_height)
        x, y, strength = x[whole], y[whole], strength[whole]
        for index, (plane, scale) in enumerate(target.each()):
            if index and self.white:
                break
            kernel = self.kernels[min(index, 1)]
            _stamp(plane, kernel, x / scale, y / scale, strength, self.colour[index])


def _stamp(
    plane: npt.NDArray[np.uint8],
    kernel: _Floats,
    x: _Floats,
    y: _Floats,
    strength: _Floats,
    level: int,
) -> None:
    """Blends `level` into the plane wherever a particle is; all of them must lie within it."""
    stride = plane.strides[0]
    corner = y.astype(np.intp) * stride + x.astype(np.intp)
    spot = np.arange(kernel.shape[0])[:, None] * stride + np.arange(kernel.shape[1])
    at = corner[:, None] + spot.reshape(1, -1)
    flat = np.lib.stride_tricks.as_strided(
        plane, ((plane.shape[0] - 1) * stride + plane.shape[1],), (1,)
    )
    under = flat[at].astype(np.float32)
    under += (level - under) * (kernel.reshape(1, -1) * strength[:, None])
    flat[at] = under


def _kernels(kind: _Kind, side: int) -> tuple[_Floats, _Floats]:
    width = max(2, 2 * round(kind.size[0] * side / 2))
    height = max(2, 2 * round(kind.size[1] * side / 2))
    spot = Image.new("L", (8 * width, 8 * height))
    ImageDraw.Draw(spot).ellipse(
        (4, 4, 8 * width - 5, 8 * height - 5), fill=round(255 * kind.opacity)
    )
    fine, coarse = (
        np.asarray(spot.resize(size, Image.Resampling.BOX), np.float32) / np.float32(255)
        for size in ((width, height), (width // 2, height // 2))
    )
    return fine, coarse


@attrs.frozen(eq=False)
class Particles:
    """All the particles of a kind in a picture."""

    swarms: tuple[_Swarm, ...]

    @classmethod
    def of(cls, name: str, width: int, height: int, seed: int) -> Particles:
        """Returns the kind `name`, spread over a picture of that size."""
        chance = np.random.default_rng([seed, 7])
        side = min(width, height)
        swarms = []
        for kind in _KINDS[name]:
            start = chance.uniform(0, 4, (2, kind.count)) * [[width], [height]]
            pixel = from_rgb(np.full((2, 2, 3), kind.colour, np.uint8))
            swarms.append(
                _Swarm(
                    kind,
                    side,
                    start.astype(np.float32),
                    chance.uniform(0.7, 1.3, kind.count).astype(np.float32),
                    chance.uniform(0, 6.28, kind.count).astype(np.float32),
                    _kernels(kind, side),
                    (int(pixel.y[0, 0]), int(pixel.u[0, 0]), int(pixel.v[0, 0])),
                    min(kind.colour) > 200,
                )
            )
        return cls(tuple(swarms))

    @staticmethod
    def kinds() -> frozenset[str]:
        """Returns the names that `of` knows."""
        return frozenset(_KINDS)

    def paint(self, target: Planes, at: float) -> None:
        """Paints them as they are after `at` seconds."""
        for swarm in self.swarms:
            swarm.paint(target, at)
