"""The usual OpenCV loop, over the live stream."""

from __future__ import annotations

import numpy as np

from odyssey import Odyssey

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
