"""Land, sea and city: strips that lie one behind another and go by at different speeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import numpy as np
import numpy.typing as npt

from odyssey.emulator.painting.palette import Colour, Palette, mix, shade
from odyssey.emulator.painting.planes import Planes, Strip
from odyssey.emulator.painting.sheet import Sheet
from odyssey.emulator.painting.theme import Theme, stable_seed

__all__ = ["Layer", "layers", "lift"]

_Ridge = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Layer:
    """A strip and how it moves: pixels for every pixel that the nearest ground moves."""

    strip: Strip
    pace: float
    swell: float = 0.0  # pixels that it goes to and fro by itself, as waves do

    def paint(self, target: Planes, travelled: float, at: float, bottom: int) -> None:
        """Paints it, moved by `travelled` pixels of the ground; from row `bottom` it is hidden."""
        offset = travelled * self.pace + self.swell * float(np.sin(at * 1.3 + self.pace * 9))
        self.strip.paint(target, offset, bottom)


@attrs.define(eq=False)
class _Site:
    """One strip while it is drawn."""

    sheet: Sheet
    palette: Palette
    chance: np.random.Generator
    side: int  # pixels of the picture's shorter side; what sizes are shares of
    distance: float  # 0 is here, 1 the horizon
    base: float  # row around which the ground is
    snowy: bool

    def colour(self, colour: Colour | None = None) -> Colour:
        return self.palette.land(self.distance, colour)

    def ridge(self, height: float, waves: tuple[int, ...] = (1, 2, 3, 5, 8)) -> _Ridge:
        """Returns a rolling line, `height` times the side from its middle to its top."""
        turn = np.linspace(0, 2 * np.pi, self.sheet.width + 1)
        line = np.zeros_like(turn)
        for wave in waves:
            line += np.sin(wave * turn + self.chance.uniform(0, 6.28)) / wave**0.8
        return np.asarray(self.base - line / np.abs(line).max() * height * self.side)

    def places(self, count: float) -> Iterator[float]:
        """About `count` places for every width of the shorter side, from left to right."""
        number = max(2, round(count * self.sheet.width / self.side))
        for index in range(number):
            yield (index + float(self.chance.uniform(0.15, 0.85))) * self.sheet.width / number

    def fill(self, ridge: _Ridge, below: float = 0.25) -> None:
        """The ground under `ridge`: hazier towards its foot when it is far away."""
        above = self.colour()
        foot = mix(above, self.palette.haze, below) if self.distance > 0.15 else shade(above, 0.72)
        self.sheet.ground(ridge, above, foot)


def _hills(site: _Site) -> None:
    ridge = site.ridge(0.09 * (0.4 + site.distance))
    size = 0.2 * (1.15 - site.distance) * site.side
    if site.distance > 0.1:
        for x in site.places(7):
            y = float(ridge[int(x)])
            _round_tree(site, x, y + size * 0.1, size * float(site.chance.uniform(0.5, 1.0)))
    site.fill(ridge)
    if site.distance <= 0.1:
        _flowers(site, ridge)


def _round_tree(site: _Site, x: float, y: float, size: float) -> None:
    crown = site.colour(shade(mix(site.palette.ground, (30, 90, 60), 0.45), 0.95))
    site.sheet.rectangle(
        x - size * 0.05, y - size * 0.5, x + size * 0.05, y, site.colour((92, 70, 58))
    )
    for dx, dy, r in ((-0.22, -0.5, 0.24), (0.22, -0.52, 0.23), (0, -0.74, 0.3)):
        site.sheet.ellipse(x + dx * size, y + dy * size, r * size, r * size, crown)
    site.sheet.ellipse(
        x - 0.08 * size, y - 0.82 * size, 0.17 * size, 0.15 * size, shade(crown, 1.12)
    )


def _flowers(site: _Site, ridge: _Ridge) -> None:
    colours = [
        site.palette.lit(colour) for colour in ((255, 214, 92), (250, 250, 250), (238, 120, 150))
    ]
    blade = shade(site.colour(), 0.82)
    for x in site.places(34):
        y = float(ridge[int(x)])
        tall = site.side * float(site.chance.uniform(0.014, 0.034))
        lean = float(site.chance.uniform(-0.4, 0.4)) * tall
        site.sheet.polygon(
            [(x - tall * 0.16, y + 3), (x + lean, y - tall), (x + tall * 0.16, y + 3)], blade
        )
    for x in site.places(30):
        r = site.side * float(site.chance.uniform(0.004, 0.009))
        y = float(ridge[int(x)]) + site.side * float(site.chance.uniform(0.02, 0.3))
        colour = colours[int(site.chance.integers(len(colours)))]
        site.sheet.ellipse(x, y, r, r, colour)


def _peaks(site: _Site) -> None:
    rough = site.ridge(0.02, (7, 11, 17, 23))
    line = np.full_like(rough, site.base + 0.1 * site.side)
    tops = []
    for x in site.places(2.4 if site.distance > 0.7 else 3.2):
        tall = site.side * float(site.chance.uniform(0.2, 0.44)) * (0.45 + 0.6 * site.distance)
        slope = float(site.chance.uniform(0.85, 1.25))
        tops.append((x, site.base + 0.1 * site.side - tall, slope))
        for turn in (-site.sheet.width, 0, site.sheet.width):
            away = np.abs(np.arange(line.size) - x - turn)
            line = np.minimum(line, site.base + 0.1 * site.side - tall + away * slope)
    line += (rough - site.base) * 0.6
    site.fill(line, 0.6)
    snow = site.palette.land(site.distance * 0.75, (246, 248, 252))
    dim = mix(snow, site.colour(), 0.35)
    for x, _, slope in tops:
        y = float(line[int(x)])
        deep = site.side * 0.085 * (0.4 + 0.6 * site.distance)
        teeth = [(-1.0, 1.0), (-0.55, 0.72), (-0.25, 1.1), (0.1, 0.7), (0.5, 1.08), (1.0, 1.0)]
        foot = [
            (x + dx * deep / slope, y + dy * deep + (1 - abs(dx)) * 0.2 * deep) for dx, dy in teeth
        ]
        site.sheet.polygon([(x, y - 1), *foot], snow)
        site.sheet.polygon([(x, y - 1), *foot[3:]], dim)


def _pines(site: _Site) -> None:
    ridge = site.ridge(0.05 * (0.5 + site.distance))
    size = site.side * (0.26 - 0.13 * site.distance)
    for x in site.places(11 if site.distance > 0.1 else 6):
        tall = size * float(site.chance.uniform(0.55, 1.1))
        _pine(site, x, float(ridge[int(x)]) + 0.06 * tall, tall)
    site.fill(ridge)


def _pine(site: _Site, x: float, y: float, tall: float) -> None:
    tone = float(site.chance.uniform(0.78, 0.98))
    colour = site.colour(shade(mix(site.palette.ground, (24, 84, 66), 0.5), tone))
    light = site.colour((236, 242, 250)) if site.snowy else shade(colour, 1.1)
    site.sheet.rectangle(
        x - tall * 0.03, y - tall * 0.2, x + tall * 0.03, y, site.colour((84, 62, 54))
    )
    for low, high, wide in ((0.12, 0.5, 0.24), (0.34, 0.76, 0.19), (0.58, 1.0, 0.13)):
        peak = (x, y - high * tall)
        site.sheet.polygon(
            [(x - wide * tall, y - low * tall), peak, (x + wide * tall, y - low * tall)], colour
        )
        site.sheet.polygon(
            [(x - wide * tall, y - low * tall), peak, (x - wide * tall * 0.35, y - low * tall)],
            light,
        )


def _skyline(site: _Site) -> None:
    ground = np.full(site.sheet.width + 1, site.base + 0.05 * site.side)
    if site.distance > 0.1:
        for x in site.places(6.5 if site.distance > 0.6 else 5):
            wide = site.side * float(site.chance.uniform(0.09, 0.17))
            tall = site.side * float(site.chance.uniform(0.12, 0.5)) * (0.5 + 0.55 * site.distance)
            _building(site, x, wide, tall)
    site.fill(ground)
    if site.distance <= 0.1:
        _street(site, float(ground[0]))


def _building(site: _Site, x: float, wide: float, tall: float) -> None:
    wall = site.colour(shade(site.palette.ground, float(site.chance.uniform(0.72, 1.15))))
    left, top, foot = x - wide / 2, site.base - tall, site.base + 0.1 * site.side
    site.sheet.rectangle(left, top, left + wide, foot, wall)
    site.sheet.rectangle(left, top, left + wide * 0.3, foot, shade(wall, 1.06))
    roof = int(site.chance.integers(4))
    if roof == 0:
        site.sheet.rectangle(x - 1.5, top - wide * 0.5, x + 1.5, top, wall)
    elif roof == 1:
        site.sheet.polygon([(left, top + 1), (x, top - wide * 0.32), (left + wide, top + 1)], wall)
    elif roof == 2:
        site.sheet.rectangle(left + wide * 0.2, top - wide * 0.16, left + wide * 0.8, top + 1, wall)
    lamp = mix((255, 216, 130), site.palette.haze, 0.35 * site.distance)
    glass = mix(wall, site.palette.sky[2], 0.4)
    step = max(8.0, site.side * 0.024)
    share = 0.55 if site.palette.dark else 0.18
    for row in np.arange(top + step * 0.7, site.base, step * 1.25):
        for column in np.arange(left + step * 0.6, left + wide - step * 0.8, step):
            lit = bool(site.chance.random() < share)
            if lit or site.distance < 0.7:
                box = (
                    float(column),
                    float(row),
                    float(column) + step * 0.45,
                    float(row) + step * 0.62,
                )
                site.sheet.rectangle(*box, lamp if lit else glass)


def _street(site: _Site, top: float) -> None:
    kerb, side = shade(site.colour(), 1.2), site.side
    site.sheet.rectangle(0, top, site.sheet.width, top + 0.012 * side, kerb)
    for number in range(round(site.sheet.width / (0.2 * side))):
        x = number * 0.2 * side
        site.sheet.rectangle(x, top + 0.2 * side, x + 0.09 * side, top + 0.212 * side, kerb)
    lamp = (255, 226, 150) if site.palette.dark else site.palette.lit((236, 236, 226))
    post = shade(site.colour(), 0.6)
    for x in site.places(1.5):
        site.sheet.rectangle(x - 0.005 * side, top - 0.24 * side, x + 0.005 * side, top + 2, post)
        site.sheet.ellipse(x, top - 0.25 * side, 0.022 * side, 0.022 * side, lamp)


def _waves(site: _Site) -> None:
    count = round(site.sheet.width / site.side * (9 - 6 * (1 - site.distance)))
    turn = np.linspace(0, 2 * np.pi, site.sheet.width + 1)
    height = site.side * 0.014 * (1.1 - site.distance)
    ridge = site.base - height * np.abs(np.sin(count * turn / 2 * 2)) ** 0.8 * 2
    ridge -= height * np.sin(2 * turn + site.chance.uniform(0, 6))
    # Water has the colour of the sky above as much as its own.
    water = mix(
        site.palette.lit(site.palette.ground), site.palette.sky[1], 0.25 + 0.6 * site.distance
    )
    crest = mix(water, site.palette.haze, 0.5)
    site.sheet.ground(ridge, shade(water, 1.08), shade(water, 0.74))
    points = [(float(x), float(ridge[x])) for x in range(0, ridge.size, 3)]
    site.sheet.line(points, crest, max(2.0, site.side * 0.006 * (1.1 - site.distance)))


def _islands(site: _Site) -> None:
    ridge = site.ridge(0.1, (1, 2, 3, 5)) + 0.06 * site.side
    sea = np.full_like(ridge, site.base + 0.035 * site.side)
    far = site.palette.land(0.55, (80, 110, 130))
    site.sheet.ground(np.minimum(ridge, sea + 4), far, mix(far, site.palette.haze, 0.6))
    water = mix(site.palette.lit(site.palette.ground), site.palette.sky[1], 0.6)
    site.sheet.ground(sea, mix(water, site.palette.sky[3], 0.7), water)


def _dunes(site: _Site) -> None:
    ridge = site.ridge(0.1 * (0.35 + site.distance), (1, 2, 3))
    if site.distance < 0.6:
        for x in site.places(1.6):
            tall = site.side * (0.2 - 0.14 * site.distance) * float(site.chance.uniform(0.6, 1.0))
            _cactus(site, x, float(ridge[int(x)]) + 4, tall)
    site.fill(ridge)
    points = [(float(x), float(ridge[x]) + 1.5) for x in range(0, ridge.size, 4)]
    site.sheet.line(points, shade(site.colour(), 1.14), max(2.0, 0.005 * site.side))


def _beach(site: _Site) -> None:
    sand = site.palette.lit((236, 208, 158))
    wet = site.ridge(0.012, (1, 2, 3, 5)) - 0.02 * site.side
    foam = site.palette.lit((250, 250, 246), 0.6)
    site.sheet.ground(wet - 0.012 * site.side, foam, foam)
    site.sheet.ground(wet, shade(sand, 0.8), sand)
    site.sheet.ground(wet + 0.03 * site.side, sand, shade(sand, 0.84))
    for x in site.places(12):
        r = site.side * float(site.chance.uniform(0.004, 0.01))
        y = site.base + site.side * float(site.chance.uniform(0.05, 0.3))
        site.sheet.ellipse(x, y, r, r * 0.6, shade(sand, float(site.chance.choice([0.72, 1.3]))))


def _cactus(site: _Site, x: float, y: float, tall: float) -> None:
    colour = site.colour((62, 122, 84))
    thick = tall * 0.16
    site.sheet.rectangle(x - thick / 2, y - tall + thick / 2, x + thick / 2, y, colour)
    site.sheet.ellipse(x, y - tall + thick / 2, thick / 2, thick / 2, colour)
    for way, low in ((-1, 0.4), (1, 0.55)):
        out, r = x + way * tall * 0.26, thick * 0.38
        site.sheet.rectangle(
            min(x, out), y - low * tall - r, max(x, out), y - low * tall + r, colour
        )
        site.sheet.rectangle(out - r, y - (low + 0.28) * tall, out + r, y - low * tall + r, colour)
        site.sheet.ellipse(out, y - (low + 0.28) * tall, r, r, colour)


def _craters(site: _Site) -> None:
    ridge = site.ridge(0.06 * (0.5 + site.distance), (1, 2, 3, 4))
    site.fill(ridge)
    for x in site.places(4 if site.distance > 0.1 else 5):
        r = site.side * float(site.chance.uniform(0.02, 0.06)) * (1.2 - site.distance)
        y = float(ridge[int(x)]) + r * 0.7 + site.side * float(site.chance.uniform(0.02, 0.16))
        site.sheet.ellipse(x, y, r, r * 0.3, shade(site.colour(), 1.14))
        site.sheet.ellipse(
            x + r * 0.06, y + r * 0.06, r * 0.86, r * 0.22, shade(site.colour(), 0.74)
        )


def _corals(site: _Site) -> None:
    ridge = site.ridge(0.07, (1, 2, 3, 4))
    colours = ((236, 112, 120), (240, 168, 96), (168, 112, 196), (72, 160, 120), (96, 190, 150))
    for x in site.places(7):
        y, colour = float(ridge[int(x)]) + 6, site.colour(colours[int(site.chance.integers(5))])
        tall = site.side * float(site.chance.uniform(0.08, 0.24)) * (1.15 - 0.6 * site.distance)
        if site.chance.random() < 0.5:
            rows = np.linspace(0, 1, 12)
            bend = [
                (x + float(np.sin(row * 7 + x)) * tall * 0.09, y - float(row) * tall * 1.4)
                for row in rows
            ]
            site.sheet.line(bend, colour, tall * 0.08)
        else:
            for lean in (-0.5, -0.2, 0.12, 0.42):
                end = (x + lean * tall, y - tall * (0.9 - abs(lean) * 0.5))
                site.sheet.line(
                    [(x, y), (x + lean * tall * 0.4, y - tall * 0.4), end], colour, tall * 0.1
                )
                site.sheet.ellipse(*end, tall * 0.06, tall * 0.06, colour)
    site.fill(ridge)


_Draw = Callable[[_Site], None]
_PLACES: dict[str, tuple[_Draw, _Draw, _Draw]] = {
    "hills": (_peaks, _hills, _hills),
    "mountain": (_peaks, _peaks, _pines),
    "forest": (_pines, _pines, _pines),
    "city": (_skyline, _skyline, _skyline),
    "sea": (_islands, _waves, _waves),
    "desert": (_dunes, _dunes, _dunes),
    "space": (_craters, _craters, _craters),
    "arctic": (_peaks, _pines, _hills),
    "underwater": (_corals, _corals, _corals),
}
# Of the far, middle and near layer: row of the ground (share of the height), distance, pace.
_DEPTHS = ((0.575, 0.92, 0.1), (0.69, 0.5, 0.36), (0.805, 0.0, 1.0))
_CITY_DEPTHS = ((0.68, 0.85, 0.12), (0.76, 0.45, 0.4), (0.805, 0.0, 1.0))
_ASHORE = {
    "cat",
    "dog",
    "fox",
    "horse",
    "robot",
    "person",
    "astronaut",
    "penguin",
    "car",
    "campfire",
}
# How far above the ground they may rise, in shares of the shorter side: what is drawn costs time.
_ROOM: dict[_Draw, float] = {
    _hills: 0.2,
    _peaks: 0.42,
    _pines: 0.36,
    _skyline: 0.6,
    _islands: 0.12,
    _waves: 0.06,
    _beach: 0.08,
    _dunes: 0.26,
    _craters: 0.1,
    _corals: 0.36,
}


def lift(width: int, height: int) -> float:
    """Shares of the height that the ground is higher in a wide picture: the caption needs room."""
    return 0.045 if width > height else 0.0


def layers(theme: Theme, palette: Palette, width: int, height: int) -> Iterator[Layer]:
    """Yields the layers from far to near; each is drawn when it is asked for."""
    side = min(width, height)
    around = 2 * round(width * (0.6 if width > height else 0.75))
    depths = _CITY_DEPTHS if theme.place == "city" else _DEPTHS
    for number, (row, distance, pace) in enumerate(depths):
        draw = _PLACES[theme.place][number]
        if draw is _waves and number == 2 and theme.subject in _ASHORE:
            draw = _beach
        base = (row - lift(width, height)) * height
        top = max(0, 2 * round((base - _ROOM[draw] * side) / 2))
        lowest = (
            height
            if number == 2
            else 2
            * round(((depths[number + 1][0] - lift(width, height)) * height + 0.14 * side) / 2)
        )
        sheet = Sheet(max(around, width), top, min(height, lowest))
        chance = np.random.default_rng([theme.first, stable_seed(theme.place), number])
        draw(_Site(sheet, palette, chance, side, distance, base, theme.weather == "snow"))
        swell = 0.014 * side * (1 + number) if draw is _waves else 0.0
        yield Layer(sheet.strip(), pace, swell)
