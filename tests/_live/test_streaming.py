"""Streaming: frames in order, steered by prompts, through queues and callbacks."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from odyssey import (
    FrameQueue,
    Odyssey,
    OdysseyConnectionError,
    OdysseyStreamError,
    OdysseyTimeoutError,
    VideoFrame,
)
from odyssey.emulator import Emulator, faults, read_frame_number
from tests.support.helpers import wait_until

pytestmark = pytest.mark.live


def number(frame: VideoFrame) -> int:
    found = read_frame_number(frame.data)
    assert found is not None
    return found


def test_frames_come_in_order_with_their_numbers(connected: Odyssey) -> None:
    with connected.stream("A cat on a windowsill") as stream:
        frames = stream.frames.take(48)
        assert [number(frame) for frame in frames] == list(range(48))
        indexes = [frame.index for frame in frames]
        assert indexes == list(range(indexes[0], indexes[0] + 48))
        times = [frame.timestamp_ms for frame in frames]
        assert times == sorted(set(times))
        assert {frame.stream_id for frame in frames} == {stream.id}
        assert {frame.prompt for frame in frames} == {"A cat on a windowsill"}
        assert {(frame.width, frame.height) for frame in frames} == {(704, 1280)}
        assert all(a.received_at < b.received_at for a, b in itertools.pairwise(frames))


def test_the_second_streams_frames_only_after_its_start(connected: Odyssey) -> None:
    first = connected.start_stream("A forest")
    connected.frames.take(5)
    wait_until(lambda: len(connected.frames) >= 3)
    connected.end_stream()
    second = connected.start_stream("A desert", portrait=False)
    assert second != first
    frames = connected.frames.take(6)
    assert {frame.stream_id for frame in frames} == {second}
    assert [number(frame) for frame in frames] == list(range(6))
    assert {(frame.width, frame.height) for frame in frames} == {(1280, 704)}


def test_frames_that_wait_are_handed_out_before_the_end(connected: Odyssey) -> None:
    with connected.stream("A lake"):
        wait_until(lambda: len(connected.frames) >= 3)
    waiting = len(connected.frames)
    assert waiting >= 3
    assert len(list(connected.frames)) == waiting
    assert list(connected.frames) == []
    with pytest.raises(OdysseyStreamError, match="ended"):
        connected.frames.get()


def test_idle_frames_are_counted_only(connected: Odyssey) -> None:
    wait_until(lambda: connected.frames.stats.idle >= 2, what="black frames")
    assert connected.frames.stats.received == 0
    with pytest.raises(OdysseyTimeoutError, match="no stream has been started"):
        connected.frames.get(timeout=0)


def test_the_callback_gets_idle_frames_too(client: Odyssey) -> None:
    frames: list[VideoFrame] = []
    client.connect(on_video_frame=frames.append)
    wait_until(lambda: frames)
    assert frames[0].stream_id is None
    assert frames[0].prompt is None
    stream_id = client.start_stream("A cat")
    wait_until(lambda: frames[-1].stream_id == stream_id)


def test_stack(connected: Odyssey) -> None:
    with connected.stream("A cat") as stream:
        out = np.empty((8, 1280, 704, 3), np.uint8)
        clip = stream.frames.stack(8, out=out)
        assert clip.base is out or clip is out
        assert [read_frame_number(picture) for picture in clip] == list(range(8))


def test_latest_skips(connected: Odyssey) -> None:
    with connected.stream("A cat") as stream:
        wait_until(lambda: len(stream.frames) >= 6)
        frame = stream.frames.latest()
        assert number(frame) >= 5
        stats = stream.frames.stats
        assert stats.skipped == number(frame)
        assert stats.delivered == 1


def test_read_is_for_opencv(connected: Odyssey) -> None:
    subscription = connected.subscribe()
    with connected.stream("A red balloon") as stream:
        ok, bgr = stream.frames.read()
        assert ok
        assert bgr is not None
        assert np.array_equal(bgr[:, :, ::-1], subscription.get().data)
    stream.frames.clear()
    assert stream.frames.read() == (False, None)


def test_iteration_ends_with_the_stream(connected: Odyssey) -> None:
    count = 0
    with connected.stream("A cat") as stream:
        for frame in stream:
            count += 1
            assert frame.stream_id == stream.id
            if count == 5:
                stream.end()
        assert not stream.is_active
    assert count >= 5


def test_drop_oldest_and_newest_are_counted(connected: Odyssey) -> None:
    oldest = connected.subscribe(maxsize=4)
    newest = connected.subscribe(maxsize=4, overflow="drop_newest")
    single = connected.subscribe(maxsize=1)
    with connected.stream("A cat"):
        wait_until(lambda: connected.frames.stats.received >= 10)
    for queue in (oldest, newest, single):
        stats = queue.stats
        assert stats.received == stats.dropped + stats.waiting
    received = oldest.stats.received
    assert [number(f) for f in oldest] == list(range(received - 4, received))
    assert [number(f) for f in newest] == [0, 1, 2, 3]
    assert [number(f) for f in single] == [received - 1]


def test_subscriptions_share_one_picture(connected: Odyssey) -> None:
    with connected.subscribe() as a, connected.subscribe() as b:
        with connected.stream("A cat"):
            first, second = a.get(), b.get()
        assert first.data is second.data
    with pytest.raises(OdysseyStreamError, match="closed"):
        a.get()


def test_an_interaction_shows_within_half_a_second(connected: Odyssey) -> None:
    with connected.stream("A calm blue sea at noon") as stream:
        before = stream.frames.get()
        acknowledged = stream.interact("A red desert at night")
        assert acknowledged == "A red desert at night"
        assert stream.applied_prompt == connected.last_applied_prompt == acknowledged
        frames = stream.frames.take(24)
        changed = next(f for f in frames if f.prompt == acknowledged)
        later = [f for f in frames if f.timestamp_ms >= changed.timestamp_ms + 450]
        difference = np.abs(later[0].data.astype(int) - before.data.astype(int)).mean()
        assert difference > 20


def test_three_threads_interact_at_once(connected: Odyssey) -> None:
    answers: dict[str, str] = {}

    def interact(prompt: str) -> None:
        answers[prompt] = connected.interact(prompt)

    with connected.stream("A cat"):
        prompts = [f"prompt {i}" for i in range(3)]
        threads = [threading.Thread(target=interact, args=(p,)) for p in prompts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert answers == {p: p for p in prompts}


def test_rewritten_prompts(emulator: Emulator) -> None:
    with (
        Emulator(rewrite_prompts=True) as rewriting,
        Odyssey(rewriting.api_key, api_url=rewriting.url) as client,
    ):
        with client.connect().stream("A cat") as stream:
            assert stream.applied_prompt != "A cat"
            assert "A cat" in (stream.applied_prompt or "")
            answer = stream.interact("It yawns")
            assert "It yawns" in answer
            assert answer == client.last_applied_prompt


@pytest.mark.timing
def test_a_slow_callback_delays_nothing_but_itself(client: Odyssey) -> None:
    seen: list[int] = []

    def slow(frame: VideoFrame) -> None:
        time.sleep(0.2)
        seen.append(frame.index)

    client.connect(on_video_frame=slow)
    with client.stream("A cat") as stream:
        wait_until(lambda: client.frames.stats.received >= 36, 15)
        took: list[float] = []
        for prompt in ("It yawns", "It sits", "It looks", "It jumps", "It sleeps"):
            began = time.monotonic()
            stream.interact(prompt)
            took.append(time.monotonic() - began)
        # Behind the callback each would wait for a call of it at least.
        assert statistics.median(took) < 0.2, took
        newest = stream.frames.latest()
        assert time.monotonic() - newest.received_at < 1
    stats = client.stats
    assert stats.callback_dropped > 0
    assert stats.callback_dropped + stats.callback_frames <= stats.frames_received
    assert stats.callback_dropped + stats.callback_frames >= stats.frames_received - 2
    assert seen == sorted(seen)


def test_events_arrive_in_order(client: Odyssey) -> None:
    events: list[tuple[object, ...]] = []

    def record(name: str) -> Callable[..., None]:
        return lambda *args: events.append((name, *args))

    client.connect(
        on_connected=record("connected"),
        on_disconnected=record("disconnected"),
        on_stream_started=record("started"),
        on_stream_ended=record("ended"),
        on_interact_acknowledged=record("acknowledged"),
    )
    stream_id = client.start_stream("A cat")
    client.interact("It yawns")
    client.end_stream()
    client.disconnect()
    wait_until(lambda: ("disconnected",) in events)
    assert events == [
        ("connected",),
        ("started", stream_id),
        ("acknowledged", "It yawns"),
        ("ended",),
        ("disconnected",),
    ]


def test_callbacks_may_call_any_method(client: Odyssey, emulator: Emulator) -> None:
    done = threading.Event()
    answers: list[str] = []

    def started(_: str) -> None:
        answers.append(client.interact("from the callback"))
        client.end_stream()

    def ended() -> None:
        client.disconnect()

    def disconnected() -> None:
        client.connect()
        done.set()

    client.connect(on_stream_started=started, on_stream_ended=ended, on_disconnected=disconnected)
    client.start_stream("A cat")
    assert done.wait(10)
    assert answers == ["from the callback"]
    assert client.is_connected
    assert len(emulator.connections) == 2


def test_a_callback_that_raises(client: Odyssey, caplog: pytest.LogCaptureFixture) -> None:
    errors: list[tuple[Exception, bool]] = []

    def broken(_: str) -> None:
        raise RuntimeError("my mistake")

    client.connect(
        on_stream_started=broken, on_error=lambda exc, fatal: errors.append((exc, fatal))
    )
    with client.stream("A cat") as stream:
        wait_until(lambda: errors)
        assert stream.frames.get()
    assert str(errors[0][0]) == "my mistake"
    assert errors[0][1] is False
    assert "Traceback" in caplog.text


def test_the_body_of_with_raises(emulator: Emulator) -> None:
    with pytest.raises(ZeroDivisionError):
        with Odyssey(emulator.api_key, api_url=emulator.url) as client:
            client.connect()
            with client.stream("A cat") as stream:
                stream.frames.get()
                raise ZeroDivisionError
    wait_until(lambda: [c.client_disconnecting for c in emulator.connections] == [True])
    assert emulator.connections[0].stream_id is None
    assert client.current_status == "disconnected"


def test_a_stream_is_entered_once(connected: Odyssey) -> None:
    stream = connected.stream("A cat")
    assert not stream.is_active
    with pytest.raises(OdysseyStreamError, match="not been started"):
        _ = stream.id
    with stream:
        assert "active" in repr(stream)
        with pytest.raises(OdysseyStreamError, match="once"):
            stream.__enter__()
    stream.end()  # nothing to do
    assert "over" in repr(stream)


def test_two_clients_in_one_process(emulator: Emulator) -> None:
    with (
        Odyssey(emulator.api_key, api_url=emulator.url) as one,
        Odyssey(emulator.api_key, api_url=emulator.url) as two,
    ):
        with one.connect().stream("A cat") as a, two.connect().stream("A dog") as b:
            assert {f.stream_id for f in a.frames.take(6)} == {a.id}
            assert {f.stream_id for f in b.frames.take(6)} == {b.id}
            assert a.id != b.id


# What has no connection or no stream.


def test_without_a_connection(client: Odyssey) -> None:
    calls: list[Callable[[], object]] = [
        lambda: client.start_stream("A cat"),
        lambda: client.interact("It yawns"),
        client.end_stream,
    ]
    for call in calls:
        with pytest.raises(OdysseyStreamError, match="not connected") as caught:
            call()
        assert caught.value.reason == "not_connected"
    waits: list[Callable[[], object]] = [
        client.frames.get,
        client.frames.latest,
        client.frames.read,
        lambda: client.frames.take(3),
        lambda: next(iter(client.frames)),
    ]
    for wait in waits:
        with pytest.raises(OdysseyConnectionError):
            wait()


def test_without_a_stream(connected: Odyssey) -> None:
    calls: list[Callable[[], object]] = [lambda: connected.interact("x"), connected.end_stream]
    for call in calls:
        with pytest.raises(OdysseyStreamError, match="no stream") as caught:
            call()
        assert caught.value.reason == "invalid_state"
    assert connected.is_connected


def test_a_second_start_is_refused_and_the_stream_goes_on(client: Odyssey) -> None:
    errors: list[str] = []
    client.connect(on_stream_error=lambda reason, _message: errors.append(reason))
    with client.stream("A cat") as stream:
        with pytest.raises(OdysseyStreamError) as caught:
            client.start_stream("A dog")
        assert caught.value.reason == "invalid_state"
        assert stream.is_active
        assert stream.interact("It yawns") == "It yawns"
    client.disconnect()  # and whatever else there was to tell has been told
    wait_until(lambda: errors)
    assert errors == ["invalid_state"]


def test_wrong_arguments_send_nothing(connected: Odyssey, emulator: Emulator) -> None:
    with connected.stream("A cat") as stream:
        with pytest.raises(TypeError):
            connected.start_stream(7)  # type: ignore[arg-type]
        for prompt in ("", "  "):
            with pytest.raises(ValueError, match="empty"):
                stream.interact(prompt)
        with pytest.raises(ValueError, match="too long"):
            stream.interact("x" * 300_000)
        for call in (stream.interact, connected.start_stream):
            with pytest.raises(ValueError, match="half a character"):
                call("A cat \ud83d")
        with pytest.raises(ValueError, match="timeout"):
            stream.frames.get(timeout=-1)
        assert emulator.connections[0].prompts == ("A cat",)


def test_a_picture_goes_over_signaling(connected: Odyssey) -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[:] = (220, 30, 30)
    with connected.stream("A balloon", image=red) as stream:
        r, g, b = stream.frames.get().data[200:1000].reshape(-1, 3).mean(axis=0)
        assert r > g + 60
        assert r > b + 60


def test_image_path_is_deprecated(connected: Odyssey) -> None:
    with pytest.warns(DeprecationWarning, match="image"), pytest.raises(ValueError, match="exist"):
        connected.start_stream("A cat", image_path="no-such-file.png")


def test_disconnecting_ends_iteration(connected: Odyssey) -> None:
    frames: list[VideoFrame] = []

    def read(queue: FrameQueue) -> None:
        frames.extend(queue)

    connected.start_stream("A cat")
    thread = threading.Thread(target=read, args=(connected.frames,))
    thread.start()
    wait_until(lambda: frames)
    connected.disconnect()
    thread.join(5)
    assert not thread.is_alive()
    with pytest.raises(OdysseyConnectionError):
        connected.frames.get()


def test_fault_frozen_video_lets_the_call_time_out(connected: Odyssey, emulator: Emulator) -> None:
    with connected.stream("A cat") as stream:
        stream.frames.get()
        emulator.faults.inject(faults.FreezeVideo())
        with pytest.raises(OdysseyTimeoutError) as caught:
            stream.frames.take(500, timeout=0.3)
        assert len(caught.value.partial) < 500
        emulator.faults.clear()
        assert stream.interact("It yawns") == "It yawns"
