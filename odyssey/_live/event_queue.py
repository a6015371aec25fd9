"""Events on their way to the callbacks: in order, and bounded."""

from __future__ import annotations

import collections
import logging
import threading

logger = logging.getLogger(__name__)

#: A callback's name, and what it is called with.
Event = tuple[str, tuple[object, ...]]

#: Events of one name that wait for a slow callback; as many errors fewer as each may hold the frame
#: that it is about, through its traceback.
MOST_EVENTS = 256
MOST_ERRORS = 8
#: Events that are never left out: each happens once, and few happen.
LIFECYCLE = frozenset(
    {
        "on_connected",
        "on_disconnected",
        "on_stream_started",
        "on_stream_ended",
        "on_status_change",
    }
)


class EventQueue:
    """Holds the events that wait. What a slow callback leaves no room for is counted and logged.

    `put` and `end` don't block. Safe to share between threads.
    """

    def __init__(self) -> None:
        # Its lock guards the fields below.
        self._came = threading.Condition()
        self._events: collections.deque[Event | None] = collections.deque()
        self._waiting: collections.Counter[str] = collections.Counter()
        self._left_out: collections.Counter[str] = collections.Counter()  # since the last one put

    def put(self, name: str, args: tuple[object, ...], *, fatal: bool = False) -> None:
        """Appends an event, where there is room for one more of its name.

        Args:
            fatal: It tells of an end, and is never left out.
        """
        most = MOST_ERRORS if name == "on_error" else MOST_EVENTS
        with self._came:
            if self._waiting[name] >= most and name not in LIFECYCLE and not fatal:
                self._left_out[name] += 1
                if self._left_out[name] == 1:
                    logger.warning("callbacks are too slow: %s is not called any more", name)
                return
            self._log_left_out(name)
            self._waiting[name] += 1
            self._events.append((name, args))
            self._came.notify()

    def end(self) -> None:
        """Has `get` return None after what waits."""
        with self._came:
            for name in list(self._left_out):
                self._log_left_out(name)
            self._events.append(None)
            self._came.notify()

    def get(self) -> Event | None:
        """Waits for the next event; None at the end."""
        with self._came:
            self._came.wait_for(lambda: self._events)
            event = self._events.popleft()
            if event is not None:
                self._waiting[event[0]] -= 1
            return event

    def _log_left_out(self, name: str) -> None:
        if (count := self._left_out.pop(name, 0)) > 0:
            logger.warning("callbacks were too slow: %s was not called %d times", name, count)
