"""`recordings.frames`: exactly the frames asked for, from files of many kinds."""

from __future__ import annotations

import gc
import itertools
import random
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from odyssey import (
    Odyssey,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyServerError,
    Recording,
    VideoFrame,
    _range_reader,
)
from odyssey._rtc.decoding import Decoding
from odyssey._rtc.frame_index import FrameIndex

from .helpers import open_files, open_sockets
from .storage import (
    SIGNATURE,
    STREAM,
    Cut,
    Misbehaviour,
    NoRange,
    Refusal,
    Storage,
    client_of,
    short_pauses,
)
from .videos import CLOCK, HEIGHT, WIDTH, Making, cut_away, make_video, number_of

__all__ = ["short_pauses"]
pytestmark = pytest.mark.usefixtures("short_pauses")

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

#: The first requests for a file with its table at the end go well.
BEGINNING_AND_TABLE = [Misbehaviour(), Misbehaviour()]

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


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """About 3 MB, its table at the end."""
    options = {"preset": "ultrafast", "crf": "12", "bf": "2"}
    making = Making(count=240, gop=24, options=options, noise=60)
    return make_video(tmp_path_factory.mktemp("large") / "large.mp4", making).read_bytes()


@pytest.fixture
def storage(video: bytes) -> Iterator[Storage]:
    with Storage({"video": video}) as storage:
        yield storage


@pytest.fixture
def client(storage: Storage) -> Iterator[Odyssey]:
    with client_of(storage) as client:
        yield client


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
    plain = _range_reader.Tries.reached

    def reached(tries: _range_reader.Tries, position: int) -> None:
        nonlocal read
        read += 65536  # at most, for each piece
        plain(tries, position)

    monkeypatch.setattr(_range_reader.Tries, "reached", reached)
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


# The storage at its worst.


def test_it_goes_on_after_cuts(client: Odyssey, storage: Storage, large: bytes) -> None:
    storage.files["video"].data = large
    storage.script = [Cut(300_000), Cut(0), Refusal(503), Cut(200_000), Cut(0), Cut(100_000)]
    frames = [number_of(frame) for frame in client.recordings.frames(STREAM)]
    assert frames == list(range(240))
    assert storage.script == []


def test_it_gives_up_when_nothing_comes(client: Odyssey, storage: Storage, large: bytes) -> None:
    storage.files["video"].data = large
    storage.script = [*BEGINNING_AND_TABLE, Cut(300_000), *[Cut(0)] * 20]
    with pytest.raises(OdysseyConnectionError, match=f"the video of recording {STREAM}"):
        list(client.recordings.frames(STREAM))


@pytest.mark.parametrize("late", [False, True])
def test_an_expired_address_is_renewed(
    client: Odyssey, storage: Storage, large: bytes, late: bool
) -> None:
    storage.files["video"].data = large
    recording = client.recordings.get(STREAM)
    frames = client.recordings.frames(recording, step=100)
    numbers = [number_of(next(frames))] if late else []
    storage.expire()
    numbers += [number_of(frame) for frame in frames]
    assert numbers == [0, 100, 200]
    assert len(storage.lookups) == 2


def test_a_server_without_ranges(
    client: Odyssey, storage: Storage, large: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    storage.files["video"].data = large
    storage.ranges = False
    storage.script = [NoRange(cut=1_000_000)]
    frames = client.recordings.frames(STREAM, 100, 200, 40)
    assert [number_of(frame) for frame in frames] == [100, 140, 180]
    assert len(storage.asked) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_meanwhile(client: Odyssey, storage: Storage, large: bytes) -> None:
    storage.files["video"].data = large
    storage.script = [*BEGINNING_AND_TABLE, Cut(300_000)]
    frames = client.recordings.frames(STREAM)
    next(frames)
    storage.files["video"].tag = '"v2"'
    with pytest.raises(OdysseyServerError, match=f"the video of recording {STREAM}"):
        list(frames)


# Broken files.


def broken(video: bytes) -> dict[str, tuple[bytes, str]]:
    middle = bytearray(video)
    for at in range(len(video) // 3, len(video) // 3 + 400):
        middle[at] ^= 0x5A
    return {
        "empty": (b"", "is empty"),
        "html": (b"<html>Not found</html>" * 50, "broken, or no video"),
        "no-table": (video[: len(video) // 2], "broken, or no video"),
        "playlist": (b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "broken"),
        "list-of-files": (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "broken"),
        "damaged": (bytes(middle), "broken"),
    }


@pytest.mark.parametrize(
    "how", ["empty", "html", "no-table", "playlist", "list-of-files", "damaged"]
)
def test_broken_files_are_named(
    client: Odyssey, storage: Storage, video: bytes, tmp_path: Path, how: str
) -> None:
    data, said = broken(video)[how]
    path = tmp_path / "broken.mp4"
    path.write_bytes(data)
    storage.files["video"].data = data
    for source, name in ((path, str(path)), (STREAM, f"the video of recording {STREAM}")):
        with pytest.raises(OdysseyError, match=said) as caught:
            list(client.recordings.frames(source))
        assert str(caught.value).startswith(name)
        assert SIGNATURE not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("asked", [(0, None, 1), (50, None, 1), (0, None, 59)])
def test_a_file_that_is_cut_short(
    client: Odyssey, videos: dict[str, Path], tmp_path: Path, share: float, asked: Asked
) -> None:
    data = videos["table-first"].read_bytes()
    path = tmp_path / "short.mp4"
    path.write_bytes(data[: int(len(data) * share)])
    got: list[int] = []
    with pytest.raises(OdysseyError, match=r"short\.mp4 is broken"):
        for frame in client.recordings.frames(path, *asked):
            got.append(number_of(frame))
    assert got == list(range(60))[slice(*asked)][: len(got)]


def test_a_file_that_is_not_there(client: Odyssey, tmp_path: Path) -> None:
    frames = client.recordings.frames(tmp_path / "none.mp4")
    with pytest.raises(FileNotFoundError):
        next(frames)


# Nothing is left.


@pytest.mark.parametrize("ranges", [True, False])
def test_closing_closes_all(client: Odyssey, storage: Storage, large: bytes, ranges: bool) -> None:
    storage.files["video"].data = large
    storage.ranges = ranges
    next(client.recordings.frames(STREAM))  # makes the connection that is kept, and threads
    files, sockets = open_files(), open_sockets()
    for _ in range(3):
        frames = client.recordings.frames(STREAM, 100)
        assert number_of(next(frames)) == 100
        frames.close()  # type: ignore[attr-defined]
        dropped = client.recordings.frames(STREAM)
        next(dropped)
        del dropped
    client.recordings.frames(STREAM)  # nothing was asked of it
    gc.collect()
    assert open_files() <= files + 2  # a connection in the pool, and the server's end of it
    assert len(open_sockets()) <= len(sockets) + 2


def test_an_interrupt_goes_through(
    client: Odyssey, large: bytes, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.files["video"].data = large
    frames = client.recordings.frames(STREAM)
    next(frames)

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(_range_reader.RangeReader, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(frames)


def test_a_closed_client(client: Odyssey, video: bytes, tmp_path: Path) -> None:
    recording = client.recordings.get(STREAM)
    frames = client.recordings.frames(recording)
    client.close()
    with pytest.raises(OdysseyError, match="closed"):
        next(frames)
    with pytest.raises(OdysseyError, match="closed"):
        client.recordings.frames(recording)
