"""Notices that no video comes any more. ICE takes half a minute to say so, with no word before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: Seconds that the first video may take where none came before: some services send nothing between
#: streams, and say that one has started while its first picture is still being made.
FIRST_VIDEO = 10.0
#: Seconds between two looks, at most; a twentieth of the patience if that is less. So much later
#: than asked for may the silence be noticed.
LONGEST_INTERVAL = 0.1
#: Intervals that a look counts for, at most.
COUNTED = 5


class SilenceWatch:
    """While it is on: calls `lost` once when no video has come for `patience` seconds.

    Used on the media thread only.

    patience: None waits for ever.
    last_heard: `time.monotonic()` seconds of the last packet of video, or None before the first.
        Packets, not pictures: while packets come the peer lives, and a lost one is being repaired.
    """

    def __init__(
        self,
        patience: float | None,
        last_heard: Callable[[], float | None],
        lost: Callable[[str], None],
    ) -> None:
        self._patience = patience
        self._last_heard = last_heard
        self._lost = lost
        self._timer: asyncio.TimerHandle | None = None
        self._heard: float | None = None  # what `last_heard` said at the last look
        self._looked = 0.0
        self._silent = 0.0
        self._allowed = 0.0

    def start(self) -> None:
        """Video is due from now on."""
        self.stop()
        if self._patience is None:
            return
        now = time.monotonic()
        self._heard, self._looked, self._silent = self._last_heard(), now, 0.0
        flowing = self._heard is not None and now - self._heard <= self._patience
        self._allowed = self._patience if flowing else max(self._patience, FIRST_VIDEO)
        self._look_later(self._patience)

    def stop(self) -> None:
        """None is due. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self, patience: float) -> None:
        interval = min(patience / 20, LONGEST_INTERVAL)
        self._timer = asyncio.get_running_loop().call_later(
            interval, self._look, patience, interval
        )

    def _look(self, patience: float, interval: float) -> None:
        now, heard = time.monotonic(), self._last_heard()
        # A process that was stopped, or whose machine slept, looks late: meanwhile it could not
        # hear what may be waiting in the socket. So a look counts for a few intervals at most.
        passed = min(now - self._looked, COUNTED * interval)
        self._looked = now
        if heard is not None and heard != self._heard:
            self._heard, self._allowed = heard, patience
            self._silent = min(now - heard, passed)
        else:
            self._silent += passed
        if self._silent < self._allowed:
            self._look_later(patience)
            return
        self._timer = None
        self._lost(f"no video came for {self._silent:.1f} s")
