"""Faults switched over HTTP by name: what a client sees of those that strike in mid-stream or
later. tests/emulator/faults/test_named_faults.py has the others, on the wire.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from odyssey import (
    Odyssey,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyTimeoutError,
    Recording,
    SimulationFailedError,
    StreamDurationExceededError,
    VideoFrame,
)
from odyssey.emulator import Emulator, read_frame_number
from odyssey.emulator.faults import CATALOGUE
from tests.emulator.faults.test_named_faults import CASES
from tests.support.helpers import FaultSwitch, wait_until

SCRIPT = [
    {"timestamp_ms": 0, "start": {"prompt": "A cat"}},
    {"timestamp_ms": 200, "end": {}},
]


@pytest.fixture
def switch(emulator: Emulator) -> FaultSwitch:
    return FaultSwitch(emulator)


def works(client: Odyssey) -> None:
    """A connection and a stream without any fault."""
    with client.connect().stream("A cat") as stream:
        assert {frame.width for frame in stream.frames.take(4)} == {704}
        assert stream.interact("It yawns") == "It yawns"


def numbers(frames: list[VideoFrame]) -> list[int]:
    """What the pictures carry; a damaged one would carry no number."""
    found = [read_frame_number(frame.data) for frame in frames]
    assert None not in found
    return [number for number in found if number is not None]


# What ends the connection.

ENDS: dict[str, tuple[type[OdysseyError], str]] = {
    "socket-cut": (OdysseyConnectionError, "code 1006"),
    "connection-limit": (OdysseyConnectionError, "duration_limit_reached"),
    "session-timeout": (StreamDurationExceededError, "lease expired"),
    "track-ended": (OdysseyConnectionError, "ended the video track"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS)
def test_each_stream_ends_in_its_time(client: Odyssey, switch: FaultSwitch, name: str) -> None:
    error, text = ENDS[name]
    client.connect()
    switch.on(name, after=0.4)
    for _ in range(2):
        began = time.monotonic()
        client.connect().start_stream("A cat")
        with pytest.raises(error, match=text):
            list(client.frames)
        assert time.monotonic() - began >= 0.4
    assert switch.off(name) == []
    client.connect().start_stream("A cat")
    assert switch.on(name, after=60, times=1)
    with pytest.raises(error, match=text):
        list(client.frames)  # one that runs ends at once
    assert switch.listed()["on"] == []
    works(client)


def test_socket_cut_without_a_stream(client: Odyssey, switch: FaultSwitch) -> None:
    client.connect()
    switch.on("socket-cut", after=0)
    wait_until(lambda: not client.is_connected)


def test_socket_cut_with_a_code_leaving_the_media(client: Odyssey, switch: FaultSwitch) -> None:
    client.connect().start_stream("A cat")
    switch.on("socket-cut", code=1011, keep_media=True)
    with pytest.raises(OdysseyConnectionError, match="code 1011"):
        list(client.frames)


# What leaves it up.


def test_peer_killed(client: Odyssey, switch: FaultSwitch) -> None:
    client.connect().start_stream("A cat")
    switch.on("peer-killed")
    with pytest.raises(OdysseyTimeoutError):
        while True:
            client.frames.get(timeout=0.5)
    with pytest.raises(OdysseyTimeoutError):
        client.interact("Hello?", timeout=0.3)
    switch.off("peer-killed")
    client.disconnect()
    works(client)


def test_stream_error(client: Odyssey, switch: FaultSwitch) -> None:
    told: list[tuple[str, str]] = []
    client.connect(on_stream_error=lambda *args: told.append(args))
    switch.on("stream-error", after=0.1, reason="blurred", message="no")
    client.start_stream("A cat")
    wait_until(lambda: told == [("blurred", "no")])
    switch.off("stream-error")
    client.end_stream()
    works(client)
    assert len(told) == 1


def test_video_frozen(client: Odyssey, switch: FaultSwitch) -> None:
    client.connect()
    switch.on("video-frozen", after=0.3)
    with client.stream("A cat") as stream:
        assert stream.frames.get()
        with pytest.raises(OdysseyTimeoutError):
            while True:
                stream.frames.get(timeout=0.5)
        assert stream.interact("It yawns") == "It yawns"
        switch.off("video-frozen")
        assert stream.frames.get()


@pytest.mark.parametrize("portrait", [True, False])
def test_video_resized(client: Odyssey, switch: FaultSwitch, portrait: bool) -> None:
    client.connect()
    size = (704, 1280) if portrait else (1280, 704)
    switch.on("video-resized", after=0.2, width=320, height=512)
    with client.stream("A cat", portrait=portrait) as stream:
        frames = stream.frames.take(12)
        switch.off("video-resized")
        frames += stream.frames.take(12)
    small = (320, 512) if portrait else (512, 320)
    changes = [key for key, _ in itertools.groupby((f.width, f.height) for f in frames)]
    assert changes == [size, small, size]
    assert numbers(frames) == sorted(numbers(frames))
    client.recordings.wait(stream.id)
    assert {(f.width, f.height) for f in client.recordings.frames(stream.id)} == {size}


@pytest.mark.parametrize("name", ["key-frame-lost", "packet-lost"])
def test_one_loss(client: Odyssey, switch: FaultSwitch, name: str) -> None:
    with client.connect().stream("A cat") as stream:
        frames = stream.frames.take(6)
        switch.on(name)

        def something_was_lost() -> bool:
            frames.append(stream.frames.get())
            found = numbers(frames)
            return found[-1] - found[0] >= len(found)

        wait_until(something_was_lost)
        switch.off(name)
        frames += stream.frames.take(12)
    assert numbers(frames) == sorted(set(numbers(frames)))


def test_packet_loss(client: Odyssey, switch: FaultSwitch) -> None:
    with client.connect().stream("A cat") as stream:
        switch.on("packet-loss", share=1)
        with pytest.raises(OdysseyTimeoutError):
            while True:
                stream.frames.get(timeout=0.5)
        assert stream.interact("It yawns") == "It yawns"
        switch.off("packet-loss")
        assert numbers(stream.frames.take(4))


def test_the_first_key_frame_lost(client: Odyssey, switch: FaultSwitch) -> None:
    switch.on("key-frame-lost", after=0)
    with client.connect().stream("A cat") as stream:
        assert numbers(stream.frames.take(2))[0] > 0


# Recordings and simulations.


@pytest.fixture
def recording(client: Odyssey) -> Recording:
    with client.connect().stream("A cat") as stream:
        stream.frames.take(6)
    return client.recordings.wait(stream.id)


def test_recording_late(client: Odyssey, switch: FaultSwitch) -> None:
    switch.on("recording-late", seconds=1)
    with client.connect().stream("A cat") as stream:
        stream.frames.get()
    ended = time.monotonic()
    with pytest.raises(OdysseyNotFoundError):
        client.recordings.get(stream.id)
    assert client.recordings.wait(stream.id, interval=0.1)
    assert time.monotonic() - ended >= 0.9


@pytest.mark.parametrize("artifact", ["video", "events"])
def test_download_cut(
    client: Odyssey, switch: FaultSwitch, recording: Recording, tmp_path: Path, artifact: str
) -> None:
    whole = client.recordings.download(recording, tmp_path / "whole", artifact)
    switch.on("download-cut", share=0.3, times=2)
    resumed = client.recordings.download(recording, tmp_path / "resumed", artifact)
    assert switch.listed()["on"] == []
    assert resumed.read_bytes() == whole.read_bytes()
    switch.on("download-cut")
    switch.off("download-cut")
    assert client.recordings.download(recording, tmp_path / "again", artifact)


def test_url_expired(
    client: Odyssey, switch: FaultSwitch, recording: Recording, tmp_path: Path
) -> None:
    switch.on("url-expired", times=1)
    assert client.recordings.download(recording, tmp_path / "renewed").stat().st_size
    switch.on("url-expired")
    with pytest.raises(OdysseyError, match="403"):
        client.recordings.download(recording, tmp_path / "never")
    switch.off("url-expired")
    assert client.recordings.download(recording, tmp_path / "whole")


def test_simulation_failed(client: Odyssey, switch: FaultSwitch) -> None:
    switch.on("simulation-failed", message="out of paint")
    with pytest.raises(SimulationFailedError, match="out of paint"):
        client.simulations.wait(client.simulations.submit(script=SCRIPT), interval=0.1)
    switch.off("simulation-failed")
    assert client.simulations.wait(client.simulations.submit(script=SCRIPT), interval=0.1)


@pytest.mark.parametrize(
    ("name", "given", "state"),
    [
        ("simulation-slow", {"seconds": 60}, "processing"),
        ("simulation-stuck", {"state": "dispatched"}, "dispatched"),
    ],
)
def test_simulations_that_take_their_time(
    client: Odyssey, switch: FaultSwitch, name: str, given: dict[str, object], state: str
) -> None:
    switch.on(name, **given)
    job = client.simulations.submit(script=SCRIPT)
    wait_until(lambda: client.simulations.get(job.job_id).status == state)
    with pytest.raises(OdysseyTimeoutError):
        client.simulations.wait(job, timeout=1, interval=0.1)
    switch.off(name)
    if name == "simulation-stuck":  # the other one sleeps on
        assert client.simulations.wait(job, interval=0.1)


def test_every_fault_is_tested() -> None:
    def tested(name: str) -> bool:
        return f"test_{name.replace('-', '_')}" in globals()

    here = {"key-frame-lost", "packet-lost", "simulation-slow", "simulation-stuck"}
    assert {n for n in CATALOGUE if tested(n)} | here | set(ENDS) | set(CASES) == set(CATALOGUE)
