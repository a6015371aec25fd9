"""Faults on the command line: how one is named there, and the list of all."""

from __future__ import annotations

from collections.abc import Sequence

import click

from odyssey.cli._output import print_json
from odyssey.emulator.faults import CATALOGUE, Faults, Value, named

__all__ = ["assignment", "describe_faults", "list_faults", "switched_on"]

_INDENT = 2


def switched_on(texts: Sequence[str]) -> Faults:
    """The faults that are written as `NAME[:param=value[,param=value]]`, switched on.

    Raises click.UsageError for one that makes no sense.
    """
    faults = Faults()
    for text in texts:
        name, _, rest = text.partition(":")
        try:
            faults.switch_on(name, **named(name).parse(_given(rest)))
        except ValueError as exc:
            raise click.UsageError(f"--fault {text}: {exc}") from exc
    return faults


def describe_faults(faults: Faults) -> str:
    """What is on, in one line."""
    return "; ".join(
        " ".join([fault.name, *(assignment(n, v) for n, v in fault.parameters.items())])
        for fault in faults.switched_on
    )


def list_faults(*, as_json: bool) -> None:
    """Print all names with what they do, and below each its parameters with their defaults."""
    if as_json:
        print_json([fault.as_json() for fault in CATALOGUE.values()])
        return
    width = max(len(name) for name in CATALOGUE) + _INDENT
    for fault in CATALOGUE.values():
        click.echo(fault.name.ljust(width) + fault.description)
        if fault.parameters:
            assignments = (assignment(p.name, p.default) for p in fault.parameters)
            click.echo(" " * width + "  ".join(assignments))


def _given(text: str) -> dict[str, str]:
    given = {}
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"expected parameter=value, got {part!r}")
        given[name.strip()] = value.strip()
    return given


def assignment(name: str, value: Value) -> str:
    """A parameter and its value, as `--fault` takes them."""
    if value is None or isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    return f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
