"""The live stream in an OpenCV window, with the loop that OpenCV programs have. Q ends it.

    python examples/opencv_window.py [SECONDS]

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set. Needs opencv-python; with
opencv-python-headless, which has no windows, the last picture is saved instead.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
from service import open_client

from odyssey.frames.capture import Capture

TITLE = "odyssey: Q ends it"


def edges(picture: np.ndarray) -> np.ndarray:
    """The picture with its outlines on top: BGR in, BGR out."""
    outlines = cv2.Canny(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 60, 120)
    picture[outlines > 0] = (0, 255, 255)
    return picture


def show(picture: np.ndarray) -> bool:
    """Shows it; whether the person wants more. Where there are no windows, they always do."""
    try:
        cv2.imshow(TITLE, picture)
        return cv2.waitKey(1) & 0xFF not in (ord("q"), ord("Q"))
    except cv2.error:
        return True


def play(capture: Capture, seconds: float) -> np.ndarray | None:
    """Until the stream ends, the time is over, or Q; the last picture."""
    picture = None
    while capture.isOpened() and capture.get(cv2.CAP_PROP_POS_MSEC) < seconds * 1000:
        ok, taken = capture.read()
        if not ok or taken is None:
            break
        picture = edges(taken)
        if not show(picture):
            break
    return picture


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with open_client() as client:
        client.connect()
        with client.stream("A train crossing a bridge", portrait=False):
            capture = client.capture()
            width = capture.get(cv2.CAP_PROP_FRAME_WIDTH)
            height = capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
            print(f"{width:.0f}x{height:.0f}, {capture.get(cv2.CAP_PROP_FPS):.0f} frames/s")
            picture = play(capture, seconds)
            print(f"{capture.get(cv2.CAP_PROP_POS_FRAMES):.0f} frames with outlines")
            capture.release()
    if picture is not None:
        cv2.imwrite("opencv.png", picture)
        print("opencv.png: the last one")


if __name__ == "__main__":
    main()
