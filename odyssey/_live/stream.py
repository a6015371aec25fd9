"""A stream as a context manager: it starts on entry and ends on exit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType

from odyssey._live.live_client import LiveClient
from odyssey._live.preview import Preview
from odyssey.errors import OdysseyError, OdysseyStreamError, printable
from odyssey.frames.frame import VideoFrame
from odyssey.frames.live_stream import LiveStream
from odyssey.frames.queue import FrameQueue

#: Seconds that ending may take on the way out with an exception.
END_AFTER_ERROR = 2.0


class Stream:
    """What `client.stream(...)` gives. Safe to share between threads.

    Example:
        ```python
        with client.stream("A cat on a windowsill") as stream:
            stream.interact("The cat stretches and yawns")
            for frame in stream:
                ...
        ```
    """

    def __init__(
        self,
        live: LiveClient,
        start: Callable[[], LiveStream],
        preview: Callable[[int | None, int], Preview],
    ) -> None:
        """`start` starts the stream; `preview` is the client's."""
        self._live = live
        self._start = start
        self._preview = preview
        self._started: LiveStream | None = None

    @property
    def id(self) -> str:
        """The stream's id, under which its recording is found.

        Raises:
            OdysseyStreamError: It has not been started.
        """
        return str(self._require_started().id)

    @property
    def applied_prompt(self) -> str | None:
        """This stream's prompt last acknowledged, as the service applied it; None before the start.

        Example:
            ```python
            stream.interact("The cat yawns")
            print(stream.applied_prompt)
            ```
        """
        return None if self._started is None else self._started.prompt

    @property
    def frames(self) -> FrameQueue:
        """The client's queue."""
        return self._live.fanout.main

    @property
    def is_active(self) -> bool:
        """Whether it has started and not ended yet.

        Example:
            ```python
            if stream.is_active:
                stream.interact("The cat yawns")
            ```
        """
        return self._started is not None and self._live.stream is self._started

    def interact(self, prompt: str, *, timeout: float | None = None) -> str:
        """As `client.interact`, for this stream.

        Raises:
            OdysseyStreamError: Also if it has not been started, or is over.

        Example:
            ```python
            applied = stream.interact("The cat yawns", timeout=10)
            ```
        """
        stream = self._require_started()
        return self._live.interact(prompt, self._live.deadline(timeout), stream)

    def preview(self, width: int | None = None, fps: int = 10) -> Preview:
        """As `client.preview`: live video in a notebook's cell, while this stream runs.

        Raises:
            OdysseyStreamError: Also if it has not been started, or is over.

        Example:
            ```python
            with client.stream("A cat on a windowsill") as stream:
                stream.preview(width=480)
                clip = stream.frames.stack(48)
            ```
        """
        self._live.require_running(self._require_started())
        return self._preview(width, fps)

    def end(self, *, timeout: float | None = None) -> None:
        """Ends it; does nothing if it is over. As `client.end_stream` otherwise.

        Example:
            ```python
            with client.stream("A cat on a windowsill") as stream:
                clip = stream.frames.take(48)
                stream.end()
            ```
        """
        if not self.is_active:
            return
        try:
            self._live.end(self._live.deadline(timeout), self._started)
        except OdysseyStreamError as exc:
            # The service had ended it by itself, and its word of that is still on the way.
            if exc.reason != "invalid_state":
                raise

    def __iter__(self) -> Iterator[VideoFrame]:
        """Its frames until it ends; raises what ended it if that was a failure."""
        return self.frames.frames_of(self._require_started())

    def __enter__(self) -> Stream:
        if self._started is not None:
            raise OdysseyStreamError(
                "a Stream can be entered once; call client.stream() again", reason="invalid_state"
            )
        self._started = self._start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self.end()
            return
        # What the body raised is what the caller needs to see, and soon: after Ctrl-C, say.
        with contextlib.suppress(OdysseyError):
            self.end(timeout=END_AFTER_ERROR)

    def __repr__(self) -> str:
        if self._started is None:
            return "<Stream not started>"
        return printable(f"<Stream {self._started.id} {'active' if self.is_active else 'over'}>")

    def _require_started(self) -> LiveStream:
        if self._started is None:
            raise OdysseyStreamError(
                "the stream has not been started; use `with client.stream(...) as stream:`",
                reason="not_started",
            )
        return self._started
