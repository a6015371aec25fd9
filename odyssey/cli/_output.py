"""What commands share: their `--json`, their failures, and what they print."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")

_REDRAW_EVERY = 0.1
_LINE_EVERY = 1.0


class Failed(click.ClickException):
    """Ends the command with one line on stderr and exit code 1."""


def print_json(value: object, *, indent: int | None = 2) -> None:
    click.echo(json.dumps(value, indent=indent))


def printable(text: str) -> str:
    """Text from elsewhere on one line, without characters that steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def file_size(path: Path) -> str:
    """As people read it."""
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
        """One more line."""
        self.clear()
        click.echo(text, err=self._err)

    def say_above_bars(self, text: str) -> None:
        """One more line while tqdm's bars stand below."""
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr if self._err else sys.stdout)

    def progress(self, text: str) -> None:
        """The line that changes; seldom enough to be called for each frame."""
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
