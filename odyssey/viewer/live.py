"""The viewer's live stream."""

from __future__ import annotations

import enum
import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import attrs

from odyssey._live.stream import Stream
from odyssey.client import Odyssey
from odyssey.errors import OdysseyError, OdysseyStreamError, OdysseyTimeoutError, printable
from odyssey.frames.frame import VideoFrame
from odyssey.viewer.texts import usable_id

CALL_SECONDS = 15.0
END_SECONDS = 5.0
#: The last picture is sent again after so long without a new one, to notice a page that is gone.
REPEAT_SECONDS = 2.0
QUALITY = 82
BOUNDARY = "frame"


class Phase(enum.Enum):
    """State of the stream."""

    IDLE = "idle"
    STARTING = "starting"
    LIVE = "live"
    ENDING = "ending"


@attrs.define(eq=False)
class Prompt:
    """A prompt and its result."""

    text: str
    at: float  # seconds since the stream was asked for
    applied: str | None = None
    milliseconds: float | None = None
    error: str | None = None

    def shown(self) -> dict[str, Any]:
        """It as the page shows it."""
        fields = attrs.asdict(self)
        return {
            name: printable(value) if isinstance(value, str) else value
            for name, value in fields.items()
        }


class _Parts:
    """Frames as parts of an MJPEG answer. All pages share the newest one that was made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the two below; held while one is made
        self._newest: VideoFrame | None = None
        self._part = b""

    def of(self, frame: VideoFrame) -> bytes:
        """The part of this frame, or of a newer one that another page has had already."""
        with self._lock:
            if self._newest is None or frame.received_at > self._newest.received_at:
                picture = io.BytesIO()
                frame.to_image().save(picture, "JPEG", quality=QUALITY)
                body = picture.getvalue()
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}"
                self._part = f"{head}\r\n\r\n".encode() + body + b"\r\n"
                self._newest = frame
            return self._part


class ViewerStream:
    """Starts, steers and ends one stream at a time; safe to call from any thread."""

    def __init__(self, client: Odyssey) -> None:
        self._client = client
        # Guards every field below; nobody waits for the service while holding it.
        self._lock = threading.Lock()
        self._phase = Phase.IDLE
        self._stream: Stream | None = None
        self._began = 0.0
        self._prompts: list[Prompt] = []
        self._error: str | None = None
        self._parts = _Parts()

    def start(self, prompt: str, *, portrait: bool) -> None:
        """Connects and starts a stream."""
        self._settle()
        with self._lock:
            if self._phase is not Phase.IDLE:
                raise OdysseyStreamError("a stream runs already; end it first")
            self._phase = Phase.STARTING
            self._began = time.monotonic()
            first = Prompt(prompt, 0.0)
            self._prompts, self._error, self._stream = [first], None, None
        stream = self._client.stream(prompt, portrait=portrait, timeout=CALL_SECONDS)
        try:
            self._client.connect(
                on_stream_error=self._note,
                on_stream_ended=self._settle,
                on_error=self._lost,
                timeout=CALL_SECONDS,
            )
            sent = time.monotonic()
            stream.__enter__()
        except Exception as exc:
            self._client.disconnect()
            with self._lock:
                first.error, self._phase = str(exc), Phase.IDLE
            raise
        with self._lock:
            first.milliseconds = (time.monotonic() - sent) * 1000
            first.applied = stream.applied_prompt
            self._stream, self._phase = stream, Phase.LIVE
        self._settle()  # it may be over already

    def interact(self, text: str) -> None:
        """Sends a prompt, and returns when it is acknowledged."""
        self._settle()
        with self._lock:
            if self._phase is not Phase.LIVE:
                raise OdysseyStreamError("no stream runs; start one first")
            sent = time.monotonic()
            prompt = Prompt(text, sent - self._began)
            self._prompts.append(prompt)
            self._error = None
        try:
            applied = self._client.interact(text, timeout=CALL_SECONDS)
        except (OdysseyError, ValueError) as exc:
            with self._lock:
                prompt.error = str(exc)
            raise
        with self._lock:
            prompt.applied = applied
            prompt.milliseconds = (time.monotonic() - sent) * 1000

    def end(self) -> None:
        """Ends the stream and releases the session; does nothing if there is none."""
        self._settle()
        with self._lock:
            stream = self._stream
            if self._phase is not Phase.LIVE or stream is None:
                return
            self._phase = Phase.ENDING
        try:
            stream.end(timeout=END_SECONDS)
        finally:
            self._client.disconnect()
            with self._lock:
                self._phase = Phase.IDLE

    def state(self) -> dict[str, Any]:
        """The state as the page shows it."""
        self._settle()
        with self._lock:
            stream = self._stream
            return {
                "phase": self._phase.value,
                "stream_id": None if stream is None else usable_id(stream.id),
                "seconds": time.monotonic() - self._began if self._phase is Phase.LIVE else None,
                "prompts": [prompt.shown() for prompt in self._prompts],
                "error": None if self._error is None else printable(self._error),
            }

    def pictures(self) -> Iterator[bytes]:
        """Yields the parts of an MJPEG answer until the stream ends."""
        with self._client.subscribe(maxsize=1) as frames:
            part = b""
            while True:
                try:
                    frame = frames.get(timeout=REPEAT_SECONDS)
                except OdysseyTimeoutError:
                    if part:
                        yield part
                    continue
                except OdysseyError:
                    return
                before, part = part, self._parts.of(frame)
                if part is not before:
                    yield part

    def _settle(self) -> None:
        """Disconnects if the service has ended the stream: an idle connection holds a streamer.

        Whoever notices the end first does it: the page, which asks for the state, or the callback.
        """
        with self._lock:
            stream = self._stream
            if self._phase is not Phase.LIVE or stream is None or stream.is_active:
                return
            self._phase = Phase.ENDING
            self._error = self._error or "the stream was ended by the service, or was lost"
        self._client.disconnect()
        with self._lock:
            self._phase = Phase.IDLE

    def _note(self, reason: str, message: str) -> None:
        with self._lock:
            self._error = f"{message or reason} ({reason})"

    def _lost(self, error: Exception, fatal: bool) -> None:
        """Perhaps after a look at the state that found the stream gone, and not why."""
        with self._lock:
            if fatal and self._phase is not Phase.STARTING:
                self._error = str(error)
