"""Options that several commands have, and how what is typed there is read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import click


def not_empty(
    _context: click.Context, _option: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    if not all(text.strip() for text in ([value] if isinstance(value, str) else value)):
        raise click.BadParameter("a prompt must not be empty")
    return value


def finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number of seconds")
    return value


@attrs.frozen(order=True)
class TimedPrompt:
    """A prompt and when it is sent, in seconds of the video."""

    seconds: float
    prompt: str


def _timed_prompts(
    _context: click.Context, _option: click.Parameter, texts: Sequence[str]
) -> list[TimedPrompt]:
    return [_timed_prompt(text) for text in texts]


def _timed_prompt(text: str) -> TimedPrompt:
    before, colon, prompt = text.partition(":")
    try:
        seconds = float(before) if colon else math.nan
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise click.BadParameter(f'{text!r} has no time before it: write 3:"It yawns"')
    if not prompt.strip():
        raise click.BadParameter(f"there is no prompt after the colon in {text!r}")
    return TimedPrompt(seconds, prompt.strip())


interact_option = click.option(
    "--interact",
    "prompts",
    metavar="SECONDS:PROMPT",
    callback=_timed_prompts,
    multiple=True,
    help="A prompt to send at that time of the video; may be given several times.",
)


def in_order(prompts: Sequence[TimedPrompt], seconds: float | None) -> list[TimedPrompt]:
    """Sorts the prompts by their times. One that comes after the end is wrong usage."""
    ordered = sorted(prompts, key=lambda prompt: prompt.seconds)
    if seconds is not None and ordered and ordered[-1].seconds >= seconds:
        late = ordered[-1]
        raise click.UsageError(
            f"--interact {late.seconds:g}:... comes after the end (--seconds {seconds:g})"
        )
    return ordered
