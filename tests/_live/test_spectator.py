"""Watching a broadcast: `connect_to_stream` against the emulator's WHEP."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Iterator

import aioice.ice
import pytest

from odyssey import (
    BroadcastInfo,
    Odyssey,
    OdysseyConnectionError,
    SpectatorConnection,
    VideoFrame,
    connect_to_stream,
)
from odyssey._rtc import private_rtp
from odyssey.emulator import Emulator, faults, read_frame_number
from tests.support.helpers import open_sockets, wait_until
from tests.support.offline import run_offline

pytestmark = pytest.mark.live


@pytest.fixture
def watching(on_air: BroadcastInfo) -> Iterator[SpectatorConnection]:
    """A spectator of it."""
    with watch(on_air) as connection:
        yield connection


def watch(info: BroadcastInfo, **options: object) -> SpectatorConnection:
    return connect_to_stream(
        info.webrtc_url,
        info.spectator_token,
        **({"timeout": 10} | options),  # type: ignore[arg-type]
    )


def numbers(frames: list[VideoFrame]) -> list[int]:
    found = [read_frame_number(frame.data) for frame in frames]
    return [number for number in found if number is not None]


def client_threads() -> list[str]:
    """The threads of clients and spectators: those of the emulator come and stay as it likes."""
    ours = (
        "odyssey-media",
        "odyssey-events",
        "odyssey-frames",
        "video-decoder",
        "odyssey-resolver",
    )
    return sorted(t.name for t in threading.enumerate() if t.name.startswith(ours))


def spectators(emulator: Emulator) -> int:
    return emulator.connections[0].spectators


def test_several_see_the_streams_frames(
    client: Odyssey, on_air: BroadcastInfo, emulator: Emulator
) -> None:
    with watch(on_air) as one, watch(on_air) as two, watch(on_air) as three:
        assert spectators(emulator) == 3
        taken: list[VideoFrame] = []
        for each in (one, two, three):
            frames = each.frames.take(12)
            taken = taken or frames  # those of `one`
            first = numbers(frames)[0]
            assert numbers(frames) == list(range(first, first + 12))
            assert [frame.index for frame in frames] == list(range(12))
            assert {(frame.stream_id, frame.prompt) for frame in frames} == {(None, None)}
            assert {(frame.width, frame.height) for frame in frames} == {(704, 1280)}
            times = [frame.timestamp_ms for frame in frames]
            assert times == sorted(set(times))
        (newest,) = numbers([client.frames.latest()])
        # That one may be among those that `one` has handed out already.
        theirs = itertools.chain(taken, one.frames)
        seen = (number for frame in theirs for number in numbers([frame]))
        assert next(number for number in seen if number >= newest) == newest
    wait_until(lambda: spectators(emulator) == 0)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_who_joins_late_has_a_picture_at_once(codec: str) -> None:
    announced: queue.Queue[BroadcastInfo] = queue.Queue()
    with (
        Emulator(codec=codec) as emulator,  # type: ignore[arg-type]
        Odyssey(emulator.api_key, api_url=emulator.url) as client,
    ):
        client.connect(on_broadcast_ready=announced.put)
        with client.stream("A cat", portrait=False, broadcast=True) as stream:
            stream.frames.take(30)
            with watch(announced.get()) as watching:
                frame = watching.frames.get(timeout=0.8)
                assert numbers([frame])[0] >= 30
                assert (frame.width, frame.height) == (1280, 704)


def test_it_asks_for_a_key_frame(on_air: BroadcastInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    request = private_rtp.request_key_frame

    async def counted(pc: object, track: object) -> bool | None:
        answer = await request(pc, track)  # type: ignore[arg-type]
        asked.append(bool(answer))
        return answer

    monkeypatch.setattr(private_rtp, "request_key_frame", counted)
    with watch(on_air) as watching:
        watching.frames.get()
        wait_until(lambda: any(asked))


def test_without_that_hook(
    on_air: BroadcastInfo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(private_rtp, "_SEND_PLI", "_gone")
    with watch(on_air) as watching:
        assert watching.frames.take(3)
    assert "can't ask for a key frame" in caplog.text


# Endings.


def test_the_streams_end_is_a_clean_end(
    client: Odyssey, on_air: BroadcastInfo, emulator: Emulator
) -> None:
    gone: list[float] = []
    threads = client_threads()
    watching = watch(on_air, on_disconnected=lambda: gone.append(time.monotonic()))
    assert watching.is_connected
    wait_until(lambda: len(watching.frames) >= 6)
    client.end_stream()
    sent, seen = list(client.frames), list(watching.frames)
    assert [frame.index for frame in seen] == list(range(len(seen)))
    assert numbers(seen[-1:]) >= numbers(sent[-1:])  # up to the last one
    wait_until(lambda: gone)
    assert not watching.is_connected
    assert list(watching.frames) == []
    with pytest.raises(OdysseyConnectionError):
        watching.frames.get()
    # Everything is freed, whether or not anybody says `disconnect`.
    wait_until(lambda: client_threads() == threads)
    watching.disconnect()
    watching.disconnect()
    assert len(gone) == 1
    assert client.is_connected


@pytest.mark.timing
def test_leaving(on_air: BroadcastInfo, emulator: Emulator) -> None:
    gone: list[None] = []
    watching = watch(on_air, on_disconnected=lambda: gone.append(None))
    watching.frames.get()
    waiting = threading.Thread(target=lambda: list(watching.frames))
    waiting.start()
    began = time.monotonic()
    watching.disconnect()
    assert time.monotonic() - began < 1
    assert spectators(emulator) == 0  # told by the DELETE, at once
    waiting.join(2)
    assert not waiting.is_alive()
    assert gone == [None]
    assert not watching.is_connected
    watching.disconnect()


@pytest.mark.slow
def test_ten_times_leave_nothing(on_air: BroadcastInfo, emulator: Emulator) -> None:
    wait_until(lambda: spectators(emulator) == 0)
    threads, sockets = client_threads(), open_sockets()
    for _ in range(10):
        with watch(on_air) as watching:
            assert watching.frames.get().index == 0
        wait_until(lambda: client_threads() == threads)
    wait_until(lambda: spectators(emulator) == 0)
    wait_until(lambda: len(open_sockets()) <= len(sockets))


@pytest.mark.timing
def test_leaving_a_dead_service_is_bounded(
    watching: SpectatorConnection, emulator: Emulator
) -> None:
    emulator.faults.inject(faults.HttpDelay(path="*/whep/*", seconds=4))
    emulator.faults.kill_peers()
    began = time.monotonic()
    watching.disconnect()
    assert time.monotonic() - began < 3
    emulator.faults.clear()


def test_a_lost_connection_is_a_failure(
    on_air: BroadcastInfo, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # ICE takes half a minute to be sure.
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.1)
    monkeypatch.setattr(aioice.ice, "CONSENT_FAILURES", 2)
    gone: list[None] = []
    with watch(on_air, on_disconnected=lambda: gone.append(None)) as watching:
        watching.frames.get()
        emulator.faults.kill_peers()
        with pytest.raises(OdysseyConnectionError, match="lost"):
            for _ in watching.frames:
                pass
        with pytest.raises(OdysseyConnectionError, match="lost"):
            watching.frames.get()
        assert not watching.is_connected
    wait_until(lambda: gone)
    assert gone == [None]


def test_two_threads_leave_at_once(watching: SpectatorConnection) -> None:
    threads = [threading.Thread(target=watching.disconnect) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3)
        assert not thread.is_alive()


# Callbacks.


@pytest.mark.timing
def test_a_slow_callback_delays_nothing(on_air: BroadcastInfo) -> None:
    seen: list[int] = []
    threads: set[str] = set()

    def slow(frame: VideoFrame) -> None:
        threads.add(threading.current_thread().name)
        seen.append(frame.index)
        time.sleep(0.2)

    with watch(on_air, on_video_frame=slow) as watching:
        frames = watching.frames.take(24)
        assert [frame.index for frame in frames] == list(range(24))
        assert time.monotonic() - frames[-1].received_at < 1
    assert seen == sorted(seen)
    assert 1 < len(seen) < 20
    assert threads == {"odyssey-frames"}


def test_a_callback_may_leave(on_air: BroadcastInfo, emulator: Emulator) -> None:
    connections: queue.Queue[SpectatorConnection] = queue.Queue()
    gone = threading.Event()

    def leave(_: VideoFrame) -> None:
        connections.get().disconnect()

    connections.put(watch(on_air, on_video_frame=leave, on_disconnected=gone.set))
    assert gone.wait(5)
    wait_until(lambda: spectators(emulator) == 0)


def test_a_callback_that_raises(on_air: BroadcastInfo, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: VideoFrame) -> None:
        raise RuntimeError("my mistake")

    with watch(on_air, on_video_frame=broken) as watching:
        watching.frames.take(6)
        wait_until(lambda: "my mistake" in caplog.text)
        assert watching.is_connected


def test_an_incomplete_announcement(client: Odyssey, emulator: Emulator) -> None:
    emulator.faults.inject(faults.BroadcastIncomplete(), times=1)
    errors: list[tuple[str, str]] = []
    announced: list[BroadcastInfo] = []
    client.connect(
        on_stream_error=lambda *args: errors.append(args), on_broadcast_ready=announced.append
    )
    with client.stream("A cat", broadcast=True) as stream:
        wait_until(lambda: errors)
        assert errors[0][0] == "broadcast_error"
        assert "token" in errors[0][1]
        assert stream.frames.get()  # the stream goes on
    assert announced == []


def test_the_repr_has_no_token(watching: SpectatorConnection, on_air: BroadcastInfo) -> None:
    assert on_air.spectator_token not in repr(watching)
    assert on_air.spectator_token not in repr(on_air)
    assert on_air.webrtc_url in repr(watching)
    assert "connected" in repr(watching)


OFFLINE = """
import queue
from odyssey import Odyssey, connect_to_stream
from odyssey.emulator import Emulator
announced = queue.Queue()
with Emulator() as emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
    client.connect(on_broadcast_ready=announced.put)
    with client.stream("A cat", broadcast=True):
        info = announced.get(timeout=5)
        with connect_to_stream(info.webrtc_url, info.spectator_token, timeout=10) as watching:
            print(len(watching.frames.take(5)))
"""


def test_watching_with_only_loopback() -> None:
    assert run_offline(OFFLINE) == "5"
