"""The colours of a theme."""

from __future__ import annotations

import colorsys

import attrs
import numpy as np

from odyssey.emulator.painting.theme import Theme

__all__ = ["Colour", "Palette", "mix", "shade"]

Colour = tuple[int, int, int]

# The sky from above to the horizon, and how the light colours what it falls on.
_SKIES: dict[str, tuple[tuple[Colour, Colour, Colour, Colour], tuple[float, float, float]]] = {
    "day": (((34, 104, 196), (84, 160, 228), (150, 208, 242), (228, 243, 250)), (1.0, 1.0, 1.0)),
    "dawn": (((74, 98, 172), (156, 146, 202), (246, 176, 166), (255, 228, 188)), (1.0, 0.88, 0.88)),
    "sunset": (((46, 36, 102), (132, 58, 124), (234, 100, 94), (255, 194, 112)), (0.94, 0.66, 0.6)),
    "dusk": (((22, 26, 72), (60, 50, 122), (142, 88, 156), (246, 164, 146)), (0.62, 0.54, 0.74)),
    "night": (((7, 11, 36), (14, 25, 66), (30, 52, 108), (66, 96, 152)), (0.34, 0.42, 0.66)),
    "space": (((5, 5, 20), (16, 12, 48), (46, 24, 90), (104, 48, 122)), (0.66, 0.6, 0.86)),
    "underwater": (
        ((156, 230, 226), (56, 168, 196), (18, 104, 158), (8, 60, 112)),
        (0.5, 0.82, 0.95),
    ),
}
_WEATHER: dict[str, tuple[Colour, float]] = {
    "rain": ((78, 92, 112), 0.55),
    "snow": ((186, 200, 220), 0.3),
    "fog": ((196, 202, 208), 0.5),
    "embers": ((120, 40, 20), 0.2),
}
_LANDS: dict[str, Colour] = {
    "hills": (84, 158, 70),
    "mountain": (92, 112, 138),
    "forest": (40, 104, 70),
    "city": (70, 80, 118),
    "sea": (22, 112, 158),
    "desert": (226, 160, 88),
    "space": (150, 136, 170),
    "arctic": (222, 234, 246),
    "underwater": (44, 124, 124),
}
_NAMED: dict[str, Colour] = {
    "red": (214, 62, 56),
    "orange": (238, 140, 52),
    "yellow": (244, 204, 70),
    "golden": (232, 184, 84),
    "green": (78, 168, 92),
    "blue": (64, 122, 210),
    "purple": (134, 88, 190),
    "pink": (238, 140, 176),
    "white": (238, 238, 234),
    "black": (56, 54, 64),
    "grey": (142, 148, 156),
    "gray": (142, 148, 156),
    "brown": (140, 94, 62),
}
# What figures look like if no colour is asked for.
_COATS: dict[str, tuple[Colour, ...]] = {
    "cat": ((234, 152, 78), (150, 152, 162), (96, 88, 94), (230, 204, 164)),
    "dog": ((200, 144, 88), (228, 194, 146), (128, 92, 70), (152, 154, 164)),
    "fox": ((226, 116, 54),),
    "horse": ((146, 92, 60), (196, 148, 100), (92, 66, 58), (224, 218, 210)),
    "penguin": ((52, 58, 78),),
    "robot": ((146, 170, 192), (226, 176, 84), (112, 178, 168), (206, 112, 98)),
    "bird": ((212, 84, 72), (72, 138, 208), (242, 184, 72)),
    "fish": ((246, 142, 54), (244, 204, 84), (232, 96, 110)),
    "flower": ((252, 204, 72), (240, 124, 156), (226, 84, 84)),
    "rocket": ((222, 72, 64), (72, 120, 206)),
}
_WARM: tuple[Colour, ...] = (
    (236, 146, 64),
    (214, 92, 72),
    (232, 196, 96),
    (92, 150, 200),
    (168, 120, 84),
)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one`, with a `share` (0 to 1) of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    """Darker (below 1) or lighter (above 1)."""
    return (
        mix(colour, (0, 0, 0), 1 - factor)
        if factor < 1
        else mix(colour, (255, 255, 255), factor - 1)
    )


def _turn(colour: Colour, hue: float) -> Colour:
    h, lightness, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    red, green, blue = (
        round(255 * part) for part in colorsys.hls_to_rgb((h + hue) % 1, lightness, saturation)
    )
    return red, green, blue


@attrs.frozen
class Palette:
    """Colours (RGB, 0 to 255) that go together."""

    sky: tuple[Colour, Colour, Colour, Colour]  # from above to the horizon
    tint: tuple[float, float, float]  # what is left of red, green and blue of what is lit
    ground: Colour  # in white light; see `lit` and `land`
    body: Colour  # of the subject, in white light
    accent: Colour
    dark: bool  # lamps and stars are seen

    @classmethod
    def of(cls, theme: Theme) -> Palette:
        chance = np.random.default_rng([theme.seed, 1])
        light = theme.place if theme.place in _SKIES else theme.time
        sky, tint = _SKIES[light]
        hue = float(chance.uniform(-0.045, 0.045)) * (3 if light in {"space", "underwater"} else 1)
        veil, share = _WEATHER.get(theme.weather, ((0, 0, 0), 0.0))
        brightness = sum(tint) / 3
        first, second, third, last = (
            mix(_turn(colour, hue), shade(veil, brightness), share) for colour in sky
        )
        ground = _LANDS[theme.place]
        if theme.weather == "snow":
            ground = mix(ground, (226, 236, 246), 0.6)
        elif theme.weather == "leaves":
            ground = mix(ground, (200, 120, 50), 0.55)
        any_colour = _WARM[int(chance.integers(len(_WARM)))]
        coats = _COATS.get(theme.subject, (any_colour,))
        # Not from the seed: it changes with every prompt, and the figure stays the same one.
        coat = coats[theme.first % len(coats)]
        return cls(
            sky=(first, second, third, last),
            tint=tint,
            ground=_turn(ground, float(chance.uniform(-0.03, 0.03))),
            body=_NAMED.get(theme.colour, coat),
            accent=_turn(any_colour, 0.45),
            dark=light in {"night", "dusk", "space"},
        )

    @property
    def haze(self) -> Colour:
        """The colour that things have at a distance."""
        return mix(self.sky[2], self.sky[3], 0.6)

    def lit(self, colour: Colour, strength: float = 1.0) -> Colour:
        """`colour` in the light of the scene."""
        red, green, blue = (
            round(part * (1 + (tint - 1) * strength))
            for part, tint in zip(colour, self.tint, strict=True)
        )
        return red, green, blue

    def land(self, distance: float, colour: Colour | None = None) -> Colour:
        """Returns the ground, or `colour`, at a `distance` from 0 (here) to 1 (at the horizon)."""
        return mix(self.lit(colour or self.ground), self.haze, 0.82 * distance)
