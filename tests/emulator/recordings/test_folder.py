"""What is in the data folder: whole, of its owner only, and never through links."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from odyssey.emulator import Emulator
from odyssey.emulator.recordings.folder import DataFolder
from odyssey.emulator.recordings.recorder import Recorder
from odyssey.emulator.recordings.secret import read_or_make_secret
from odyssey.emulator.recordings.store import Store
from tests.cli.conftest import posix_only

STREAM = "00000000-0000-4000-8000-000000000000"
COMPANIONS = ("index.sqlite3-wal", "index.sqlite3-shm", "index.sqlite3-journal")


def record(folder: Path, *, events: tuple[str, ...] = ()) -> None:
    recorder = Recorder(folder, 64, 64)
    picture = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")
    recorder.add(picture, 0.0)
    for prompt in events:
        recorder.event("interact", 0.0, prompt=prompt)
    recorder.finish(0.1)


def with_a_recording(folder: Path) -> Path:
    """A data folder with one recording; the folder of that."""
    store = Store(folder)
    store.secret()
    store.begin(STREAM, "owner", 64, 64, "2026-01-01T00:00:00.000000+00:00")
    record(store.folder_of(STREAM))
    store.finish(STREAM, "2026-01-01T00:00:01.000000+00:00", 1, 0.1)
    store.close()
    return folder / "recordings" / STREAM


def open_to_others(folder: Path) -> set[str]:
    """What in the folder others can read or enter, by its path in it."""
    found = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if others_rights(path)
    }
    return found - {"."}


def others_rights(path: Path) -> int:
    return path.lstat().st_mode & 0o077


@posix_only
def test_nobody_else_can_read_what_is_kept(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "new" / "data") as folder:
        with_a_recording(folder)
        assert others_rights(folder) == 0
        assert {path.name for path in (folder / "recordings" / STREAM).iterdir()} == {
            *("video.mp4", "preview.mp4", "thumbnail.jpg", "events.jsonl")
        }
        assert open_to_others(folder) == set()


@posix_only
def test_a_folder_of_the_users_own_stays_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """But for what is the emulator's in it, which an earlier version may have left open."""
    tmp_path.chmod(0o755)
    (tmp_path / "notes.txt").write_text("mine")
    with_a_recording(tmp_path)
    for path in (tmp_path / "recordings", tmp_path / "index.sqlite3", tmp_path / "secret"):
        path.chmod(0o755)
    (tmp_path / COMPANIONS[0]).touch(0o644)
    with DataFolder(tmp_path) as folder:
        store = Store(folder)
        store.secret()
        store.close()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert open_to_others(tmp_path) == {"notes.txt"}
    assert caplog.messages == []


@posix_only
def test_a_folder_that_everybody_can_write_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o777)
    with DataFolder(tmp_path):
        pass
    assert ["everybody can write" in line for line in caplog.messages] == [True]


@pytest.mark.parametrize("name", ["recordings", "index.sqlite3", *COMPANIONS])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    """Fault: a link lies where the emulator would write, to something or to nothing."""
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir()
    (data / name).symlink_to(elsewhere)
    for _ in ("nothing there", "a folder there"):
        with pytest.raises(RuntimeError, match=f"{name} is a symbolic link.* name the folder"):
            Store(data)
        elsewhere.mkdir(exist_ok=True)
    assert list(elsewhere.iterdir()) == []


def test_a_recorder_does_not_write_through_links(tmp_path: Path) -> None:
    """Fault: links lie in the folder of a stream."""
    folder, target = tmp_path / "stream", tmp_path / "target"
    folder.mkdir()
    target.write_text("mine")
    for name in ("video.mp4", "preview.mp4", "thumbnail.jpg", "events.jsonl"):
        (folder / name).symlink_to(target)
        (folder / f"{name}.part").symlink_to(target)
    record(folder)
    assert target.read_text() == "mine"
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_a_prompt_with_half_a_character_is_logged(tmp_path: Path) -> None:
    record(tmp_path / "stream", events=("\ud83e",))
    assert r'"prompt": "\ud83e"' in (tmp_path / "stream" / "events.jsonl").read_text()


# The secret


@pytest.mark.parametrize("content", [b"", b"short", bytes(32), b"x" * 33, b"x" * 100_000])
def test_a_secret_that_is_none_is_replaced(tmp_path: Path, content: bytes) -> None:
    """Fault: a crash has left a file that is empty, cut, or full of zeros."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    secret = read_or_make_secret(path)
    assert len(set(secret)) > 5
    assert read_or_make_secret(path) == path.read_bytes() == secret
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


@posix_only
def test_a_secret_that_others_know_or_could(tmp_path: Path) -> None:
    known, path = tmp_path / "known", tmp_path / "secret"
    known.write_bytes(b"x" * 32)
    path.symlink_to(known)
    assert read_or_make_secret(path) != b"x" * 32
    assert known.read_bytes() == b"x" * 32
    secret = path.read_bytes()
    path.chmod(0o644)
    assert read_or_make_secret(path) == secret
    assert others_rights(path) == 0
    path.unlink()
    os.mkfifo(path)  # which nobody writes to
    assert len(read_or_make_secret(path)) == 32


def test_a_crash_leaves_a_whole_secret_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault: the machine dies while it is written."""
    path = tmp_path / "secret"

    def crash(_descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        with pytest.raises(KeyboardInterrupt):
            read_or_make_secret(path)
    assert not path.exists()
    assert read_or_make_secret(path) == path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


# The index


def of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE recordings (id INTEGER)")
    database.close()


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:-100] = b"\xff" * (len(content) - 200)
    path.write_bytes(content)


def damaged_where_nobody_looks(path: Path) -> None:
    """In a page of simulations that are long over."""
    store = Store(path.parent)
    for number in range(40):
        store.jobs.add(f"job-{number}", "owner", "{}", 1)
        store.jobs.fail(f"job-{number}", "it failed " * 50)
    store.close()
    content = bytearray(path.read_bytes())
    page = content.rindex(b"it failed ") // 4096 * 4096
    content[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize(
    "breaking",
    [
        lambda path: path.write_bytes(b"This is no database. " * 300),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        damaged,
        damaged_where_nobody_looks,
        of_another_program,
    ],
    ids=["other content", "cut", "damaged", "damaged in part", "of another program"],
)
def test_a_broken_index_says_what_to_do(tmp_path: Path, breaking: Callable[[Path], object]) -> None:
    """Fault: a crash, or another program. Not a byte of the recordings is lost over it."""
    recording, index = with_a_recording(tmp_path), tmp_path / "index.sqlite3"
    before = {path.name: path.read_bytes() for path in recording.iterdir()}
    breaking(index)
    with pytest.raises(RuntimeError, match="is broken, or of another program") as refusal:
        Emulator(tmp_path).start()
    assert f"{index} " in str(refusal.value)
    assert "name another folder, or move that file away" in str(refusal.value)
    index.unlink()  # as it says
    kept = recording.with_name(f"{STREAM}.unlisted")
    for _ in range(2):
        Store(tmp_path).close()
        assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


@pytest.mark.parametrize("empty", [True, False])
def test_an_index_that_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, empty: bool
) -> None:
    """Fault: it was removed, or a crash has left it empty. What it listed is kept."""
    recording, index = with_a_recording(tmp_path), tmp_path / "index.sqlite3"
    index.unlink()
    if empty:
        index.touch()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            Store(tmp_path).close()
    assert (recording.with_name(f"{STREAM}.unlisted") / "video.mp4").exists()
    assert ["no index lists" in line for line in caplog.messages] == [True]
