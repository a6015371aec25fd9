"""A live frame stays as the decoder made it until somebody reads it, in the reader's thread."""

from __future__ import annotations

import threading

import pytest

from odyssey import Odyssey
from odyssey._video.picture import DecodedPicture
from odyssey.frames.frame import Array
from tests.support.helpers import wait_until

pytestmark = pytest.mark.timing


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The thread of each conversion."""
    threads: list[str] = []
    write = DecodedPicture._write

    def recorded(picture: DecodedPicture, format: str, out: Array) -> None:
        threads.append(threading.current_thread().name)
        write(picture, format, out)

    monkeypatch.setattr(DecodedPicture, "_write", recorded)
    return threads


def test_a_frame_is_converted_once_and_by_its_reader(
    connected: Odyssey, conversions: list[str]
) -> None:
    subscription = connected.subscribe()
    with connected.stream("A cat"):
        wait_until(lambda: connected.frames.stats.received >= 12, what="12 frames")
        frame, same = connected.frames.get(), subscription.get()
        assert frame.timestamp_ms == same.timestamp_ms
        assert conversions == []  # handed out, but not read

        data = frame.data
        assert data.shape == (1280, 704, 3)
        assert frame.data is data
        assert same.data is data
        assert conversions == [threading.current_thread().name]

        received = connected.frames.stats.received
        wait_until(lambda: connected.frames.stats.received >= received + 3, what="3 more")
    subscription.close()
    assert conversions == [threading.current_thread().name]  # never on "odyssey-media"
