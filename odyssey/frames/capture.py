"""The live stream in place of `cv2.VideoCapture`, for code that was written for OpenCV."""

from __future__ import annotations

import collections
from collections.abc import Callable

from odyssey._runtime.deadline import Deadline
from odyssey.errors import OdysseyError
from odyssey.frames.frame import Array, VideoFrame
from odyssey.frames.queue import FrameQueue

# OpenCV's numbers of the properties, so that OpenCV itself isn't needed.
_POS_MSEC, _POS_FRAMES, _WIDTH, _HEIGHT, _FPS = 0, 1, 3, 4, 5

#: Programs ask for the size and the rate before they read: frames that are looked at for that, half
#: a second of them, and seconds that they may take.
_LOOK_AHEAD = 13
_LOOK_AHEAD_TIMEOUT = 3.0


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
        """Whether frames may come: connected, or some still wait; not released."""
        waiting = len(self._ahead) + len(self._queue)
        return not self._released and (self._is_connected() or waiting > 0)

    def open(self, *_: object) -> bool:
        """Whether it is open, as `isOpened` says: the client's stream is the only source."""
        return self.isOpened()

    def getBackendName(self) -> str:  # noqa: N802 - OpenCV's name
        """Returns "ODYSSEY"."""
        return "ODYSSEY"

    def read(self, image: Array | None = None) -> tuple[bool, Array | None]:
        """The next frame as (True, (height, width, 3) BGR); (False, None) when the stream is over.

        The array is the caller's own: C-contiguous, and may be drawn into.

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
        """The frame that `grab` went on to, as `read` gives it; (False, None) before the first.

        Args:
            image: As for `read`.
            flag: Of no use here: a stream has one picture at a time.
        """
        frame = self._last
        if self._released or frame is None:
            return False, None
        out = image if image is not None and _takes(image, frame) else None
        return True, frame.to_ndarray("bgr24", out=out)

    def get(self, prop: int) -> float:
        """`cv2.CAP_PROP_FRAME_WIDTH`, `_FRAME_HEIGHT` or `_FPS` of the stream, `_POS_MSEC` or
        `_POS_FRAMES` of what was read so far; 0.0 for others.

        Before the first `read` it looks ahead for the size and the rate: half a second of the
        stream, which `read` then begins with. Where no stream runs they are 0.0.
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
        """False: a stream is as the service sends it."""
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
            except OdysseyError:  # that is for `read` to say
                return

    def _measured(self, prop: int) -> float:
        """The width, height or rate of the frames there were."""
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
