"""Recordings against the emulator, with what goes wrong injected by name."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey import (
    Odyssey,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyServerError,
    RateLimitError,
)
from odyssey.emulator import Emulator, faults
from odyssey.emulator.recordings.store import Store
from tests.support.servers import short_pauses
from tests.support.storage import EVENTS, STREAM, jpeg
from tests.support.videos import Making, make_video, number_of

__all__ = ["short_pauses"]
pytestmark = [pytest.mark.live, pytest.mark.usefixtures("short_pauses")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of an emulator: one recording."""
    folder = tmp_path_factory.mktemp("library")
    store = Store(folder)
    store.begin(STREAM, "owner", 320, 176, "2024-01-01T00:00:00.000000+00:00")
    files = store.folder_of(STREAM)
    files.mkdir()
    make_video(files / "video.mp4", Making(options={"bf": "2"}))
    (files / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    (files / "thumbnail.jpg").write_bytes(jpeg())
    store.finish(STREAM, "2024-01-01T00:00:02.500000+00:00", 60, 2.5)
    store.close()
    return folder


@pytest.fixture
def library(folder: Path) -> Iterator[Emulator]:
    """An emulator with one recording."""
    with Emulator(folder) as emulator:
        yield emulator


@pytest.fixture
def reader(library: Emulator) -> Iterator[Odyssey]:
    with Odyssey(library.api_key, api_url=library.url, timeout=5) as client:
        yield client


FAULTS = [
    faults.UrlExpired(),
    faults.HttpStatus(path="/files/*", status=503),
    faults.HttpStatus(path="/files/*", status=429, retry_after=0.01),
    faults.HttpDrop(path="/files/*"),
    faults.HttpStatus(path="/recordings/*", status=503),
    faults.HttpStatus(path="/recordings/*", status=429, retry_after=0.01),
    faults.HttpDrop(path="/recordings/*"),
]


@pytest.mark.parametrize("fault", [None, *FAULTS], ids=repr)
def test_everything_of_a_recording(
    reader: Odyssey,
    library: Emulator,
    folder: Path,
    tmp_path: Path,
    fault: faults.Fault | None,
) -> None:
    def meanwhile() -> None:
        library.faults.clear()
        if fault is not None:
            library.faults.inject(fault, times=1)

    recordings = reader.recordings
    meanwhile()
    (info,) = recordings.iterate()
    found = recordings.wait(info.stream_id, artifacts=("video", "events", "thumbnail"))
    meanwhile()
    path = recordings.download(info, f"{tmp_path}/")
    assert path.read_bytes() == (folder / "recordings" / STREAM / "video.mp4").read_bytes()
    meanwhile()
    assert recordings.events(found) == EVENTS
    meanwhile()
    assert recordings.thumbnail(found.stream_id).shape == (32, 64, 3)
    meanwhile()
    assert [number_of(f) for f in recordings.frames(found, 10, None, 20)] == [10, 30, 50]
    assert [number_of(f) for f in recordings.frames(path, 59)] == [59]


def test_faults_that_stay(reader: Odyssey, library: Emulator, tmp_path: Path) -> None:
    found = reader.recordings.get(STREAM)
    target = tmp_path / "video.mp4"
    for fault, error in (
        (faults.UrlExpired(), OdysseyAuthError),
        (faults.HttpStatus(path="/files/*", status=503), OdysseyServerError),
        (faults.HttpStatus(path="/files/*", status=429), RateLimitError),
        (faults.HttpDrop(path="/files/*"), OdysseyConnectionError),
    ):
        library.faults.inject(fault)
        with pytest.raises(error, match=f"the video of recording {STREAM}"):
            reader.recordings.download(found, target)
        with pytest.raises(error, match=f"the video of recording {STREAM}"):
            next(reader.recordings.frames(found))
        library.faults.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_stream_is_recorded_waited_for_and_read(tmp_path: Path) -> None:
    emulator = Emulator(faults=faults.Faults(), url_lifetime=0.5)
    with emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
        emulator.faults.inject(faults.RecordingDelay(seconds=0.2), times=1)
        client.connect()
        with client.stream("A cat") as stream:
            live = [number_of(frame) for frame in stream.frames.take(20)]
            stream.interact("It yawns")
            stream.frames.take(5)
        client.disconnect()
        found = client.recordings.wait(stream.id, interval=0.05)
        # The addresses expire while this goes on, and are renewed.
        frames = client.recordings.frames(found)
        numbers = [number_of(frame) for frame in itertools.islice(frames, 20)]
        assert numbers == live
        path = client.recordings.download(found, tmp_path)
        assert path.name == f"{stream.id}.mp4"
        kinds = [event["type"] for event in client.recordings.events(found)]
        assert kinds == ["start", "interact", "end"]
        rest = sum(1 for _ in frames)
        assert found.frame_count == 20 + rest
