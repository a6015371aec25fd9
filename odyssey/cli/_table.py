"""Rows that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import click

from odyssey.cli._output import printable

_GAP = "  "


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows below their headings, on a terminal without the last columns that don't fit.

    Into a pipe everything goes, without headings: a row is a line, and its first word the id.
    """
    if not rows:
        return
    shown = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns
        shown = _fitting([list(headings), *shown], room)
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo(_GAP.join(cells).rstrip())


def _fitting(rows: list[list[str]], room: int) -> list[list[str]]:
    """As many columns as fit, at least the first, which is never cut: one copies it."""
    used, count = 0, 0
    for column in zip(*rows, strict=True):
        used += max(map(len, column)) + (len(_GAP) if count else 0)
        if count and used > room:
            break
        count += 1
    return [row[:count] for row in rows]


def short_time(iso: str | None) -> str:
    """`2026-11-25 22:38:47` of an ISO time; a minus where there is none."""
    return "-" if iso is None else iso[:19].replace("T", " ")
