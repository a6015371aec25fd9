"""Shared by the commands: `--json`, failures, and printing."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from odyssey.errors import printable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")

_REDRAW_EVERY = 0.1
_LINE_EVERY = 1.0


#: Characters of a line that is printed, such as an address with its signature.
_LONGEST_LINE = 10_000


class Failed(click.ClickException):
    """Ends the command with one line on stderr and exit code 1."""

    def format_message(self) -> str:
        return printable(self.message)


def echo(text: str, *, err: bool = False) -> None:
    """Prints a line with texts from elsewhere in it, without what steers a terminal."""
    click.echo(printable(text, _LONGEST_LINE).rstrip(), err=err)


def copyable(text: str) -> str:
    """Quotes a word for the shell, in a command that is printed to be copied."""
    text = printable(text, _LONGEST_LINE)
    if os.name != "nt":
        return shlex.quote(text)
    return "'" + text.replace("'", "''") + "'"  # of PowerShell


def setting(name: str, value: str) -> str:
    """Returns the command that sets a variable of the environment, to be copied."""
    command = "$env:" if os.name == "nt" else "export "
    return f"{command}{name}={copyable(value)}"


def print_json(value: object, *, indent: int | None = 2) -> None:
    click.echo(json.dumps(value, indent=indent))


def file_size(path: Path) -> str:
    """Returns the size of a file as people read it."""
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


class Screen:
    """Lines of text, and below them one that shows how far things are.

    On a terminal that one is overwritten; elsewhere it is an ordinary line about every second,
    without control characters.
    """

    def __init__(self, *, to_stderr: bool) -> None:
        self._err = to_stderr
        stream = sys.stderr if to_stderr else sys.stdout
        self.is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = 0  # characters of the line that stands there
        self._next = 0.0 if self.is_terminal else time.monotonic() + _LINE_EVERY

    def say(self, text: str = "") -> None:
        """Prints a line."""
        self.clear()
        echo(text, err=self._err)

    def say_above_bars(self, text: str) -> None:
        """Prints a line while tqdm's bars stand below."""
        from tqdm import tqdm

        tqdm.write(printable(text, _LONGEST_LINE), file=sys.stderr if self._err else sys.stdout)

    def progress(self, text: str) -> None:
        """Shows the line that changes, seldom enough to be called for each frame."""
        now = time.monotonic()
        if now < self._next:
            return
        if not self.is_terminal:
            self._next = now + _LINE_EVERY
            click.echo(text, err=self._err)
            return
        self._next = now + _REDRAW_EVERY
        text = text[: shutil.get_terminal_size().columns - 1]
        click.echo("\r" + text.ljust(self._shown), nl=False, err=self._err)
        self._shown = len(text)

    def clear(self) -> None:
        """Takes the line that changes away."""
        if self._shown:
            click.echo("\r" + " " * self._shown + "\r", nl=False, err=self._err)
            self._shown = 0


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
