"""The ways to a client's frames, besides `frames` itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey._state import State

if TYPE_CHECKING:
    from odyssey._preview import Preview, Previews
    from odyssey.capture import Capture
    from odyssey.frame_queue import FrameQueue, Overflow


class Views(State):
    """Each looks at the same frames, and none gets in another's way."""

    _previews: Previews

    def subscribe(self, maxsize: int = 32, overflow: Overflow = "drop_oldest") -> FrameQueue:
        """One more queue of the same frames, independent of `frames`; close it when done.

        Args:
            maxsize: frames that it holds; 1 keeps the newest only.
            overflow: when full, `"drop_oldest"` or `"drop_newest"`.

        Example:
            ```python
            with client.subscribe(maxsize=1) as newest:
                frame = newest.get()
            ```
        """
        return self._live.subscribe(maxsize, overflow)

    def capture(self) -> Capture:
        """A stand-in for `cv2.VideoCapture` in code written for OpenCV.

        Example:
            ```python
            capture = client.capture()
            ok, picture = capture.read()                # (1280, 704, 3) uint8, BGR
            ```
        """
        from odyssey.capture import Capture

        return Capture(
            self.subscribe(), lambda: self.is_connected, lambda: self._live.stream_id is not None
        )

    def preview(self, width: int | None = None, fps: int = 10) -> Preview:
        """Shows the running stream in the output of a notebook's cell, and returns at once.

        A thread of its own paints the newest frame there, until the stream or the connection ends,
        the preview is stopped, or another one begins. It takes nothing from `frames` and delays
        nothing; an error in it is logged.

        Args:
            width: pixels; without one, half of the video's. Pictures are never enlarged.
            fps: pictures a second, at most; 1 to 60.

        Raises:
            ValueError, TypeError: an argument is wrong.
            OdysseyStreamError: not connected, or no stream runs.
            OdysseyError: this is no notebook.

        Example:
            ```python
            client.start_stream("A cat on a windowsill")
            preview = client.preview()                  # goes on while further cells run
            client.interact("The cat yawns")
            preview.stop()
            ```
        """
        return self._previews.begin(width, fps)
