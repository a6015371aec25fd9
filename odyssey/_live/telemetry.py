"""Opt-in telemetry: the names of calls and of the errors they raised.

Arguments are never sent, and so no part of a key, a token, an address or a prompt.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from odyssey._rest.client import HttpClient
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.fork import ForkGuard
from odyssey._version import __version__
from odyssey.errors import OdysseyAuthError, OdysseyError

logger = logging.getLogger(__name__)

#: The most events that wait; further ones are dropped.
MOST_WAITING = 100
#: Seconds for which events are collected before they are sent together.
COLLECTING = 0.5
#: Seconds for one request, and for the last one when the client is closed.
SEND_TIMEOUT = 2.0
LAST_SEND_TIMEOUT = 0.3

_Event = dict[str, str | float]


class Telemetry:
    """Sends events from a daemon thread. `record` never blocks and never raises.

    The thread starts with the first event. It ends after `finish`, or when the service refuses.
    """

    def __init__(self, http: HttpClient, *, enabled: bool) -> None:
        self._http = http
        self._enabled = enabled
        self._fork_guard = ForkGuard()
        self._events: queue.Queue[_Event | None] = queue.Queue(MOST_WAITING)
        self._starting = threading.Lock()  # held only while the thread is being started
        self._thread: threading.Thread | None = None
        self._finishing = threading.Event()
        self._end = Deadline.after(0)

    def record(self, event: str, **facts: str | float) -> None:
        """Queues an event.

        Args:
            event: Its name.
            facts: Names of this package's calls and classes, and numbers; nothing else.
        """
        if not (self._enabled and self._fork_guard.is_here) or self._finishing.is_set():
            return
        with contextlib.suppress(queue.Full):
            self._events.put_nowait({"event": event, "time": time.time(), **_ABOUT, **facts})
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="odyssey-telemetry", daemon=True
                )
                self._thread.start()

    def finish(self) -> None:
        """Takes no more events, and lets the thread send the waiting ones and end."""
        self._end = Deadline.after(LAST_SEND_TIMEOUT)
        self._finishing.set()
        with contextlib.suppress(queue.Full):
            self._events.put_nowait(None)

    def join(self) -> None:
        """Waits for the thread, at most `LAST_SEND_TIMEOUT` seconds after `finish`."""
        if self._thread is not None:
            self._thread.join(self._end.remaining())

    def _run(self) -> None:
        while True:
            events = [self._events.get()]
            self._finishing.wait(COLLECTING)
            with contextlib.suppress(queue.Empty):
                while True:
                    events.append(self._events.get_nowait())
            if not self._send([event for event in events if event is not None]):
                self._enabled = False
                return
            if self._finishing.is_set() and self._events.empty():
                return

    def _send(self, events: list[_Event]) -> bool:
        """Sends the events; returns False when further ones need not be sent."""
        if not events:
            return True
        seconds = LAST_SEND_TIMEOUT if self._finishing.is_set() else SEND_TIMEOUT
        try:
            self._http.post(
                "/telemetry", {"events": events}, Deadline.after(seconds), "telemetry was not sent"
            )
        except (OdysseyAuthError, ValueError) as exc:
            logger.debug("telemetry ends: %s", type(exc).__name__)
            return False
        except OdysseyError as exc:
            logger.debug("telemetry was not sent: %s", type(exc).__name__)
        except Exception:
            logger.debug("telemetry ends", exc_info=True)
            return False
        return True


_ABOUT: _Event = {
    "sdk": f"odyssey-sync/{__version__}",
    "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    "platform": sys.platform,
}


class Reporting(Protocol):
    @property
    def telemetry(self) -> Telemetry: ...


S = TypeVar("S", bound=Reporting)
P = ParamSpec("P")
R = TypeVar("R")


def reported(
    done: str | None,
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Decorates a method: records that it returned, or the class of the error that it raised.

    Args:
        done: The event's name when it returns; None records errors only.
    """

    def decorate(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        @functools.wraps(method)
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            began = time.monotonic()
            try:
                result = method(self, *args, **kwargs)
            except Exception as exc:
                self.telemetry.record("error", call=method.__name__, error=type(exc).__name__)
                raise
            if done is not None:
                self.telemetry.record(done, seconds=round(time.monotonic() - began, 3))
            return result

        return call

    return decorate
