"""A start whose caller gave up: what the service makes of it yet is ended again."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import time

#: Seconds after which the answer to a start that gave up is taken for lost.
GRACE = 2.0


class _Phase(enum.Enum):
    NONE = "none"  # no start gave up since a stream started that is wanted
    AWAITED = "awaited"  # one gave up; its stream may run already, or start yet
    ENDED = "ended"  # that stream was told to end


class LateStart:
    """The last start of a connection that gave up. On the media thread only."""

    def __init__(self) -> None:
        self._phase = _Phase.NONE
        self._gave_up_at = 0.0  # `time.monotonic()`
        self._answered = asyncio.Event()

    @property
    def is_in_the_way(self) -> bool:
        """Whether its stream may be why the service refuses another."""
        return self._phase is not _Phase.NONE

    @property
    def is_ended(self) -> bool:
        return self._phase is _Phase.ENDED

    def gave_up(self) -> None:
        self._phase = _Phase.AWAITED
        self._gave_up_at = time.monotonic()
        self._answered.clear()

    def answered(self) -> None:
        self._answered.set()

    def ended(self) -> None:
        """Its stream was told to end."""
        self._phase = _Phase.ENDED

    def forget(self) -> None:
        """A stream runs that is wanted."""
        self._phase = _Phase.NONE

    async def answer(self) -> None:
        """Waits until it is answered, or the answer is taken for lost."""
        left = self._gave_up_at + GRACE - time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._answered.wait(), max(0.0, left))
