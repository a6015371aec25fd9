"""Faults on the command line: how one is named there, and the list of all."""

from __future__ import annotations

import click

from odyssey.emulator.faults import CATALOGUE, Faults, Value, named

__all__ = ["describe_faults", "list_of_faults", "switched_on"]

_INDENT = 2


def switched_on(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> Faults:
    """The faults that are written as `NAME[:param=value[,param=value]]`, switched on."""
    faults = Faults()
    for text in texts:
        name, _, rest = text.partition(":")
        try:
            faults.switch_on(name, **named(name).parse(_given(rest)))
        except ValueError as exc:
            raise click.BadParameter(str(exc)) from exc
    return faults


def describe_faults(faults: Faults) -> str:
    """What is on, in one line."""
    return "; ".join(
        " ".join([fault.name, *(_assignment(n, v) for n, v in fault.parameters.items())])
        for fault in faults.switched_on
    )


def list_of_faults() -> str:
    """All names with what they do, and below each its parameters with their defaults."""
    width = max(len(name) for name in CATALOGUE) + _INDENT
    lines = []
    for fault in CATALOGUE.values():
        lines.append(fault.name.ljust(width) + fault.description)
        if fault.parameters:
            assignments = (_assignment(p.name, p.default) for p in fault.parameters)
            lines.append(" " * width + "  ".join(assignments))
    return "\n".join(lines)


def _given(text: str) -> dict[str, str]:
    given = {}
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"expected parameter=value, got {part!r}")
        given[name.strip()] = value.strip()
    return given


def _assignment(name: str, value: Value) -> str:
    if value is None or isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    return f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
