"""`recordings.frames` from a storage that fails, of broken files, and what is left afterwards."""

from __future__ import annotations

import gc
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey import Odyssey, OdysseyConnectionError, OdysseyError, OdysseyServerError
from odyssey.recordings import range_reader as _range_reader
from tests.support.helpers import open_files, open_sockets
from tests.support.servers import short_pauses
from tests.support.storage import (
    SIGNATURE,
    STREAM,
    Cut,
    Misbehaviour,
    NoRange,
    Refusal,
    Storage,
    client,
)
from tests.support.videos import Making, large, make_video, number_of

__all__ = ["client", "large", "short_pauses"]

#: The first requests for a file with its table at the end go well.
BEGINNING_AND_TABLE = [Misbehaviour(), Misbehaviour()]

Asked = tuple[int, "int | None", int]


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """60 frames, the table first."""
    making = Making(options={"bf": "3"}, container={"movflags": "+faststart"})
    return make_video(tmp_path_factory.mktemp("video") / "video.mp4", making).read_bytes()


@pytest.fixture
def storage(video: bytes) -> Iterator[Storage]:
    with Storage({"video": video}) as storage:
        yield storage


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
        "no-table": (
            video[:40] + video[video.index(b"mdat") - 4 :],
            "broken, or no video|has no video",
        ),
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
    client: Odyssey, video: bytes, tmp_path: Path, share: float, asked: Asked
) -> None:
    path = tmp_path / "short.mp4"
    path.write_bytes(video[: int(len(video) * share)])
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
