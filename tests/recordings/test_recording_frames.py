"""`recordings.frames`: exactly the frames asked for, from files of many kinds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from odyssey import Odyssey, OdysseyNotFoundError, Recording, VideoFrame
from odyssey._video.decoding import Decoding
from odyssey._video.index import FrameIndex
from odyssey.recordings import range_reader as _range_reader
from tests.support.servers import short_pauses
from tests.support.storage import STREAM, Storage, client
from tests.support.videos import (
    CLOCK,
    HEIGHT,
    WIDTH,
    Making,
    cut_away,
    large,
    make_video,
    number_of,
    turned_by,
)

__all__ = ["client", "large", "short_pauses"]

#: Frames that are shown for 12 to 208 ms.
UNEVEN = list(itertools.accumulate(random.Random(1).choices([300, 800, 1000, 5000], k=60)))
OPEN_GOPS = "open-gop=1:keyint=12:min-keyint=12:scenecut=0"

KINDS = {
    "as-the-service": Making(options={"preset": "ultrafast", "tune": "zerolatency"}),
    "b-frames": Making(options={"bf": "3"}),
    "b-pyramid": Making(options={"bf": "8", "b-pyramid": "normal", "refs": "6"}, gop=30),
    "open-gops": Making(options={"bf": "3", "x264-params": OPEN_GOPS}),
    "intra-refresh": Making(options={"x264-params": "intra-refresh=1:keyint=20"}, gop=20),
    "key-frames-only": Making(gop=1),
    "one-key-frame": Making(gop=1000, options={"bf": "2"}),
    "one-frame": Making(count=1),
    "uneven": Making(options={"bf": "3"}, times=UNEVEN),
    "late": Making(options={"bf": "3"}, times=[time + 48_000 for time in UNEVEN]),
    "table-first": Making(options={"bf": "2"}, container={"movflags": "+faststart"}),
    "negative-offsets": Making(options={"bf": "2"}, container={"movflags": "negative_cts_offsets"}),
    "no-edit-list": Making(options={"bf": "2"}, container={"use_editlist": "0"}, delay=2000),
    "fragments": Making(
        options={"bf": "2"}, container={"movflags": "frag_keyframe+empty_moov"}, delay=2000
    ),
    "quicktime": Making(options={"bf": "2"}, format="mov"),
    "mpeg4": Making(codec="mpeg4", options={"bf": "2", "b": "8000000"}),
}
#: Of local files, which may be of any kind.
LOCAL_KINDS = {
    "matroska": Making(options={"bf": "2"}, format="matroska"),
}
#: start, stop, step
RANGES = [
    (0, None, 1),
    (0, 5, 1),
    (7, 23, 1),
    (24, 36, 1),
    (11, None, 2),
    (0, None, 7),
    (5, None, 25),
    (1, None, 13),
    (58, 99, 1),
    (59, None, 60),
    (60, None, 1),
    (9, 9, 1),
    (20, 10, 1),
]

Asked = tuple[int, "int | None", int]


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("videos")
    return {
        name: make_video(folder / f"{name}.{making.format}", making)
        for name, making in {**KINDS, **LOCAL_KINDS}.items()
    }


@pytest.fixture(scope="session")
def video(videos: dict[str, Path]) -> bytes:
    return videos["b-frames"].read_bytes()


@pytest.fixture
def storage(video: bytes) -> Iterator[Storage]:
    with Storage({"video": video}) as storage:
        yield storage


def check(frames: list[VideoFrame], making: Making, asked: Asked) -> None:
    """Whether they are exactly those that were asked for."""
    start, stop, step = asked
    wanted = list(range(making.count))[start:stop:step]
    assert [frame.index for frame in frames] == wanted
    assert [number_of(frame) for frame in frames] == wanted
    times = [float((making.shown_at()[n] + making.delay) * CLOCK * 1000) for n in wanted]
    assert [frame.timestamp_ms for frame in frames] == pytest.approx(times, abs=2)
    assert all((frame.width, frame.height) == (WIDTH, HEIGHT) for frame in frames)
    assert all(frame.data.shape == (HEIGHT, WIDTH, 3) for frame in frames)


@pytest.mark.parametrize("name", [*KINDS, *LOCAL_KINDS])
def test_a_local_file(client: Odyssey, videos: dict[str, Path], name: str) -> None:
    making = {**KINDS, **LOCAL_KINDS}[name]
    for asked in RANGES:
        frames = list(client.recordings.frames(videos[name], *asked))
        check(frames, making, asked)
        assert all(frame.stream_id is None for frame in frames)


@pytest.mark.parametrize("name", list(KINDS))
def test_from_the_storage(
    client: Odyssey, storage: Storage, videos: dict[str, Path], name: str
) -> None:
    storage.files["video"].data = videos[name].read_bytes()
    recording = client.recordings.get(STREAM)
    for asked in RANGES:
        frames = list(client.recordings.frames(recording, *asked))
        check(frames, KINDS[name], asked)
        assert all(frame.stream_id == STREAM for frame in frames)
    assert not any("Authorization" in asked.headers for asked in storage.asked)


@pytest.mark.parametrize(("name", "frames_cut"), [("b-frames", 17), ("open-gops", 14)])
def test_what_an_edit_list_cuts_away_does_not_count(
    client: Odyssey, videos: dict[str, Path], tmp_path: Path, name: str, frames_cut: int
) -> None:
    path = tmp_path / "edited.mp4"
    # The track's time base is the one that the file was made with.
    path.write_bytes(cut_away(videos[name].read_bytes(), 1000 * frames_cut))
    for asked in RANGES:
        frames = list(client.recordings.frames(path, *asked))
        indexes = list(range(60 - frames_cut))[slice(*asked)]
        assert [frame.index for frame in frames] == indexes
        assert [number_of(frame) for frame in frames] == [i + frames_cut for i in indexes]


def test_any_range(client: Odyssey, videos: dict[str, Path]) -> None:
    chance = random.Random(2)
    for _ in range(60):
        name = chance.choice(["b-frames", "b-pyramid", "open-gops", "uneven"])
        asked = (
            chance.randrange(60),
            chance.choice([None, chance.randrange(70)]),
            chance.randrange(1, 30),
        )
        check(list(client.recordings.frames(videos[name], *asked)), KINDS[name], asked)


def test_without_an_index(
    client: Odyssey, videos: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FrameIndex, "of", lambda *_: None)
    for asked in RANGES:
        check(list(client.recordings.frames(videos["b-frames"], *asked)), KINDS["b-frames"], asked)


def test_what_lies_between_is_skipped(
    client: Odyssey, storage: Storage, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_range_reader, "READ_ON", 50_000)
    read = 0
    plain = _range_reader.RetryBudget.reached

    def reached(tries: _range_reader.RetryBudget, position: int) -> None:
        nonlocal read
        read += 65536  # at most, for each piece
        plain(tries, position)

    monkeypatch.setattr(_range_reader.RetryBudget, "reached", reached)
    decoded = _count_decoded(monkeypatch)
    storage.files["video"].data = large
    frames = list(client.recordings.frames(STREAM, 48, None, 96))
    assert [number_of(frame) for frame in frames] == [48, 144]
    assert sum(decoded) < 20
    assert read < len(large) * 0.4
    read = 0
    (first,) = client.recordings.frames(STREAM, 0, 1)
    assert number_of(first) == 0
    assert read < len(large) * 0.2


def _count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is noted here for each frame that is wanted: how many the decoder got for it."""
    noted: list[int] = []
    plain = Decoding.frame

    def counting(decoding: Decoding, number: int) -> object:
        before = decoding.fed
        frame = plain(decoding, number)
        noted.append(decoding.fed - before)
        return frame

    monkeypatch.setattr(Decoding, "frame", counting)
    return noted


def test_the_whole_is_read_once(client: Odyssey, storage: Storage, large: bytes) -> None:
    storage.files["video"].data = large
    assert len(list(client.recordings.frames(STREAM))) == 240
    # The beginning, the table at the end, and all between.
    assert len(storage.asked) <= 3


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("kind", ["b-frames", "fragments"])
def test_a_turned_phone_video_is_upright(
    client: Odyssey, videos: dict[str, Path], tmp_path: Path, kind: str, quarters: int
) -> None:
    """The file says by how many quarters of a circle, clockwise, its frames are to be turned."""
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(turned_by(videos[kind].read_bytes(), quarters))
    plain = list(client.recordings.frames(videos[kind], 3, 40, 6))
    frames = list(client.recordings.frames(turned, 3, 40, 6))
    assert [frame.index for frame in frames] == [frame.index for frame in plain]
    for frame, lying in zip(frames, plain, strict=True):
        expected = np.rot90(lying.data, -quarters)
        assert (frame.height, frame.width, 3) == frame.data.shape == expected.shape
        assert np.abs(frame.data.astype(int) - expected).mean() < 1
        assert frame.timestamp_ms == lying.timestamp_ms


@pytest.mark.parametrize("name", ["12:30:00.mp4", "file:x.mp4", "http:x.mp4"])
def test_a_name_with_a_colon(
    client: Odyssey,
    videos: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """libav takes such names for URLs."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(videos["b-frames"].read_bytes())
    assert len(list(client.recordings.frames(Path(name), step=20))) == 3


def test_frames_are_as_in_live_streams(client: Odyssey) -> None:
    first, second = client.recordings.frames(STREAM, stop=2)
    assert np.asarray(first) is first.data
    assert first.data.flags.c_contiguous
    assert first.to_ndarray("yuv420p").shape == (HEIGHT * 3 // 2, WIDTH)
    assert first.to_image().size == (WIDTH, HEIGHT)
    assert 0 < first.received_at <= second.received_at
    assert first.prompt is None


@pytest.mark.parametrize("arguments", [(-1,), (0, -1), (0, None, 0), (0, None, -1)])
def test_numbers_below_are_refused_at_the_call(
    client: Odyssey, storage: Storage, arguments: Asked
) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        client.recordings.frames(STREAM, *arguments)
    assert storage.lookups == []


def test_what_is_no_recording_is_refused_at_the_call(client: Odyssey) -> None:
    with pytest.raises(TypeError, match="expected a Recording"):
        client.recordings.frames(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="stream_id must be an id"):
        client.recordings.frames("..")
    with pytest.raises(TypeError, match="start"):
        client.recordings.frames(STREAM, 1.5)  # type: ignore[arg-type]


def test_a_recording_without_a_video(client: Odyssey) -> None:
    with pytest.raises(OdysseyNotFoundError, match="has no video"):
        next(client.recordings.frames(Recording(STREAM)))
