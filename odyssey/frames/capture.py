"""The live stream with the methods of `cv2.VideoCapture`, for code written with OpenCV."""

from __future__ import annotations

import collections
from collections.abc import Callable

from odyssey._runtime.deadline import Deadline
from odyssey.errors import OdysseyError
from odyssey.frames.frame import Array, VideoFrame
from odyssey.frames.queue import FrameQueue

# OpenCV's numbers for the properties, so that OpenCV isn't required.
_POS_MSEC, _POS_FRAMES, _WIDTH, _HEIGHT, _FPS = 0, 1, 3, 4, 5

#: Programs ask for the size and the frame rate before they read. These are the frames that are read
#: ahead to measure them, half a second, and the seconds to wait for those frames.
_LOOK_AHEAD = 13
_LOOK_AHEAD_TIMEOUT = 3.0


class Capture:
    """Reads the live stream as a `cv2.VideoCapture` does; returned by `client.capture()`.

    It gets the frames from then on, through a queue of its own. For one thread.

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

    def __init__(
        self,
        queue: FrameQueue,
        is_connected: Callable[[], bool],
        is_streaming: Callable[[], bool],
    ) -> None:
        self._queue = queue
        self._is_connected = is_connected
        self._is_streaming = is_streaming
        self._released = False
        self._ahead: collections.deque[VideoFrame] = collections.deque()
        self._first: VideoFrame | None = None
        self._last: VideoFrame | None = None
        self._count = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether frames may come: not released, and connected or with frames waiting."""
        waiting = len(self._ahead) + len(self._queue)
        return not self._released and (self._is_connected() or waiting > 0)

    def open(self, *_: object) -> bool:
        """Returns `isOpened()`: the client's stream is the only source."""
        return self.isOpened()

    def getBackendName(self) -> str:  # noqa: N802 - OpenCV's name
        """Returns "ODYSSEY"."""
        return "ODYSSEY"

    def read(self, image: Array | None = None) -> tuple[bool, Array | None]:
        """Returns True and the next frame in BGR, or (False, None) when the stream is over.

        The array (height, width, 3) is C-contiguous and the caller's own, to be drawn into.

        Args:
            image: An array to write the frame into, and to return, where it has the frame's shape
                and dtype; otherwise it is left alone and a new one is returned, as OpenCV does.

        Raises:
            OdysseyTimeoutError, OdysseyConnectionError, StreamDurationExceededError: As
                `FrameQueue.get`.
        """
        return self.retrieve(image) if self.grab() else (False, None)

    def grab(self) -> bool:
        """Goes on to the next frame without converting it; False when the stream is over.

        Raises:
            As `read`.
        """
        if self._released:
            return False
        frame = self._ahead.popleft() if self._ahead else next(iter(self._queue), None)
        if frame is None:
            return False
        self._first = self._first or frame
        self._last = frame
        self._count += 1
        return True

    def retrieve(self, image: Array | None = None, flag: int = 0) -> tuple[bool, Array | None]:  # noqa: ARG002 - OpenCV's
        """Returns the frame that `grab` went on to, as `read` does; (False, None) before the first.

        Args:
            image: As for `read`.
            flag: Ignored: a stream has one picture at a time.
        """
        frame = self._last
        if self._released or frame is None:
            return False, None
        out = image if image is not None and _takes(image, frame) else None
        return True, frame.to_ndarray("bgr24", out=out)

    def get(self, prop: int) -> float:
        """Returns a property of the stream; 0.0 for an unknown one.

        Before the first `read`, it reads half a second of the stream ahead to measure the size and
        the frame rate; `read` then begins with those frames. Without a stream they are 0.0.

        Args:
            prop: `cv2.CAP_PROP_FRAME_WIDTH`, `_FRAME_HEIGHT` or `_FPS`; or `_POS_MSEC` or
                `_POS_FRAMES`, the position after the frames that were read.
        """
        if prop in (_WIDTH, _HEIGHT, _FPS):
            if self._last is None and not self._ahead:
                self._look_ahead()
            return self._measured(prop)
        if prop == _POS_FRAMES:
            return float(self._count)
        if prop == _POS_MSEC and self._first is not None and self._last is not None:
            return float(self._last.timestamp_ms - self._first.timestamp_ms)
        return 0.0

    def set(self, _prop: int, _value: float) -> bool:
        """Returns False: no property of a stream can be set."""
        return False

    def release(self) -> None:
        """Ends the capture; the stream goes on. Idempotent."""
        self._released = True
        self._ahead.clear()
        self._queue.close()

    def _look_ahead(self) -> None:
        deadline = Deadline.after(_LOOK_AHEAD_TIMEOUT if self._is_streaming() else 0)
        while len(self._ahead) < _LOOK_AHEAD:
            try:
                self._ahead.append(self._queue.get(deadline.remaining()))
            except OdysseyError:  # `read` raises it
                return

    def _measured(self, prop: int) -> float:
        """Returns the width, height or frame rate of the frames so far."""
        first = self._first or (self._ahead[0] if self._ahead else None)
        last = self._ahead[-1] if self._ahead else self._last
        if first is None or last is None:
            return 0.0
        if prop == _FPS:
            milliseconds = last.timestamp_ms - first.timestamp_ms
            return (last.index - first.index) * 1000 / milliseconds if milliseconds else 0.0
        return float(last.width if prop == _WIDTH else last.height)


def _takes(image: Array, frame: VideoFrame) -> bool:
    """Whether a frame can be written into this array."""
    return (
        getattr(image, "shape", None) == (frame.height, frame.width, 3)
        and image.dtype == "uint8"
        and image.flags.c_contiguous
        and image.flags.writeable
    )
