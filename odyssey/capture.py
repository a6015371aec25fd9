"""The live stream in place of `cv2.VideoCapture`, for code that was written for OpenCV."""

from __future__ import annotations

from collections.abc import Callable

from odyssey.frame_queue import FrameQueue
from odyssey.frames import Array, VideoFrame

# OpenCV's numbers of the properties, so that OpenCV itself isn't needed.
_POS_MSEC, _POS_FRAMES, _WIDTH, _HEIGHT, _FPS = 0, 1, 3, 4, 5


class Capture:
    """What `client.capture()` gives: the frames from then on, through a queue of its own.

    For one thread, as a `cv2.VideoCapture` is.

    Example:
        ```python
        capture = client.capture()
        while capture.isOpened():
            ok, picture = capture.read()            # (1280, 704, 3) uint8, BGR
            if not ok:
                break
            cv2.imshow("live", picture)
        capture.release()
        ```
    """

    def __init__(self, queue: FrameQueue, is_connected: Callable[[], bool]) -> None:
        self._queue = queue
        self._is_connected = is_connected
        self._released = False
        self._first: VideoFrame | None = None
        self._last: VideoFrame | None = None
        self._count = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether frames may come: connected, or some still wait; not released."""
        return not self._released and (self._is_connected() or len(self._queue) > 0)

    def read(self) -> tuple[bool, Array | None]:
        """The next frame as (True, (height, width, 3) BGR); (False, None) when the stream is over.

        Raises:
            OdysseyTimeoutError, OdysseyConnectionError, StreamDurationExceededError: as
                `FrameQueue.get`.
        """
        if self._released:
            return False, None
        for frame in self._queue:
            self._first = self._first or frame
            self._last = frame
            self._count += 1
            return True, frame.to_ndarray("bgr24")
        return False, None

    def get(self, prop: int) -> float:
        """`cv2.CAP_PROP_FRAME_WIDTH`, `_FRAME_HEIGHT`, `_FPS`, `_POS_MSEC` or `_POS_FRAMES` of what
        was read so far; 0.0 for others, and before the first frame.
        """
        first, last = self._first, self._last
        if first is None or last is None:
            return 0.0
        milliseconds = last.timestamp_ms - first.timestamp_ms
        values = {
            _POS_MSEC: milliseconds,
            _POS_FRAMES: self._count,
            _WIDTH: last.width,
            _HEIGHT: last.height,
            _FPS: (last.index - first.index) * 1000 / milliseconds if milliseconds else 0,
        }
        return float(values.get(prop, 0))

    def release(self) -> None:
        """Ends the capture; the stream goes on. Idempotent."""
        self._released = True
        self._queue.close()
