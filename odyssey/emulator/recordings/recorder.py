"""Recording one stream to files, while it runs: video, preview, thumbnail and log of events."""

from __future__ import annotations

import json
import logging
import threading
import time
from bisect import bisect_left
from collections import deque
from pathlib import Path
from typing import Any

import attrs
import av

from odyssey._video.writing.mp4 import Mp4File
from odyssey.emulator.recordings.folder import make_private
from odyssey.emulator.recordings.preview import PreviewFile, save_thumbnail

__all__ = ["Recorder", "RecordingSummary"]

logger = logging.getLogger(__name__)

_THREAD_NAME = "odyssey-recorder"
_PARTIAL = ".part"

# Frames that may wait for the encoder: 2.7 s at 24 a second, 86 MB at 704 by 1280. Beyond them
# `add` waits until a frame has been encoded. The stream slows down, with a warning, rather
# than that the recording lacks something that was sent or that memory grows without end.
_MOST_WAITING = 64

# Seconds from the first frame; the stream has settled by then, and no frame is kept till the end.
_THUMBNAIL_AT = 1.0


@attrs.frozen
class RecordingSummary:
    """A finished recording: frames, seconds (to the end of the last one) and size in pixels."""

    frame_count: int
    duration_seconds: float
    width: int
    height: int


@attrs.frozen(eq=False)
class _Sent:
    frame: av.VideoFrame
    at: float


class Recorder:
    """Writes `video.mp4`, `events.jsonl`, `thumbnail.jpg` and `preview.mp4` into `folder`.

    The files have other names until `finish` renames them: one that carries its name is complete.
    `add` and `event` may be called from any thread; encoding happens on the recorder's own one.
    """

    def __init__(self, folder: Path, width: int, height: int) -> None:
        self._folder = Path(folder)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        make_private(self._folder)
        for stale in self._partials():  # or a link, to write through
            stale.unlink()
        self._width, self._height = width, height
        self._times: list[float] = []
        self._waiting: deque[_Sent] = deque()
        self._changed = threading.Condition()  # guards the queue, the times and the flags
        self._closing = False
        self._warned = False
        self._began = 0.0  # on the clock, when the stream was at 0
        self._aborted = False
        self._failure: BaseException | None = None
        self._summary: RecordingSummary | None = None
        self._duration = 0.0
        self._finishing = threading.Lock()  # one finish or abort at a time
        self._events = self._partial("events.jsonl").open(
            "x", encoding="utf-8", errors="backslashreplace"
        )
        self._thread = threading.Thread(target=self._run, name=_THREAD_NAME, daemon=True)
        self._thread.start()

    def add(self, frame: av.VideoFrame, at: float) -> None:
        """Records `frame`, shown from `at` seconds of stream time; its picture must stay as it is.

        Returns at once, unless the encoder is far behind (64 frames).

        Raises:
            ValueError: The frame is of another size.
            RuntimeError: After `finish` or `abort`.
        """
        if (frame.width, frame.height) != (self._width, self._height):
            raise ValueError(
                f"frame: expected {self._width}x{self._height}, got {frame.width}x{frame.height}"
            )
        with self._changed:
            self._check_open()
            if len(self._waiting) >= _MOST_WAITING:
                self._changed.wait_for(lambda: len(self._waiting) < _MOST_WAITING or self._closing)
                self._check_open()
                self._warn_if_late(at)
            if not self._times:
                self._began = time.monotonic() - at
            self._times.append(at)
            self._waiting.append(_Sent(frame, at))
            self._changed.notify_all()

    def event(
        self,
        type: str,
        at: float,
        *,
        prompt: str | None = None,
        applied_prompt: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Logs what happened at `at` seconds of stream time, with the first frame that shows it.

        Raises:
            RuntimeError: After `finish` or `abort`.
        """
        fields: dict[str, Any] = {"timestamp_ms": round(at * 1000), "type": type}
        optional = {"prompt": prompt, "applied_prompt": applied_prompt, "reason": reason}
        fields.update({name: value for name, value in optional.items() if value is not None})
        with self._changed:
            self._check_open()
            fields["frame"] = bisect_left(self._times, at)
            self._events.write(json.dumps(fields, ensure_ascii=False) + "\n")
            self._events.flush()

    def finish(self, at: float) -> RecordingSummary:
        """Waits for the encoder, closes the files and gives them their names.

        `at` is when the stream ended, in seconds of its time. Called again it returns the same
        summary. A stream without frames leaves the log of events only. Raises what the encoder
        failed with, having removed the files, and RuntimeError after `abort`.
        """
        with self._finishing:
            if self._summary is not None:
                return self._summary
            if self._aborted:
                raise RuntimeError(f"recording of {self._folder.name} was given up")
            self._stop()
            if self._failure is not None:
                self._discard()
                raise self._failure
            for partial in self._partials():
                partial.chmod(0o600)
                partial.replace(partial.with_suffix(""))
            self._summary = RecordingSummary(
                len(self._times), self._duration, self._width, self._height
            )
            logger.debug("recorded %s: %s, ended at %.3f s", self._folder.name, self._summary, at)
            return self._summary

    def abort(self) -> None:
        """Gives the recording up and removes its files; does nothing after `finish`."""
        with self._finishing:
            if self._summary is None and not self._aborted:
                self._aborted = True
                self._stop()
                self._discard()

    def _warn_if_late(self, at: float) -> None:
        # What is made faster than it plays, as simulations are, waits here all the time: no harm.
        if not self._warned and time.monotonic() - self._began > at:
            self._warned = True
            logger.warning(
                "recording of %s: the encoder is behind, so the stream has to wait",
                self._folder.name,
            )

    def _check_open(self) -> None:
        if self._closing:
            raise RuntimeError(f"recording of {self._folder.name} is closed")

    def _partial(self, name: str) -> Path:
        return self._folder / (name + _PARTIAL)

    def _partials(self) -> list[Path]:
        return sorted(self._folder.glob("*" + _PARTIAL))

    def _stop(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._events.close()

    def _discard(self) -> None:
        self._aborted = True
        for partial in self._partials():
            partial.unlink()
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _next(self) -> _Sent | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._aborted or not self._waiting:
                self._waiting.clear()
                return None
            sent = self._waiting.popleft()
            self._changed.notify_all()
            return sent

    def _run(self) -> None:
        try:
            self._encode()
        except Exception as exc:
            logger.exception("recording of %s failed", self._folder.name)
            with self._changed:
                self._failure = exc
                self._closing = True
                self._waiting.clear()
                self._changed.notify_all()

    def _encode(self) -> None:
        first = self._next()
        if first is None:
            return
        thumbnail: av.VideoFrame | None = first.frame
        with (
            Mp4File(self._partial("video.mp4"), self._width, self._height) as video,
            PreviewFile(self._partial("preview.mp4"), self._width, self._height) as preview,
        ):
            sent: _Sent | None = first
            while sent is not None:
                video.add(sent.frame, sent.at)
                preview.add(sent.frame, sent.at)
                if thumbnail is not None:
                    thumbnail = sent.frame
                    if sent.at >= first.at + _THUMBNAIL_AT:
                        save_thumbnail(thumbnail, self._partial("thumbnail.jpg"))
                        thumbnail = None
                sent = self._next()
        if thumbnail is not None:
            save_thumbnail(thumbnail, self._partial("thumbnail.jpg"))
        self._duration = video.duration
