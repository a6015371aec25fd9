"""The base classes of faults, and the time at which timed ones strike."""

from __future__ import annotations

import time
from typing import Any

import attrs

from odyssey.emulator.faults.parameters import parameter

__all__ = ["LONGEST", "Fault", "Target", "TimedFault", "after"]

LONGEST = 86_400.0  # seconds of any parameter


def after(default: float) -> Any:
    """Makes the field of a timed fault that says when it strikes."""
    description = "seconds from a stream's start; one that runs already is struck now"
    return parameter(description, default, least=0, most=LONGEST)


@attrs.frozen(kw_only=True)
class Fault:
    """Something that goes wrong. Subclasses say what; their fields say how."""


@attrs.frozen(kw_only=True)
class TimedFault(Fault):
    """A fault that strikes in the course of a stream, each stream once.

    A stream that runs when the fault is switched on is struck at once, one that starts later
    `after` seconds after its start. A connection that has no stream when the fault is switched on
    is struck with `after` 0 only, and then at once.
    """

    after: float = after(2.0)

    def is_due(self, switched_on: float, target: Target) -> bool:
        """Whether it strikes now, having been switched on then (monotonic seconds)."""
        was_there = switched_on >= target.since
        if target.idle:
            return was_there and not self.after
        return was_there or time.monotonic() - target.since >= self.after


@attrs.frozen(kw_only=True)
class Target:
    """The target of timed faults: a stream, a connection without one, or a token.

    Attributes:
        since: When it began (monotonic seconds).
        idle: Whether it is a connection without a stream.
    """

    id: str = attrs.field(repr=False)
    since: float
    idle: bool = False
