"""The figures that a prompt may ask for; people and things are drawn here, pose by pose."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

import attrs

from odyssey.emulator.painting import animals
from odyssey.emulator.painting.look import Look, eye
from odyssey.emulator.painting.palette import Colour, mix, shade
from odyssey.emulator.painting.sheet import Pen

__all__ = ["FIGURES", "Figure"]


def _robot(pen: Pen, look: Look) -> None:
    metal, dark, light = look.body, shade(look.body, 0.62), shade(look.body, 1.3)
    swing, blink = sin(look.turn), look.turn % pi < pi / 2
    for side in (-1, 1):
        up = 0.03 * max(0.0, side * swing)
        pen.rectangle(0.5 + side * 0.1 - 0.045, 0.76, 0.5 + side * 0.1 + 0.045, 0.92 - up, dark)
        pen.rectangle(
            0.5 + side * 0.11 - 0.075, 0.9 - up, 0.5 + side * 0.11 + 0.075, 0.965 - up, metal, 0.03
        )
        shoulder = (0.5 + side * 0.2, 0.55)
        hand = (0.5 + side * 0.32, 0.7 - 0.1 * side * swing)
        pen.stroke([shoulder, (0.5 + side * 0.33, 0.56), hand], dark, 0.06)
        pen.ellipse(*hand, 0.05, 0.05, light)
    pen.stroke([(0.5, 0.2), (0.5 + 0.012 * swing, 0.09)], dark, 0.018)
    pen.ellipse(
        0.5 + 0.012 * swing, 0.075, 0.032, 0.032, (255, 120, 96) if blink else (160, 64, 60)
    )
    pen.rectangle(0.3, 0.49, 0.7, 0.79, metal, 0.06)
    pen.rectangle(0.36, 0.55, 0.64, 0.69, dark, 0.03)
    for number in range(3):
        lit = (number + int(look.turn / (2 * pi) * 3)) % 3 == 0
        colour = (120, 236, 190) if lit else shade(dark, 1.35)
        pen.ellipse(0.42 + number * 0.08, 0.62, 0.025, 0.025, colour)
    pen.rectangle(0.45, 0.44, 0.55, 0.51, dark)
    pen.rectangle(0.27, 0.19, 0.73, 0.46, light, 0.08)
    pen.rectangle(0.31, 0.23, 0.69, 0.4, (26, 32, 48), 0.07)
    for x in (0.41, 0.59):
        if look.asleep:
            pen.rectangle(x - 0.04, 0.31, x + 0.04, 0.325, (116, 226, 255))
        else:
            pen.ellipse(x, 0.315, 0.036, 0.044, (116, 226, 255))
    pen.rectangle(0.235, 0.28, 0.275, 0.37, dark, 0.015)
    pen.rectangle(0.725, 0.28, 0.765, 0.37, dark, 0.015)


def _person(pen: Pen, look: Look) -> None:
    skin = mix(look.paper, (214, 150, 110), 0.75)
    hair = mix(look.ink, (110, 66, 44), 0.8)
    trousers = mix(look.ink, (60, 70, 120), 0.7)
    _walk(pen, look, cloth=look.body, legs=trousers, shoes=look.ink, hand=skin)
    pen.ellipse(0.475, 0.285, 0.135, 0.135, hair)
    pen.ellipse(0.53, 0.305, 0.105, 0.105, skin)
    pen.ellipse(0.5, 0.2, 0.125, 0.06, hair)
    pen.ellipse(0.635, 0.325, 0.018, 0.016, skin)
    eye(pen, look, 0.575, 0.3, 0.018)
    pen.ellipse(0.545, 0.35, 0.022, 0.014, mix(skin, (230, 110, 100), 0.5))
    pen.stroke([(0.44, 0.415), (0.57, 0.41)], look.accent, 0.06)
    wave = 0.03 * sin(look.turn * 2)
    scarf = [(0.44, 0.42), (0.34, 0.43 + wave), (0.24, 0.4 - wave)]
    pen.stroke(scarf, look.accent, 0.055, 0.04)


def _astronaut(pen: Pen, look: Look) -> None:
    suit = look.paper
    pen.rectangle(0.31, 0.42, 0.48, 0.68, shade(suit, 0.7), 0.04)
    _walk(pen, look, cloth=suit, legs=shade(suit, 0.82), shoes=shade(suit, 0.65), hand=suit)
    pen.ellipse(0.51, 0.275, 0.155, 0.15, suit)
    pen.ellipse(0.555, 0.28, 0.105, 0.1, (36, 48, 84))
    pen.ellipse(0.585, 0.245, 0.03, 0.024, (170, 200, 240))
    pen.ellipse(0.5, 0.53, 0.03, 0.03, look.accent)


def _walk(
    pen: Pen, look: Look, *, cloth: Colour, legs: Colour, shoes: Colour, hand: Colour
) -> None:
    """All but the head of somebody who walks to the right."""
    swing = sin(look.turn)
    far_arm = [(0.5, 0.46), (0.44 - 0.08 * swing, 0.56), (0.5 - 0.13 * swing, 0.65)]
    near_arm = [(0.5, 0.46), (0.46 + 0.08 * swing, 0.57), (0.52 + 0.13 * swing, 0.65)]
    for side, tone in ((1, legs), (-1, shade(legs, 0.8))):
        foot = (0.5 + side * 0.11 * swing, 0.945 - 0.03 * max(0.0, side * cos(look.turn)))
        knee = (0.5 + side * 0.07 * swing + 0.02, 0.82)
        pen.stroke([(0.5, 0.68), knee, foot], tone, 0.1, 0.075)
        pen.ellipse(foot[0] + 0.025, foot[1] + 0.005, 0.055, 0.03, shoes)
    pen.stroke(far_arm, shade(cloth, 0.75), 0.07)
    pen.rectangle(0.405, 0.4, 0.6, 0.72, cloth, 0.09)
    pen.stroke(near_arm, shade(cloth, 0.9), 0.075)
    pen.ellipse(near_arm[2][0], 0.66, 0.036, 0.036, hand)


def _boat(pen: Pen, look: Look) -> None:
    lean = 0.02 * sin(look.turn)
    wood = mix(look.body, (112, 72, 52), 0.35)
    pen.stroke([(0.5, 0.78), (0.5 + lean, 0.1)], shade(wood, 0.6), 0.02)
    pen.polygon([(0.52 + lean, 0.12), (0.53, 0.66), (0.84, 0.66)], look.paper)
    pen.polygon([(0.53, 0.54), (0.755, 0.54), (0.84, 0.66), (0.53, 0.66)], look.accent)
    pen.polygon([(0.48 + lean, 0.2), (0.47, 0.66), (0.24, 0.66)], shade(look.paper, 0.86))
    pen.polygon([(0.5 + lean, 0.1), (0.4 + lean * 3, 0.125), (0.5 + lean, 0.15)], look.accent)
    pen.polygon([(0.12, 0.71), (0.9, 0.71), (0.78, 0.9), (0.26, 0.9)], wood)
    pen.polygon([(0.12, 0.71), (0.9, 0.71), (0.876, 0.75), (0.152, 0.75)], look.paper)
    for x in (0.38, 0.5, 0.62):
        pen.ellipse(x, 0.81, 0.022, 0.022, (255, 224, 150) if look.lamps else shade(wood, 0.6))


def _rocket(pen: Pen, look: Look) -> None:
    flare = 0.06 * sin(look.turn * 3)
    for wide, long, colour in (
        (0.1, 0.24, (255, 128, 56)),
        (0.065, 0.17, (255, 206, 96)),
        (0.03, 0.1, (255, 250, 220)),
    ):
        pen.polygon(
            [(0.5 - wide, 0.72), (0.5, 0.74 + long + flare * wide * 8), (0.5 + wide, 0.72)], colour
        )
    for side in (-1, 1):
        fin = [
            (0.5 + side * 0.1, 0.5),
            (0.5 + side * 0.25, 0.68),
            (0.5 + side * 0.23, 0.78),
            (0.5 + side * 0.09, 0.7),
        ]
        pen.polygon(fin, look.body)
    hull = [
        (0.5 + side * 0.15 * sin(pi * (0.08 + 0.8 * t)) ** 0.8, 0.06 + 0.66 * t)
        for side, steps in ((1, range(21)), (-1, range(20, -1, -1)))
        for t in (step / 20 for step in steps)
    ]
    pen.polygon(hull, look.paper)
    pen.polygon([point for point in hull if point[1] < 0.22], look.body)
    pen.ellipse(0.5, 0.37, 0.075, 0.075, shade(look.body, 0.8))
    pen.ellipse(0.5, 0.37, 0.055, 0.055, (110, 190, 236))
    pen.ellipse(0.482, 0.352, 0.018, 0.016, (230, 246, 255))
    pen.rectangle(0.41, 0.7, 0.59, 0.735, shade(look.paper, 0.6), 0.012)


def _car(pen: Pen, look: Look) -> None:
    bounce = 0.006 * sin(look.turn * 2)
    paint = look.body
    pen.polygon(
        [
            (0.24, 0.62 + bounce),
            (0.34, 0.44 + bounce),
            (0.64, 0.44 + bounce),
            (0.78, 0.62 + bounce),
        ],
        shade(paint, 0.9),
    )
    glass = (255, 226, 160) if look.lamps else (176, 216, 236)
    pen.polygon(
        [(0.3, 0.61 + bounce), (0.37, 0.48 + bounce), (0.48, 0.48 + bounce), (0.48, 0.61 + bounce)],
        glass,
    )
    pen.polygon(
        [
            (0.52, 0.61 + bounce),
            (0.52, 0.48 + bounce),
            (0.62, 0.48 + bounce),
            (0.71, 0.61 + bounce),
        ],
        glass,
    )
    pen.rectangle(0.08, 0.59 + bounce, 0.93, 0.79 + bounce, paint, 0.07)
    pen.rectangle(0.09, 0.71 + bounce, 0.92, 0.735 + bounce, shade(paint, 1.35))
    pen.ellipse(0.9, 0.655 + bounce, 0.025, 0.03, (255, 244, 196))
    pen.ellipse(0.105, 0.655 + bounce, 0.02, 0.03, (226, 60, 56))
    for x in (0.27, 0.74):
        pen.ellipse(x, 0.82, 0.105, 0.105, look.ink)
        pen.ellipse(x, 0.82, 0.06, 0.06, shade(look.paper, 0.8))
        for spoke in range(4):
            angle = look.turn + spoke * pi / 2
            pen.ellipse(x + 0.036 * cos(angle), 0.82 + 0.036 * sin(angle), 0.012, 0.012, look.ink)


def _balloon(pen: Pen, look: Look) -> None:
    pen.ellipse(0.5, 0.36, 0.31, 0.32, look.body)
    pen.polygon([(0.235, 0.525), (0.765, 0.525), (0.575, 0.755), (0.425, 0.755)], look.body)
    for wide, colour in ((0.2, look.accent), (0.075, look.paper)):
        pen.ellipse(0.5, 0.36, wide, 0.32, colour)
        pen.polygon(
            [
                (0.5 - wide * 0.86, 0.525),
                (0.5 + wide * 0.86, 0.525),
                (0.5 + wide * 0.25, 0.755),
                (0.5 - wide * 0.25, 0.755),
            ],
            colour,
        )
    for side in (-1, 1):
        pen.stroke([(0.5 + side * 0.07, 0.75), (0.5 + side * 0.05, 0.85)], look.ink, 0.008)
    if look.lamps or sin(look.turn) > 0.3:
        pen.ellipse(0.5, 0.785, 0.022, 0.034 + 0.008 * sin(look.turn * 2), (255, 206, 110))
    pen.rectangle(0.44, 0.85, 0.56, 0.94, mix(look.ink, (150, 100, 60), 0.75), 0.018)
    pen.rectangle(0.43, 0.845, 0.57, 0.868, mix(look.ink, (186, 130, 84), 0.8), 0.01)


def _campfire(pen: Pen, look: Look) -> None:
    for number, (size, colour) in enumerate(
        (
            ((1.0, (226, 74, 40))),
            (0.76, (250, 138, 48)),
            (0.5, (255, 206, 90)),
            (0.24, (255, 248, 214)),
        )
    ):
        for x, tall in ((0.37, 0.42), (0.63, 0.48), (0.5, 0.74)):
            flick = 0.05 * sin(look.turn * (2 + number % 2) + x * 12)
            tip = (0.5 + (x - 0.5) * size + flick, 0.9 - tall * size * (1 + flick))
            wide = 0.17 * size
            middle = 0.5 + (x - 0.5) * size * 1.1
            pen.stroke(
                [(middle, 0.86), (middle - flick, 0.9 - tall * size * 0.5), tip],
                colour,
                2 * wide,
                0.02,
            )
    for ends in (((0.2, 0.95), (0.78, 0.86)), ((0.8, 0.95), (0.22, 0.86))):
        pen.stroke(ends, (96, 62, 46), 0.08)
    for x in (0.16, 0.3, 0.45, 0.6, 0.74, 0.86):
        pen.ellipse(x, 0.955, 0.065, 0.035, (110, 106, 112))


def _flower(pen: Pen, look: Look) -> None:
    sway = 0.04 * sin(look.turn)
    green = mix(look.ink, (70, 150, 80), 0.85)
    pen.stroke([(0.5, 0.98), (0.5, 0.7), (0.5 + sway, 0.36)], green, 0.03)
    for side, y in ((-1, 0.72), (1, 0.8)):
        pen.stroke(
            [(0.5, y), (0.5 + side * 0.1, y - 0.02), (0.5 + side * 0.22, y - 0.12)],
            green,
            0.03,
            0.05,
        )
    x, y = 0.5 + sway, 0.34
    for ring, (reach, size) in enumerate(((0.2, 0.085), (0.15, 0.08))):
        for number in range(12):
            angle = number * pi / 6 + ring * pi / 12 + 0.1 * sway * 10
            pen.ellipse(
                x + reach * cos(angle),
                y + reach * sin(angle),
                size,
                size,
                shade(look.body, 0.85 + 0.25 * ring),
            )
    pen.ellipse(x, y, 0.12, 0.12, mix(look.ink, (120, 74, 40), 0.8))
    pen.ellipse(x - 0.02, y - 0.02, 0.075, 0.075, mix(look.ink, (160, 104, 56), 0.9))


@attrs.frozen
class Figure:
    """The way a figure is drawn, and its behaviour in the picture."""

    draw: Callable[[Pen, Look], None]
    size: float  # share of the picture's shorter side
    place: str  # "ground", "air" or "water"
    step: float  # seconds that a step takes
    moves: bool  # the land goes by while it steps
    blinks: bool = True


FIGURES = {
    "sitting cat": Figure(animals.sitting_cat, 0.52, "ground", 2.6, moves=False),
    "cat": Figure(animals.cat, 0.46, "ground", 1.1, moves=True),
    "fox": Figure(animals.walker, 0.48, "ground", 0.9, moves=True),
    "penguin": Figure(animals.penguin, 0.4, "ground", 0.8, moves=True),
    "dog": Figure(animals.walker, 0.48, "ground", 0.9, moves=True),
    "horse": Figure(animals.horse, 0.56, "ground", 1.0, moves=True),
    "robot": Figure(_robot, 0.46, "ground", 1.2, moves=True),
    "person": Figure(_person, 0.44, "ground", 1.0, moves=True),
    "astronaut": Figure(_astronaut, 0.46, "ground", 1.4, moves=True),
    "bird": Figure(animals.bird, 0.36, "air", 0.6, moves=True),
    "fish": Figure(animals.fish, 0.4, "air", 0.9, moves=True),
    "boat": Figure(_boat, 0.5, "water", 3.2, moves=True, blinks=False),
    "rocket": Figure(_rocket, 0.46, "air", 1.0, moves=True, blinks=False),
    "car": Figure(_car, 0.5, "ground", 0.8, moves=True, blinks=False),
    "balloon": Figure(_balloon, 0.34, "air", 2.4, moves=True, blinks=False),
    "campfire": Figure(_campfire, 0.36, "ground", 1.2, moves=False, blinks=False),
    "flower": Figure(_flower, 0.5, "ground", 2.8, moves=False, blinks=False),
}
