"""Animals, drawn pose by pose."""

from __future__ import annotations

from math import cos, pi, sin

from odyssey.emulator.painting.look import Look, eye
from odyssey.emulator.painting.palette import shade
from odyssey.emulator.painting.sheet import Pen

__all__ = ["bird", "cat", "fish", "horse", "penguin", "sitting_cat", "walker"]


def sitting_cat(pen: Pen, look: Look) -> None:
    swing, fur, dark = sin(look.turn), look.body, shade(look.body, 0.8)
    tail = [(0.66, 0.9), (0.95, 0.95), (0.86 + 0.05 * swing, 0.62), (0.97 + 0.07 * swing, 0.5)]
    pen.stroke(tail, dark, 0.075, 0.055)
    pen.ellipse(0.5, 0.76, 0.215, 0.225, fur)
    pen.ellipse(0.34, 0.9, 0.11, 0.085, dark)
    pen.ellipse(0.66, 0.9, 0.11, 0.085, dark)
    pen.ellipse(0.5, 0.72, 0.105, 0.13, shade(fur, 1.4))
    for side in (-1, 1):
        pen.stroke([(0.5 + side * 0.065, 0.74), (0.5 + side * 0.06, 0.94)], fur, 0.085)
        pen.ellipse(0.5 + side * 0.062, 0.955, 0.06, 0.036, shade(fur, 1.35))
    lean = 0.012 * swing
    for side in (-1, 1):
        tip = 0.5 + side * 0.19 + lean + (0.014 * max(0.0, sin(2 * look.turn)) if side > 0 else 0)
        pen.polygon(
            [(0.5 + side * 0.2 + lean, 0.44), (tip, 0.17), (0.5 + side * 0.04 + lean, 0.32)], fur
        )
        pen.polygon(
            [(0.5 + side * 0.17 + lean, 0.4), (tip, 0.23), (0.5 + side * 0.08 + lean, 0.33)],
            (224, 150, 150),
        )
    pen.ellipse(0.5 + lean, 0.455, 0.225, 0.185, fur)
    for stripe in (-0.055, 0.0, 0.055):
        pen.stroke(
            [(0.5 + stripe + lean, 0.29), (0.5 + stripe * 0.7 + lean, 0.35)], dark, 0.022, 0.01
        )
    for side in (-1, 1):
        eye(pen, look, 0.5 + side * 0.095 + lean, 0.44, 0.034)
        pen.ellipse(0.5 + side * 0.045 + lean, 0.545, 0.062, 0.048, shade(fur, 1.4))
        for low in (-0.012, 0.024):
            pen.stroke(
                [(0.5 + side * 0.1 + lean, 0.54), (0.5 + side * 0.3 + lean, 0.53 + low * 2)],
                look.paper,
                0.007,
            )
    pen.polygon([(0.475 + lean, 0.505), (0.525 + lean, 0.505), (0.5 + lean, 0.53)], (220, 120, 124))


def walker(pen: Pen, look: Look, *, cat: bool = False, horse: bool = False) -> None:
    """An animal on four legs, seen from the side as it goes to the right."""
    fur, dark, light = look.body, shade(look.body, 0.72), shade(look.body, 1.35)
    lift, hip = 0.012 * sin(2 * look.turn), 0.6
    long = 0.34 if horse else 0.26
    wag = sin(2 * look.turn)
    tail = [
        (0.24, 0.52),
        (0.1, 0.52),
        (0.06, 0.3 + 0.03 * wag),
        (0.13 if cat else 0.04, 0.2 + 0.05 * wag),
    ]
    if horse:
        tail = [(0.25, 0.48), (0.12, 0.5), (0.1 + 0.02 * wag, 0.66), (0.06 + 0.03 * wag, 0.76)]
    pen.stroke(tail, dark if cat or horse else fur, 0.06, 0.07 if not cat else 0.045)
    if not (cat or horse):
        pen.ellipse(tail[-1][0] + 0.025, tail[-1][1] + 0.05, 0.035, 0.05, light)
    for x, phase, tone in (
        (0.33, pi, dark),
        (0.66, 0.4, dark),
        (0.28, 0.0, fur),
        (0.61, pi + 0.4, fur),
    ):
        swing, up = sin(look.turn + phase), max(0.0, cos(look.turn + phase))
        foot = (x + 0.075 * swing, hip + long + 0.06 - 0.05 * up)
        knee = (x + 0.03 * swing + 0.02, hip + long * 0.55)
        pen.stroke([(x, hip), knee, foot], tone, 0.085, 0.05)
        pen.ellipse(
            foot[0] + 0.018, foot[1] + 0.008, 0.04, 0.024, light if cat else shade(tone, 0.8)
        )
    pen.ellipse(0.46, 0.54 + lift, 0.26, 0.125, fur)
    pen.ellipse(0.62, 0.53 + lift, 0.12, 0.135, fur)
    pen.ellipse(0.47, 0.6 + lift, 0.17, 0.06, light)
    high = 0.24 if horse else 0.36
    pen.stroke([(0.64, 0.5 + lift), (0.74, high + 0.06 + lift)], fur, 0.17, 0.14 if horse else 0.17)
    _head(pen, look, 0.77, high + lift, cat=cat, horse=horse)


def _head(pen: Pen, look: Look, x: float, y: float, *, cat: bool, horse: bool) -> None:
    fur, dark, light = look.body, shade(look.body, 0.72), shade(look.body, 1.35)
    for back, tone in ((-0.055, dark), (0.035, fur)):
        wide, tall = (0.045, 0.15) if not horse else (0.03, 0.13)
        tip = (x + back - (0.0 if cat else 0.02), y - tall - 0.05)
        pen.polygon([(x + back - wide, y - 0.05), tip, (x + back + wide, y - 0.07)], tone)
    if horse:
        for step in range(5):
            pen.ellipse(x - 0.06 - step * 0.028, y - 0.02 + step * 0.055, 0.04, 0.055, dark)
        pen.stroke([(x - 0.01, y - 0.01), (x + 0.14, y + 0.13)], fur, 0.15, 0.1)
        pen.ellipse(x + 0.15, y + 0.14, 0.05, 0.045, light)
        pen.ellipse(x + 0.165, y + 0.125, 0.01, 0.01, look.ink)
    else:
        reach = 0.1 if cat else 0.17
        pen.ellipse(x, y + 0.01, 0.125, 0.11, fur)
        pen.stroke([(x + 0.05, y + 0.04), (x + reach, y + 0.055)], light, 0.1, 0.065)
        pen.ellipse(x + reach + 0.022, y + 0.035, 0.022, 0.018, look.ink)
    eye(pen, look, x + 0.05, y - 0.015, 0.02 if horse else 0.024)


def cat(pen: Pen, look: Look) -> None:
    walker(pen, look, cat=True)


def horse(pen: Pen, look: Look) -> None:
    walker(pen, look, horse=True)


def bird(pen: Pen, look: Look) -> None:
    body, light, flap = look.body, shade(look.body, 1.35), sin(look.turn)
    pen.polygon([(0.28, 0.52), (0.06, 0.44), (0.09, 0.6)], shade(body, 0.72))
    pen.polygon([(0.44, 0.5), (0.3, 0.5 - 0.4 * flap), (0.62, 0.49)], shade(body, 0.66))
    pen.ellipse(0.47, 0.53, 0.23, 0.12, body)
    pen.ellipse(0.5, 0.575, 0.16, 0.07, light)
    pen.polygon([(0.78, 0.42), (0.9, 0.465), (0.78, 0.49)], (246, 176, 70))
    pen.ellipse(0.71, 0.45, 0.1, 0.095, body)
    eye(pen, look, 0.74, 0.435, 0.02)
    pen.polygon(
        [(0.38, 0.52), (0.24, 0.52 - 0.46 * flap), (0.4, 0.5 - 0.32 * flap), (0.6, 0.52)],
        shade(body, 0.84),
    )


def fish(pen: Pen, look: Look) -> None:
    body, dark, swing = look.body, shade(look.body, 0.75), sin(look.turn)
    tail = 0.1 + 0.02 * swing
    pen.polygon(
        [(0.28, 0.5), (tail, 0.32 + 0.05 * swing), (tail + 0.06, 0.5), (tail, 0.68 + 0.05 * swing)],
        dark,
    )
    pen.polygon([(0.4, 0.36), (0.5, 0.2 + 0.02 * swing), (0.68, 0.38)], dark)
    pen.polygon([(0.46, 0.64), (0.48, 0.78 - 0.02 * swing), (0.62, 0.62)], dark)
    pen.ellipse(0.54, 0.5, 0.3, 0.18, body)
    for x, tall in ((0.44, 0.155), (0.58, 0.165)):
        pen.stroke([(x, 0.5 - tall), (x + 0.05, 0.5), (x, 0.5 + tall)], shade(body, 1.5), 0.045)
    pen.stroke([(0.6, 0.54), (0.52, 0.6 + 0.04 * swing)], dark, 0.06, 0.03)
    pen.ellipse(0.73, 0.46, 0.042, 0.048, look.paper)
    eye(pen, look, 0.74, 0.46, 0.025)
    pen.arc(0.8, 0.535, 0.04, 0.03, (40, 170), dark, 0.012)


def penguin(pen: Pen, look: Look) -> None:
    coat, swing = look.body, sin(look.turn)
    lean = 0.02 * swing
    for side in (-1, 1):
        up = 0.025 * max(0.0, side * swing)
        pen.ellipse(0.5 + side * 0.11, 0.945 - up, 0.085, 0.032, (246, 166, 60))
        flipper = [
            (0.5 + side * 0.2 + lean, 0.48),
            (0.5 + side * 0.3, 0.6),
            (0.5 + side * (0.3 + lean), 0.74),
        ]
        pen.stroke(flipper, shade(coat, 0.8), 0.09, 0.05)
    pen.ellipse(0.5, 0.67, 0.235, 0.275, coat)
    pen.ellipse(0.5, 0.71, 0.17, 0.215, look.paper)
    pen.ellipse(0.5 + lean, 0.31, 0.185, 0.17, coat)
    for side in (-1, 1):
        pen.ellipse(0.5 + side * 0.075 + lean, 0.325, 0.095, 0.105, look.paper)
        eye(pen, look, 0.5 + side * 0.07 + lean, 0.3, 0.03)
        pen.ellipse(0.5 + side * 0.125 + lean, 0.365, 0.03, 0.018, (250, 190, 180))
    pen.polygon([(0.455 + lean, 0.345), (0.545 + lean, 0.345), (0.5 + lean, 0.405)], (246, 166, 60))
    pen.stroke([(0.36, 0.455), (0.5, 0.5), (0.64, 0.455)], look.accent, 0.06)
    pen.stroke([(0.6, 0.47), (0.63, 0.53), (0.62, 0.6 + lean)], look.accent, 0.055, 0.06)
