"""Notices when video stops. ICE takes half a minute to report it, and gives no sign before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: Seconds that the first video may take when none is flowing: some services send nothing between
#: streams, and report the start of one while its first picture is still being made.
FIRST_VIDEO = 10.0
#: The longest interval between two checks in seconds; a twentieth of the patience if that is less.
#: Silence is noticed at most this much later than asked for.
LONGEST_INTERVAL = 0.1
#: The most intervals that one check counts for.
COUNTED = 5


class SilenceWatch:
    """Calls `lost` once when no video has come for `patience` seconds since `start`.

    Used on the media thread only.

    Args:
        patience: Seconds; None never gives up.
        last_heard: Returns when the last packet of video came, in `time.monotonic()` seconds, or
            None before the first. Packets count, not pictures: while packets come, the peer lives
            and a lost packet is being repaired.
        lost: Gets the reason as text.
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
        self._heard: float | None = None  # the result of `last_heard` at the last check
        self._looked = 0.0
        self._silent = 0.0
        self._allowed = 0.0

    def start(self) -> None:
        """Expects video from now on."""
        self.stop()
        if self._patience is None:
            return
        now = time.monotonic()
        self._heard, self._looked, self._silent = self._last_heard(), now, 0.0
        flowing = self._heard is not None and now - self._heard <= self._patience
        self._allowed = self._patience if flowing else max(self._patience, FIRST_VIDEO)
        self._look_later(self._patience)

    def stop(self) -> None:
        """Expects no more video. Idempotent."""
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
        # In a process that was stopped, or whose machine slept, the check is late, and packets may
        # be waiting in the socket. So a check counts for a few intervals at most.
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
