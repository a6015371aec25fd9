"""Frames into files: with their own times, whole files, and nothing half done."""

from __future__ import annotations

import json
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from odyssey import VideoFrame
from odyssey._video.picture import DecodedPicture
from odyssey._video.writing import saver as saver_module
from odyssey._video.writing.saver import Saver
from odyssey._video.writing.target import check_target
from odyssey.cli.stream import saved_lines
from tests.support.helpers import wait_until
from tests.support.pictures import decoded

#: Milliseconds of a stream that came unevenly, and did not begin at 0.
TIMES = (5000, 5040, 5095, 5300, 5420, 5455)
SINCE_FIRST = [time - TIMES[0] for time in TIMES]


def _frames(width: int = 128, height: int = 96) -> list[VideoFrame]:
    return [
        VideoFrame(
            DecodedPicture(decoded(width, height, seed=n)),
            width,
            height,
            at,
            n,
            prompt="A cat" if n < 3 else None,
        )
        for n, at in enumerate(TIMES)
    ]


def _save(path: Path, *frames: VideoFrame) -> Saver:
    with Saver(path) as saver:
        for frame in frames:
            saver.add(frame)
    return saver


def test_an_mp4_has_the_frames_own_times(tmp_path: Path) -> None:
    path = tmp_path / "cat.mp4"
    (saved,) = _save(path, *_frames()).files
    assert (saved.path, saved.frames, saved.milliseconds) == (path, 6, 455)
    with av.open(str(path)) as container:
        times = [round((frame.time or 0) * 1000) for frame in container.decode(video=0)]
    assert times == SINCE_FIRST
    assert list(tmp_path.iterdir()) == [path]


def test_a_gif_runs_as_long_as_the_video(tmp_path: Path) -> None:
    _save(tmp_path / "cat.gif", *_frames(1000, 500))
    with Image.open(tmp_path / "cat.gif") as gif:
        assert gif.size == (480, 240)
        durations = []
        for number in range(4):
            gif.seek(number)
            durations.append(gif.info["duration"])
    # At 0, 95, 300 and 420 ms, in hundredths; the others come too soon after them.
    assert durations == [100, 200, 120, 80]


def test_arrays_with_times_and_prompts(tmp_path: Path) -> None:
    frames = _frames()
    _save(tmp_path / "cat.npz", *frames)
    with np.load(tmp_path / "cat.npz") as arrays:
        assert sorted(arrays) == ["frames", "prompts", "timestamps_ms"]
        assert np.array_equal(arrays["frames"], np.stack([frame.data for frame in frames]))
        assert arrays["timestamps_ms"].tolist() == SINCE_FIRST
        assert arrays["prompts"].tolist() == ["A cat"] * 3 + [""] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["cat.npz"]


def test_a_folder_of_pictures_of_any_size(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    frames = [*_frames(), *_frames(64, 48)]
    assert len(_save(folder, *frames).files) == 1
    lines = [json.loads(line) for line in (folder / "frames.jsonl").read_text().splitlines()]
    assert [line["timestamp_ms"] for line in lines] == SINCE_FIRST * 2
    for line, frame in zip(lines, frames, strict=True):
        with Image.open(folder / line["file"]) as picture:
            assert np.array_equal(np.asarray(picture), frame.data)


def test_another_size_begins_another_file(tmp_path: Path) -> None:
    saver = _save(tmp_path / "cat.mp4", *_frames(), *_frames(64, 48), *_frames())
    names = ["cat.mp4", "cat-2.mp4", "cat-3.mp4"]
    assert [saved.path.name for saved in saver.files] == names
    for name, width in zip(names, (128, 64, 128), strict=True):
        with av.open(str(tmp_path / name)) as container:
            assert {frame.width for frame in container.decode(video=0)} == {width}
            assert container.streams.video[0].frames == 6


def test_no_file_of_another_size_replaces_one_that_is_there(tmp_path: Path) -> None:
    mine = tmp_path / "cat-2.mp4"
    mine.write_bytes(b"mine")
    (tmp_path / "cat-4.mp4").symlink_to(tmp_path / "nowhere")
    saver = _save(tmp_path / "cat.mp4", *_frames(), *_frames(64, 48), *_frames())
    names = ["cat.mp4", "cat-3.mp4", "cat-5.mp4"]
    assert [saved.path.name for saved in saver.files] == names
    assert mine.read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} == {*names, "cat-2.mp4", "cat-4.mp4"}


@pytest.mark.parametrize("name", ["cat.mp4", "cat.gif", "cat.npz"])
@pytest.mark.parametrize("each", [1, 2])
def test_a_size_that_changes_all_the_time(tmp_path: Path, name: str, each: int) -> None:
    frames = [frame for n in range(20) for frame in _frames(64 + 2 * (n % 7), 48)[:each]]
    saver = Saver(tmp_path / name)
    with pytest.raises(OSError, match="size of the video changes all the time"), saver:
        for frame in frames:
            saver.add(frame)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [saved.frames for saved in saver.files] == [each]


def test_a_folder_takes_any_size(tmp_path: Path) -> None:
    frames = [_frames(64 + 2 * n, 48)[0] for n in range(9)]
    assert _save(tmp_path / "cat", *frames).files[0].frames == 9


def test_files_of_other_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saver_module, "_MOST_FILES", 3)
    sizes = [(64, 48), (32, 48), (64, 48), (32, 48)]
    with pytest.raises(OSError, match="has changed its size 3 times"):
        _save(tmp_path / "cat.gif", *[frame for size in sizes for frame in _frames(*size)])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"cat.gif", "cat-2.gif", "cat-3.gif"}


@pytest.mark.parametrize("name", ["cat.mp4", "cat.gif", "cat.npz"])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    part = tmp_path / f"{name}.part"
    part.symlink_to(mine)
    with pytest.raises(FileExistsError, match="is in the way: it is a link"):
        check_target(tmp_path / name)
    with pytest.raises(OSError, match="is in the way: it is a link"):
        _save(tmp_path / name, *_frames())
    assert (mine.read_bytes(), part.is_symlink()) == (b"mine", True)
    assert {path.name for path in tmp_path.iterdir()} == {"mine", part.name}


@pytest.mark.parametrize("name", ["cat.mp4", "cat.gif", "cat.npz"])
def test_a_part_that_was_left_is_replaced_and_its_other_name_kept(
    tmp_path: Path, name: str
) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    (tmp_path / f"{name}.part").hardlink_to(mine)
    check_target(tmp_path / name)
    _save(tmp_path / name, *_frames())
    assert mine.read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine", name}


def test_a_part_that_is_no_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "cat.mp4.part").mkdir()
    with pytest.raises(OSError, match="is in the way: it is no file"):
        _save(tmp_path / "cat.mp4", *_frames())


@pytest.mark.parametrize("name", ["00002.png", "frames.jsonl"])
def test_no_link_in_a_folder_is_followed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "cat"
    folder.mkdir()
    (folder / name).symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match=name):
        _save(folder, *_frames())
    assert not (tmp_path / "mine").exists()


def test_pictures_that_wait_are_bounded_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = VideoFrame(DecodedPicture(decoded(64, 64)), 64, 64, 0)
    monkeypatch.setattr(saver_module, "_MOST_BYTES", 3 * frame._most_bytes)
    saver = Saver(tmp_path / "frames")
    for _ in range(5):
        saver.add(frame)  # the thread doesn't run yet
    assert saver.left_out == 2
    with saver:
        wait_until(lambda: saver._bytes == 0)
        saver.add(frame)
    assert (saver.files[0].frames, saver.left_out) == (4, 2)


def test_a_file_that_was_there_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "cat.mp4"
    path.write_bytes(b"mine")
    assert _save(path).files == []
    assert path.read_bytes() == b"mine"
    odd = VideoFrame(DecodedPicture(decoded(65, 48)), 65, 48, 0)
    with pytest.raises(OSError, match=r"can't save to .*cat\.mp4"):
        _save(path, odd)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]
    _save(path, *_frames())
    assert path.stat().st_size > 500


def test_a_failure_is_told_while_frames_come(tmp_path: Path) -> None:
    saver = Saver(tmp_path / "gone" / "cat.npz")
    with pytest.raises(OSError, match="No such file"), saver:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            saver.add(_frames()[0])


def test_what_is_too_much_is_left_out_and_holds_nothing_up(tmp_path: Path) -> None:
    frame = VideoFrame(DecodedPicture(decoded(256, 256)), 256, 256, 0)
    longest = 0.0
    with Saver(tmp_path / "frames") as saver:
        for _ in range(200):
            began = time.monotonic()
            saver.add(frame)
            longest = max(longest, time.monotonic() - began)
    assert saver.left_out > 20
    assert saver.files[0].frames + saver.left_out == 200
    assert saved_lines(saver)[-1].startswith(f"{saver.left_out} frames were left out")
    assert longest < 1


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("cat.avi", ValueError),
        ("file", FileExistsError),
        ("full", FileExistsError),
        ("dir.mp4", FileExistsError),
        ("none/cat.mp4", FileNotFoundError),
    ],
)
def test_targets_are_checked_before_anything_begins(
    tmp_path: Path, name: str, error: type[Exception]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_bytes(b"")
    (tmp_path / "dir.mp4").mkdir()
    with pytest.raises(error):
        check_target(tmp_path / name)


@pytest.mark.parametrize("name", ["cat.mp4", "CAT.GIF", "new/folder", "cat.npz"])
def test_targets_that_can_be_written(tmp_path: Path, name: str) -> None:
    check_target(tmp_path / name)


@pytest.mark.parametrize("name", ["12:30:00.mp4", "file:x.mp4", "pipe:1.mp4"])
def test_a_name_with_a_colon_is_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (saved,) = _save(Path(name), *_frames()).files
    assert saved.path == Path(name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].frames == len(TIMES)
