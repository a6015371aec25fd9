"""Recording a stream: what is in the files is what was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from odyssey.emulator.painting.scene import Scene, read_frame_number
from odyssey.emulator.recordings import recorder as module
from odyssey.emulator.recordings.recorder import Recorder, RecordingSummary
from tests.emulator.conftest import Complaints

SIZE = (352, 640)
FILES = {"video.mp4", "preview.mp4", "thumbnail.jpg", "events.jsonl"}
INTERVAL = 1 / 24


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert "odyssey-recorder" not in {thread.name for thread in threading.enumerate()}


@pytest.fixture(scope="module")
def frames() -> list[av.VideoFrame]:
    scene = Scene("A fox runs through the forest, snow", *SIZE)
    return [scene.paint(number, number * INTERVAL) for number in range(144)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def key_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
        return [float((p.pts or 0) * p.time_base) for p in packets if p.is_keyframe]


def seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        assert container.duration is not None
        return container.duration / av.time_base


def record(folder: Path, frames: list[av.VideoFrame], times: list[float]) -> RecordingSummary:
    recorder = Recorder(folder, *SIZE)
    for frame, at in zip(frames, times, strict=True):
        recorder.add(frame, at)
    return recorder.finish(times[-1] + INTERVAL)


class TestVideo:
    def test_is_what_was_sent(self, tmp_path: Path, frames: list[av.VideoFrame]) -> None:
        folder = tmp_path / "streams" / "one"
        times = [index * INTERVAL for index in range(len(frames))]
        summary = record(folder, frames, times)
        assert summary.duration_seconds == pytest.approx(6.0, abs=1e-3)
        assert summary == RecordingSummary(144, summary.duration_seconds, *SIZE)
        assert names(folder) == FILES
        shown = decoded(folder / "video.mp4")
        assert [read_frame_number(each.to_ndarray(format="rgb24")) for each in shown] == [
            *range(144)
        ]
        assert [each.time for each in shown] == pytest.approx(times, abs=1e-3)
        assert seconds(folder / "video.mp4") == pytest.approx(summary.duration_seconds, abs=0.02)

    def test_keeps_the_times_when_frames_are_skipped(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        kept = [index for index in range(144) if index % 7 not in {2, 3} and not 60 < index < 75]
        times = [0.25 + index * INTERVAL for index in kept]
        summary = record(tmp_path, [frames[index] for index in kept], times)
        shown = decoded(tmp_path / "video.mp4")
        assert [each.time for each in shown] == pytest.approx(times, abs=1e-3)
        assert summary.frame_count == len(kept)
        assert summary.duration_seconds == pytest.approx(times[-1] + INTERVAL, abs=INTERVAL)
        whole = seconds(tmp_path / "video.mp4")
        assert whole == pytest.approx(summary.duration_seconds, abs=0.25 + INTERVAL)

    def test_has_a_key_frame_every_two_seconds(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        times = [index * 0.1 for index in range(len(frames))]  # fewer frames than usual
        record(tmp_path, frames, times)
        keys = key_times(tmp_path / "video.mp4")
        assert keys[0] == 0.0
        assert max(np.diff([*keys, times[-1]])) <= 2.0

    def test_can_be_played_while_it_is_loaded(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        record(tmp_path, frames[:10], [index * INTERVAL for index in range(10)])
        data = (tmp_path / "video.mp4").read_bytes()
        assert 0 < data.find(b"moov") < data.find(b"mdat")
        with av.open(str(tmp_path / "video.mp4")) as container:
            context = container.streams.video[0].codec_context
            assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
            assert (context.width, context.height) == SIZE

    def test_in_a_folder_with_a_colon(
        self, tmp_path: Path, frames: list[av.VideoFrame], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """libav takes such a path for a URL."""
        monkeypatch.chdir(tmp_path)
        assert record(Path("day:1"), frames[:3], [0.0, 0.1, 0.2]).frame_count == 3
        assert names(tmp_path / "day:1") == FILES

    def test_of_one_frame(self, tmp_path: Path, frames: list[av.VideoFrame]) -> None:
        summary = record(tmp_path, frames[:1], [0.0])
        assert summary.duration_seconds == pytest.approx(INTERVAL, abs=1e-3)
        assert summary.frame_count == 1
        assert names(tmp_path) == FILES
        assert len(decoded(tmp_path / "video.mp4")) == 1
        assert seconds(tmp_path / "video.mp4") == pytest.approx(INTERVAL, abs=0.01)

    def test_of_frames_at_the_same_time(self, tmp_path: Path, frames: list[av.VideoFrame]) -> None:
        record(tmp_path, frames[:6], [0.0, 0.0, 0.1, 0.05, 0.1, 0.2])
        times = [each.time for each in decoded(tmp_path / "video.mp4")]
        assert times == sorted(times)
        assert len(set(times)) == 6

    def test_leaves_the_sent_frames_alone(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        sent = frames[5]
        sent.pts, sent.time_base = 12345, Fraction(1, 90_000)
        picture = sent.to_ndarray()
        record(tmp_path, [sent], [0.0])
        assert (sent.pts, sent.time_base) == (12345, Fraction(1, 90_000))
        assert np.array_equal(sent.to_ndarray(), picture)

    def test_takes_other_pixel_formats(self, tmp_path: Path, frames: list[av.VideoFrame]) -> None:
        record(tmp_path, [frame.reformat(format="rgb24") for frame in frames[:3]], [0, 0.1, 0.2])
        shown = decoded(tmp_path / "video.mp4")
        assert [read_frame_number(each.to_ndarray(format="rgb24")) for each in shown] == [0, 1, 2]

    def test_refuses_frames_of_another_size(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path, *SIZE)
        with pytest.raises(ValueError, match="expected 352x640, got 640x352"):
            recorder.add(av.VideoFrame(640, 352, "yuv420p"), 0.0)
        recorder.abort()


class TestSmallFiles:
    def test_the_preview_is_short_and_small(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        record(tmp_path, frames, [index * INTERVAL for index in range(144)])
        shown = decoded(tmp_path / "preview.mp4")
        assert max(shown[0].width, shown[0].height) <= 320
        assert len(shown) >= 24
        assert 2.0 < seconds(tmp_path / "preview.mp4") <= 3.0

    def test_the_thumbnail_is_a_picture_of_the_stream(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        record(tmp_path, frames, [index * INTERVAL for index in range(144)])
        with Image.open(tmp_path / "thumbnail.jpg") as image:
            assert image.format == "JPEG"
            assert image.size == (352, 640)
            number = read_frame_number(np.asarray(image.convert("RGB")))
        assert number is not None
        assert 20 <= number <= 28

    def test_files_have_their_names_only_when_complete(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        recorder = Recorder(tmp_path, *SIZE)
        recorder.event("start", 0.0, prompt="x")
        for index, frame in enumerate(frames):
            recorder.add(frame, index * INTERVAL)
        assert not names(tmp_path) & FILES
        recorder.finish(6.0)
        assert names(tmp_path) == FILES


class TestEvents:
    def read(self, path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def test_are_logged_with_the_frame_they_affect(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        recorder = Recorder(tmp_path, *SIZE)
        recorder.event("start", 0.0, prompt="猫", applied_prompt="A cat\non a sill")
        for index in range(24):
            recorder.add(frames[index], index * INTERVAL)
        recorder.event("interact", 12.5 * INTERVAL, prompt="jump", applied_prompt="It jumps")
        recorder.event("error", 1.0, reason="session_timeout")
        recorder.event("end", 1.0)
        lines = self.read(tmp_path / "events.jsonl.part")  # written as they come
        recorder.finish(1.0)
        assert self.read(tmp_path / "events.jsonl") == lines
        assert lines == [
            {
                "timestamp_ms": 0,
                "type": "start",
                "prompt": "猫",
                "applied_prompt": "A cat\non a sill",
                "frame": 0,
            },
            {
                "timestamp_ms": 521,
                "type": "interact",
                "prompt": "jump",
                "applied_prompt": "It jumps",
                "frame": 13,
            },
            {"timestamp_ms": 1000, "type": "error", "reason": "session_timeout", "frame": 24},
            {"timestamp_ms": 1000, "type": "end", "frame": 24},
        ]

    def test_of_a_stream_without_frames(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path, *SIZE)
        recorder.event("start", 0.0, prompt="x")
        assert recorder.finish(0.5) == RecordingSummary(0, 0.0, *SIZE)
        assert names(tmp_path) == {"events.jsonl"}


class TestEnd:
    def test_finishing_twice_gives_the_same(
        self, tmp_path: Path, frames: list[av.VideoFrame]
    ) -> None:
        recorder = Recorder(tmp_path, *SIZE)
        recorder.add(frames[0], 0.0)
        assert recorder.finish(1.0) == recorder.finish(2.0)
        recorder.abort()
        assert names(tmp_path) == FILES
        with pytest.raises(RuntimeError):
            recorder.add(frames[1], 1.0)
        with pytest.raises(RuntimeError):
            recorder.event("end", 1.0)

    @pytest.mark.parametrize("count", [0, 1, 60])
    def test_aborting_leaves_nothing(
        self, tmp_path: Path, frames: list[av.VideoFrame], count: int
    ) -> None:
        folder = tmp_path / "gone"
        recorder = Recorder(folder, *SIZE)
        recorder.event("start", 0.0)
        for index in range(count):
            recorder.add(frames[index], index * INTERVAL)
        recorder.abort()
        recorder.abort()
        assert not folder.exists()
        with pytest.raises(RuntimeError):
            recorder.finish(1.0)

    def test_aborting_keeps_what_is_not_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "stream.json").write_text("{}")
        Recorder(tmp_path, *SIZE).abort()
        assert names(tmp_path) == {"stream.json"}

    def test_a_slow_encoder_holds_the_stream_up_and_loses_nothing(
        self,
        tmp_path: Path,
        frames: list[av.VideoFrame],
        monkeypatch: pytest.MonkeyPatch,
        complaints: Complaints,
    ) -> None:
        complaints.expected.append("the encoder is behind")
        monkeypatch.setattr(module, "_MOST_WAITING", 2)
        summary = record(tmp_path, frames[:80], [index / 90_000 for index in range(80)])
        assert summary.frame_count == 80
        shown = decoded(tmp_path / "video.mp4")
        assert [read_frame_number(each.to_ndarray(format="rgb24")) for each in shown] == [
            *range(80)
        ]
        assert len(complaints.seen) == 1

    def test_a_failure_of_the_encoder_is_told_and_leaves_nothing(
        self,
        tmp_path: Path,
        frames: list[av.VideoFrame],
        monkeypatch: pytest.MonkeyPatch,
        complaints: Complaints,
    ) -> None:
        complaints.expected.append("recording of failed failed")

        def fail(*_: object) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(module, "save_thumbnail", fail)
        folder = tmp_path / "failed"
        recorder = Recorder(folder, *SIZE)
        recorder.add(frames[0], 0.0)
        with pytest.raises(OSError, match="disk full"):
            recorder.finish(1.0)
        assert not folder.exists()
