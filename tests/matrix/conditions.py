"""What stands around a program and its calls, and is no fault of the service."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

import attrs

from tests.support.networks import black_holes

if TYPE_CHECKING:
    from tests.matrix.calls import Stage

#: Seconds that a look-up takes, and that a callback does.
LOOK_UP, CALLBACK = 8.0, 0.2
SILENT_ADDRESSES = 4
CALLBACKS = (
    *("on_connected", "on_disconnected", "on_video_frame", "on_stream_started", "on_stream_ended"),
    *("on_interact_acknowledged", "on_broadcast_ready", "on_stream_error", "on_error"),
    "on_status_change",
)


@attrs.frozen
class Condition:
    """A name, what it means, and what makes it so until it is left."""

    name: str
    description: str
    make: Callable[[Stage], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _slow_look_ups(_stage: Stage) -> Iterator[None]:
    plain, over = socket.getaddrinfo, threading.Event()

    def look_up(*args: Any, **kwargs: Any) -> Any:
        over.wait(LOOK_UP)
        return plain(*args, **kwargs)

    with mock.patch("socket.getaddrinfo", look_up):
        try:
            yield
        finally:
            over.set()


@contextlib.contextmanager
def _silent_addresses(_stage: Stage) -> Iterator[None]:
    hosts = [f"127.0.0.{2 + number}" for number in range(SILENT_ADDRESSES)]
    with black_holes(hosts) as port:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]
        with mock.patch("socket.getaddrinfo", return_value=found):
            yield


@contextlib.contextmanager
def _warnings_as_errors(_stage: Stage) -> Iterator[None]:
    """As with `python -W error`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _callbacks(callback: Callable[..., None]) -> Callable[[Stage], Any]:
    @contextlib.contextmanager
    def made(stage: Stage) -> Iterator[None]:
        stage.callbacks = dict.fromkeys(CALLBACKS, callback)
        yield
        stage.callbacks = {}

    return made


def _dawdle(*_args: object) -> None:
    time.sleep(CALLBACK)


def _fail(*_args: object) -> None:
    raise RuntimeError("a callback of the user's")


CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition("look-up slow", f"Each look-up of a name takes {LOOK_UP:g} s", _slow_look_ups),
        Condition(
            "addresses silent",
            f"The name has {SILENT_ADDRESSES} addresses, none of which answers",
            _silent_addresses,
        ),
        Condition("-W error", "Warnings are errors", _warnings_as_errors),
        Condition("callbacks slow", f"Every callback takes {CALLBACK:g} s", _callbacks(_dawdle)),
        Condition("callbacks raising", "Every callback raises", _callbacks(_fail)),
    )
}
