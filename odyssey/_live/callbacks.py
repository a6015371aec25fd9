"""The user's callbacks, on threads of their own: they may sleep, block, or raise."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from odyssey._live.event_queue import Event, EventQueue
from odyssey._runtime.deadline import Deadline
from odyssey.frames.frame import VideoFrame
from odyssey.models import BroadcastInfo, ConnectionStatus

logger = logging.getLogger(__name__)

VideoFrameCallback = Callable[[VideoFrame], object]
ConnectedCallback = Callable[[], object]
DisconnectedCallback = Callable[[], object]
StreamStartedCallback = Callable[[str], object]
StreamEndedCallback = Callable[[], object]
InteractAcknowledgedCallback = Callable[[str], object]
BroadcastReadyCallback = Callable[[BroadcastInfo], object]
StreamErrorCallback = Callable[[str, str], object]
ErrorCallback = Callable[[Exception, bool], object]
StatusChangeCallback = Callable[[ConnectionStatus, str | None], object]

#: Frames that wait for a slow `on_video_frame`: the newest, and one while the next is fetched.
FRAME_BACKLOG = 2

#: The threads' names.
_EVENTS, _FRAMES = "odyssey-events", "odyssey-frames"


@attrs.define(slots=False)
class OdysseyEventHandlers:
    """The callbacks of a connection; what each is called with, its type says.

    Example:
        ```python
        handlers = OdysseyEventHandlers(on_stream_started=print)
        client.connect(**vars(handlers))
        ```
    """

    on_connected: ConnectedCallback | None = None
    on_disconnected: DisconnectedCallback | None = None
    on_video_frame: VideoFrameCallback | None = None
    on_stream_started: StreamStartedCallback | None = None
    on_stream_ended: StreamEndedCallback | None = None
    on_interact_acknowledged: InteractAcknowledgedCallback | None = None
    on_broadcast_ready: BroadcastReadyCallback | None = None
    on_stream_error: StreamErrorCallback | None = None
    on_error: ErrorCallback | None = None
    on_status_change: StatusChangeCallback | None = None

    def __attrs_post_init__(self) -> None:
        for name, value in self._all().items():
            if value is not None and not callable(value):
                raise TypeError(f"{name} must be callable or None, not {type(value).__name__}")

    @classmethod
    def among(cls, arguments: Mapping[str, Any]) -> OdysseyEventHandlers:
        """Those among the arguments of a call.

        Args:
            arguments: By name, such as `locals()` at the beginning of a function.
        """
        return cls(**{name: arguments[name] for name in attrs.fields_dict(cls)})

    def given(self) -> dict[str, Callable[..., object]]:
        """Those that are not None, by name."""
        return {name: value for name, value in self._all().items() if value is not None}

    def _all(self) -> dict[str, Any]:
        return attrs.asdict(self, recurse=False)


class Callbacks:
    """Runs the handlers of one connection: events in order on one thread, frames on another.

    `emit` and `frame` never block. Both threads end by themselves after `finish`.
    """

    def __init__(self, handlers: OdysseyEventHandlers) -> None:
        self._handlers = handlers
        self._events = EventQueue()
        # Its lock guards the fields below; `_handlers` is replaced as a whole, and read without it.
        self._frame_came = threading.Condition()
        self._frames: collections.deque[VideoFrame] = collections.deque()
        self._delivered = 0
        self._dropped = 0
        self._finished = False
        self._threads: dict[str, threading.Thread] = {}
        self._start_threads()

    @property
    def frames_delivered(self) -> int:
        """Frames that `on_video_frame` was called with."""
        return self._delivered

    @property
    def frames_dropped(self) -> int:
        """Frames that `on_video_frame` was too slow for."""
        return self._dropped

    def replace(self, handlers: OdysseyEventHandlers) -> None:
        """Those that are given take the place of the present ones, from the next event on."""
        with self._frame_came:
            if not self._finished:
                self._handlers = attrs.evolve(self._handlers, **handlers.given())
                self._start_threads()

    def emit(self, name: str, *args: object) -> None:
        """Has the handler `name` called, after those emitted before."""
        if self._threads and not self._finished:
            self._events.put(name, args, fatal=name == "on_error")

    def frame(self, frame: VideoFrame) -> None:
        """Has `on_video_frame` called, if it comes to it before newer ones push this one out."""
        if self._handlers.on_video_frame is None:
            return
        with self._frame_came:
            if self._finished:
                return
            if len(self._frames) >= FRAME_BACKLOG:
                self._frames.popleft()
                self._dropped += 1
            self._frames.append(frame)
            self._frame_came.notify()

    def finish(self) -> None:
        """No more will come: the events emitted are still delivered, then the threads end."""
        with self._frame_came:
            if self._finished:
                return
            self._finished = True
            self._dropped += len(self._frames)
            self._frames.clear()
            self._frame_came.notify()
            if _FRAMES not in self._threads:
                self._events.end()

    def join(self, deadline: Deadline) -> None:
        """Waits for the threads until `deadline`; not for the one it is called from."""
        for thread in self._threads.values():
            if thread is not threading.current_thread():
                thread.join(deadline.remaining())

    def _start_threads(self) -> None:
        if self._handlers.given():
            self._start(_EVENTS, self._run_events)
        if self._handlers.on_video_frame is not None:
            self._start(_FRAMES, self._run_frames)

    def _start(self, name: str, target: Callable[[], None]) -> None:
        if name not in self._threads:
            thread = self._threads[name] = threading.Thread(target=target, name=name, daemon=True)
            thread.start()

    def _run_events(self) -> None:
        while (event := self._events.get()) is not None:
            failure = self._call(*event)
            if failure is not None:
                self._call(*failure)

    def _run_frames(self) -> None:
        while True:
            with self._frame_came:
                self._frame_came.wait_for(lambda: self._frames or self._finished)
                if self._finished:
                    break
                frame = self._frames.popleft()
                self._delivered += 1
            failure = self._call("on_video_frame", (frame,))
            if failure is not None:
                self._events.put(*failure)
        self._events.end()  # the last word: after `finish` nothing else is emitted

    def _call(self, name: str, args: tuple[object, ...]) -> Event | None:
        """Calls a handler; the event that tells of it, if it raised."""
        handler = getattr(self._handlers, name)
        if handler is None:
            return None
        try:
            handler(*args)
        except BaseException as exc:
            logger.exception("the callback %s raised", name)
            return None if name == "on_error" else ("on_error", (exc, False))
        return None
