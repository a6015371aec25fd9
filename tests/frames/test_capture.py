"""The usual OpenCV loop, over the live stream."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from odyssey import Odyssey

pytestmark = pytest.mark.timing

WIDTH, HEIGHT, FPS, POS_FRAMES, OTHER = 3, 4, 5, 1, 38


def test_the_usual_loop(connected: Odyssey) -> None:
    capture = connected.capture()
    rgb = connected.subscribe(maxsize=200)
    assert capture.get(WIDTH) == 0
    count = 0
    with connected.stream("A cat", portrait=False) as stream:
        while capture.isOpened():
            ok, picture = capture.read()
            if not ok:
                break
            assert picture is not None
            assert np.array_equal(picture[:, :, ::-1], rgb.get().data)
            count += 1
            if count == 12:
                stream.end()
    assert count >= 12
    assert (capture.get(WIDTH), capture.get(HEIGHT)) == (1280, 704)
    assert capture.get(POS_FRAMES) == count
    assert 5 < capture.get(FPS) < 60
    assert capture.get(OTHER) == 0
    capture.release()
    capture.release()
    assert not capture.isOpened()
    assert capture.read() == (False, None)
    rgb.close()


def test_a_program_of_opencv(connected: Odyssey, tmp_path: Path) -> None:
    """It asks for size and rate before it reads, draws into the frames, and writes a video."""
    path = str(tmp_path / "out.avi")
    with connected.stream("A cat", portrait=False):
        capture = connected.capture()
        assert capture.isOpened()
        fps = capture.get(cv2.CAP_PROP_FPS)
        size = (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        assert size == (1280, 704)
        assert 5 < fps < 60
        assert not capture.set(cv2.CAP_PROP_FPS, 12)
        assert capture.get(cv2.CAP_PROP_POS_FRAMES) == 0
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
        assert writer.isOpened()
        for _ in range(16):  # more than it looked ahead
            ok, picture = capture.read()
            assert ok
            assert picture is not None
            cv2.putText(picture, "live", (40, 80), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255))
            assert cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).shape == (704, 1280)
            writer.write(picture)
        writer.release()
        assert capture.grab()
        assert capture.retrieve()[0]
        assert capture.get(cv2.CAP_PROP_POS_FRAMES) == 17
        capture.release()
    assert cv2.VideoCapture(path).get(cv2.CAP_PROP_FRAME_COUNT) == 16
