"""The stream's clock goes on whatever painting takes: what is late is skipped, not queued."""

from __future__ import annotations

import itertools
import time
from typing import Any

import av
import pytest

from odyssey import Odyssey, VideoFrame
from odyssey.emulator import Emulator, read_frame_number
from odyssey.emulator.live import streamer_track
from odyssey.emulator.live.live_stream import LiveStream
from odyssey.emulator.painting.scene import Scene

pytestmark = pytest.mark.timing

SLOT_MS = 1000 / 24


def number(frame: VideoFrame) -> int | None:
    return read_frame_number(frame.data)


@pytest.mark.slow
def test_a_late_frame_is_skipped_and_not_queued(
    connected: Odyssey, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint = Scene.paint

    def slow(scene: Scene, number: int, at: float) -> av.VideoFrame:
        time.sleep(0.1)
        return paint(scene, number, at)

    monkeypatch.setattr(Scene, "paint", slow)
    frames: list[VideoFrame] = []
    with connected.stream("A cat") as stream:
        frames.append(stream.frames.get())
        while frames[-1].received_at - frames[0].received_at < 1.5:
            frames.append(stream.frames.get(timeout=5))
    frames += connected.frames  # those sent up to the end
    assert len(frames) >= 4
    assert [number(frame) for frame in frames] == list(range(len(frames)))

    first, last = frames[0], frames[-1]
    for earlier, later in itertools.pairwise(frames):
        step = later.timestamp_ms - earlier.timestamp_ms
        slots = round(step / SLOT_MS)
        assert slots >= 2, step
        assert abs(step - slots * SLOT_MS) <= 2, step
    for frame in frames:
        media = (frame.timestamp_ms - first.timestamp_ms) / 1000
        assert abs(media - (frame.received_at - first.received_at)) < 0.3

    recording = connected.recordings.wait(stream.id, timeout=10, interval=0.05)
    assert recording.duration_seconds is not None
    # The first frame is the stream's beginning, but for the slots that making ready took: on a
    # busy machine a few of these slow pictures.
    length = (last.timestamp_ms - first.timestamp_ms) / 1000
    assert length - 0.3 < recording.duration_seconds < length + 1.0


@pytest.mark.slow
def test_the_first_frame_is_number_0_when_setting_up_is_slow(
    connected: Odyssey, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = LiveStream.begin

    def slow(*args: Any, **kwargs: Any) -> LiveStream:
        time.sleep(0.25)
        return begin(*args, **kwargs)

    monkeypatch.setattr(LiveStream, "begin", slow)
    # So that a black frame is always asked for meanwhile; it waits for the painter.
    monkeypatch.setattr(streamer_track, "_IDLE_INTERVAL", 0.1)
    for prompt in ("A cat", "A dog", "A bird", "A fish", "A fox"):
        with connected.stream(prompt) as stream:
            assert [number(frame) for frame in stream.frames.take(3)] == [0, 1, 2], prompt
