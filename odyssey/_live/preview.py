"""Live video in a cell of a notebook."""

from __future__ import annotations

import base64
import io
import logging
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from odyssey._checks import check_count
from odyssey._live.live_client import LiveClient
from odyssey.errors import OdysseyError, OdysseyStreamError
from odyssey.frames.queue import FrameQueue

if TYPE_CHECKING:
    from odyssey.frames.frame import VideoFrame

logger = logging.getLogger(__name__)

#: Seconds that `stop` waits for the thread, which finishes one picture at most.
JOIN_TIMEOUT = 1.0
#: The same for a client's `close`, whose own time is bounded.
CLOSE_JOIN_TIMEOUT = 0.1


class Preview:
    """Live video in a notebook's cell, updated by a thread of its own; made by `preview()`.

    It ends with the stream or the connection, or with `stop`; the last picture stays. As a context
    manager, it stops on exit. Safe to share between threads.

    Example:
        ```python
        with stream.preview():
            stream.interact("The cat yawns")
            clip = stream.frames.stack(48)
        ```
    """

    def __init__(self, queue: FrameQueue, width: int | None, fps: int) -> None:
        self._queue = queue
        self._width = width
        self._pause = 1 / fps
        self._stopped = threading.Event()
        self._show = _cell()
        self._thread = threading.Thread(target=self._run, name="odyssey-preview", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it still shows new frames."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends the preview; the stream goes on. Idempotent."""
        self.end()
        self.join(JOIN_TIMEOUT)

    def end(self) -> None:
        """Ends the preview without waiting for its thread."""
        self._stopped.set()
        self._queue.close()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def __enter__(self) -> Preview:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Preview {'running' if self.is_running else 'over'}>"

    def _ipython_display_(self) -> None:
        """Shows nothing: a cell that ends with `preview()` shows the video already."""

    def _run(self) -> None:
        try:
            for frame in self._queue:
                self._show(self._picture(frame))
                if self._stopped.wait(self._pause):
                    break
        except OdysseyError as exc:
            # The program gets the error where it reads frames or calls the client.
            logger.debug("the preview ended: %s", exc)
        except Exception:
            logger.exception("the preview failed, and has ended")
        finally:
            self._queue.close()

    def _picture(self, frame: VideoFrame) -> dict[str, str]:
        """Returns the frame in the formats that a notebook displays."""
        width = self._width or frame.width // 2
        image, buffer = frame.to_image(), io.BytesIO()
        image.thumbnail((width, image.height))
        image.save(buffer, "JPEG", quality=80)
        return {
            "image/jpeg": base64.b64encode(buffer.getvalue()).decode(),
            "text/plain": f"frame {frame.index}: {frame.prompt}",
        }


class Previews:
    """Keeps one preview for a client, so that a cell that is run again replaces its own."""

    def __init__(self, live: LiveClient) -> None:
        self._live = live
        # Guards `_current`; nothing waits while holding it.
        self._lock = threading.Lock()
        self._current: Preview | None = None

    def begin(self, width: int | None, fps: int) -> Preview:
        if width is not None:
            check_count(width, "width", 1)
        check_count(fps, "fps", 1, 60)
        self._live.require_connected("show a preview")
        if self._live.stream is None:
            raise OdysseyStreamError(
                "there is nothing to preview: no stream runs; start one first",
                reason="invalid_state",
            )
        # No timeout: a pause of the stream doesn't end the preview.
        queue = self._live.fanout.subscribe(1, "drop_oldest", None)
        try:
            preview = Preview(queue, width, fps)
        except BaseException:
            queue.close()
            raise
        with self._lock:
            before, self._current = self._current, preview
        if before is not None:
            before.end()
        return preview

    def close(self) -> None:
        """Ends the preview when the client closes."""
        with self._lock:
            preview, self._current = self._current, None
        if preview is not None:
            preview.end()
            preview.join(CLOSE_JOIN_TIMEOUT)


def _cell() -> Callable[[dict[str, str]], object]:
    """Makes an output in the running cell, and returns the function that updates its picture.

    Raises:
        OdysseyError: The program doesn't run in a notebook.
    """
    ipython: Any = sys.modules.get("IPython")  # a kernel has it loaded
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        raise OdysseyError(
            "preview() shows video in a notebook, and this program doesn't run in one: open it in "
            "Jupyter (pip install jupyterlab), or show the frames of `for frame in stream` yourself"
        )
    from IPython.display import DisplayHandle

    handle: Any = DisplayHandle()  # type: ignore[no-untyped-call, unused-ignore]
    handle.display({"text/plain": "The preview begins with the next frame."}, raw=True)
    return lambda picture: handle.update(picture, raw=True)
