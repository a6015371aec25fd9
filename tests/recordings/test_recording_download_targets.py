"""`recordings.download`: what becomes of the files on disk, here and in interrupted programs."""

from __future__ import annotations

import logging
import mmap
import os
import pathlib
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from odyssey import (
    Odyssey,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
)
from tests.support.downloads import OLD, VIDEO, storage, target, untouched
from tests.support.helpers import wait_until
from tests.support.servers import short_pauses
from tests.support.storage import (
    KEY,
    SIGNATURE,
    STREAM,
    Cut,
    Misbehaviour,
    Refusal,
    Short,
    Storage,
    client,
    client_of,
)

__all__ = ["client", "short_pauses", "storage", "target"]


def test_wrong_arguments(client: Odyssey, storage: Storage, tmp_path: Path) -> None:
    download: Callable[..., Path] = client.recordings.download
    with pytest.raises(ValueError, match="artifact must be one of video, events"):
        download(STREAM, tmp_path, "film")
    with pytest.raises(TypeError, match="progress must be"):
        download(STREAM, tmp_path, progress=3)
    with pytest.raises(TypeError, match="path must be"):
        download(STREAM, None)
    with pytest.raises(ValueError, match="path is empty"):
        download(STREAM, "")
    with pytest.raises(TypeError, match="expected a Recording"):
        download(3, tmp_path)
    assert storage.lookups == []
    with pytest.raises(ValueError, match="neither"):
        download(STREAM, "/dev/null")
    assert not pathlib.Path("/dev/null").is_file()


def test_a_closed_client(client: Odyssey, target: Path) -> None:
    recording = client.recordings.get(STREAM)
    client.close()
    with pytest.raises(OdysseyError, match="closed"):
        client.recordings.download(recording, target)


class SpoiltError(Exception):
    pass


@pytest.mark.parametrize("error", [SpoiltError, KeyboardInterrupt, OdysseyConnectionError])
def test_a_callable_that_raises_ends_it(
    client: Odyssey, storage: Storage, target: Path, error: type[BaseException]
) -> None:
    def spoil(done: int, _total: int | None) -> None:
        if done > 1_000_000:
            raise error

    with pytest.raises(error):
        client.recordings.download(STREAM, target, progress=spoil)
    assert untouched(target)
    assert len(storage.asked) == 1
    client.recordings.download(STREAM, target)


def test_progress(client: Odyssey, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, int | None]] = []
    client.recordings.download(STREAM, target, progress=lambda *numbers: seen.append(numbers))
    assert seen[0] == (0, len(VIDEO))
    assert seen[-1] == (len(VIDEO), len(VIDEO))
    assert seen == sorted(seen)
    assert capsys.readouterr().err == ""
    client.recordings.download(STREAM, target, progress=True)
    bar = capsys.readouterr().err
    assert "old.mp4: 100%" in bar
    assert "2.86M/2.86M" in bar


def test_one_download_to_a_file_at_a_time(client: Odyssey, storage: Storage, target: Path) -> None:
    storage.script = [Short(100_000)]
    first = threading.Thread(target=lambda: client.recordings.download(STREAM, target))
    first.start()
    part = target.with_name("old.mp4.part")
    try:
        wait_until(part.exists)
        (target.parent / "link").symlink_to(target)
        for name in (target, target.parent / "link"):
            with pytest.raises(OdysseyError, match="is under way"):
                client.recordings.download(STREAM, name)
        assert part.exists()
    finally:
        storage.go_on.set()
        first.join()
    assert target.read_bytes() == VIDEO


def test_another_program_writes_the_same_file(client: Odyssey, target: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    part = target.with_name("old.mp4.part")
    with part.open("wb") as file:
        file.write(b"theirs")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OdysseyError, match="is under way"):
            client.recordings.download(STREAM, target)
        assert part.read_bytes() == b"theirs"
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == VIDEO
    assert not part.exists()


def test_a_link_stays_one(client: Odyssey, target: Path) -> None:
    link = target.parent / "link.mp4"
    link.symlink_to(target)
    assert client.recordings.download(STREAM, link) == link
    assert link.is_symlink()
    assert target.read_bytes() == VIDEO


def test_a_part_that_is_a_link_is_not_followed(client: Odyssey, target: Path) -> None:
    mine = target.with_name("mine")
    mine.write_bytes(b"mine")
    part = target.with_name("old.mp4.part")
    part.symlink_to(mine)
    with pytest.raises(OSError, match="in the way: a link"):
        client.recordings.download(STREAM, target)
    assert mine.read_bytes() == b"mine"
    assert target.read_bytes() == OLD
    part.unlink()
    part.hardlink_to(mine)
    client.recordings.download(STREAM, target)
    assert mine.read_bytes() == b"mine"
    assert target.read_bytes() == VIDEO
    assert not part.exists()


def test_a_part_that_is_no_file_is_in_the_way(client: Odyssey, target: Path) -> None:
    os.mkfifo(target.with_name("old.mp4.part"))
    with pytest.raises(OSError, match="it is no file"):
        client.recordings.download(STREAM, target)
    assert target.read_bytes() == OLD


def test_several_at_once(client: Odyssey, storage: Storage, tmp_path: Path) -> None:
    storage.script = [Cut(400_000)] * 12
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            client.recordings.download(STREAM, tmp_path / f"{number}.mp4")
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{n}.mp4" for n in range(12))
    assert all(p.read_bytes() == VIDEO for p in tmp_path.iterdir())


def test_no_signature_is_seen(
    storage: Storage, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    storage.script = [Cut(100_000), Refusal(403), *[Cut(0)] * 9]
    with client_of(storage) as client:
        with pytest.raises(OdysseyConnectionError) as caught:
            client.recordings.download(STREAM, target)
        storage.script = [Refusal(403)] * 2
        with pytest.raises(OdysseyAuthError) as refused:
            client.recordings.download(client.recordings.get(STREAM), target)
    for error in (caught.value, refused.value):
        assert SIGNATURE not in "".join(traceback.format_exception(error))
    assert SIGNATURE not in caplog.text
    assert "/files/video" in caplog.text


# In programs of their own.

PROGRAM = """
import resource, sys
from odyssey import Odyssey

url, target, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
with Odyssey({key!r}, api_url=url) as client:
    client.recordings.download({stream!r}, target, "events")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("ready", flush=True)
    client.recordings.download({stream!r}, target, progress=lambda done, total: None)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def start(storage: Storage, target: Path, limit: int = 0) -> subprocess.Popen[str]:
    program = PROGRAM.format(key=KEY, stream=STREAM)
    return subprocess.Popen(
        [sys.executable, "-c", program, storage.url, str(target), str(limit)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_memory_is_constant(storage: Storage, tmp_path: Path) -> None:
    size = 200 * 1024 * 1024
    with mmap.mmap(-1, size) as zeros:
        storage.files["video"].data = zeros
        storage.script = [Cut(2), Cut(50_000_000)]
        with start(storage, tmp_path / "large.mp4") as program:
            out, err = program.communicate(timeout=60)
        assert program.returncode == 0, err
        assert (tmp_path / "large.mp4").stat().st_size == size
        grown = int(out.split()[1]) / 1024
        assert grown < 8, f"{grown} MB"
        storage.files["video"].data = b""


def test_a_full_disk(storage: Storage, target: Path) -> None:
    storage.files["events"].data = OLD
    with start(storage, target, limit=1_000_000) as program:
        _, err = program.communicate(timeout=30)
    assert program.returncode == 1
    assert "OSError: [Errno 27] File too large" in err
    assert untouched(target)


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_program(
    client: Odyssey, storage: Storage, target: Path, how: signal.Signals
) -> None:
    storage.files["events"].data = OLD
    part = target.with_name("old.mp4.part")
    storage.script = [Misbehaviour(), Short(2_000_000)]
    with start(storage, target) as program:
        wait_until(lambda: size_of(part) > 1_000_000)
        os.kill(program.pid, how)
        _, err = program.communicate(timeout=30)
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in err
        assert untouched(target)
    assert target.read_bytes() == OLD
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == VIDEO
    assert not part.exists()
