"""A `Stream` acts for itself: one that is over never for the one that runs now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from odyssey import (
    Odyssey,
    OdysseyError,
    OdysseyStreamError,
    Stream,
    StreamDurationExceededError,
    VideoFrame,
)
from odyssey.emulator import Emulator, faults
from tests.support.helpers import wait_until

pytestmark = pytest.mark.live


def end(client: Odyssey, _: Emulator) -> None:
    client.end_stream()


def reconnect(client: Odyssey, _: Emulator) -> None:
    client.disconnect()
    client.connect()


def time_out(client: Odyssey, emulator: Emulator) -> None:
    """The service ends the session; another connection takes its place."""
    emulator.faults.inject(faults.SessionTimeout(), times=1)
    wait_until(lambda: not client.is_connected)
    client.connect()


def raised_by(call: Callable[[], object]) -> str | None:
    with pytest.raises(OdysseyStreamError) as raised:
        call()
    return raised.value.reason


@pytest.mark.parametrize("over", [end, reconnect, time_out])
def test_one_that_is_over_leaves_the_next_alone(
    connected: Odyssey, emulator: Emulator, over: Callable[[Odyssey, Emulator], None]
) -> None:
    with ExitStack() as exit_stack:
        a = exit_stack.enter_context(connected.stream("A cat"))
        a.interact("It yawns")
        over(connected, emulator)
        with connected.stream("A dog") as b:
            assert not a.is_active
            assert raised_by(lambda: a.interact("It barks")) == "stream_ended"
            assert raised_by(a.preview) == "stream_ended"
            assert (a.applied_prompt, b.applied_prompt) == ("It yawns", "A dog")
            a.end()
            a.__exit__(None, None, None)
            assert b.is_active
            assert b.interact("It runs") == "It runs"
            assert (a.applied_prompt, b.applied_prompt) == ("It yawns", "It runs")
            assert next(iter(b)).stream_id == b.id
        assert "over" in repr(a)
        assert "over" in repr(b)


def test_its_iteration_stops_and_takes_no_frame_of_the_next(connected: Odyssey) -> None:
    with connected.stream("A cat") as a:
        assert next(iter(a)).stream_id == a.id
    with connected.stream("A dog", portrait=False) as b:
        wait_until(lambda: len(b.frames) > 0)
        first = b.frames.stats.received
        assert list(a) == []
        assert b.frames.stats.delivered <= first
        assert next(iter(b)).stream_id == b.id


def test_an_iteration_in_the_middle_stops_where_the_next_begins(connected: Odyssey) -> None:
    seen: list[VideoFrame] = []
    with ExitStack() as exit_stack:
        a = exit_stack.enter_context(connected.stream("A cat"))
        for frame in a:
            seen.append(frame)
            if len(seen) == 3:
                a.end()
                b = exit_stack.enter_context(connected.stream("A dog"))
        assert {frame.stream_id for frame in seen} == {a.id}
        assert next(iter(b)).stream_id == b.id


def test_over_without_a_connection(client: Odyssey) -> None:
    with client.connect().stream("A cat") as stream:
        client.disconnect()
        assert raised_by(lambda: stream.interact("It yawns")) == "stream_ended"
        assert stream.applied_prompt == "A cat"
        assert all(frame.stream_id == stream.id for frame in stream)
        assert not stream.is_active


def test_one_that_failed_says_so_also_beside_the_next(
    connected: Odyssey, emulator: Emulator
) -> None:
    with connected.stream("A cat") as a:
        time_out(connected, emulator)
        with connected.stream("A dog") as b:
            with pytest.raises(StreamDurationExceededError):
                list(a)
            assert next(iter(b)).stream_id == b.id


def test_before_its_start(connected: Odyssey) -> None:
    stream = connected.stream("A cat")
    calls: list[Callable[[Stream], object]] = [
        lambda stream: stream.id,
        lambda stream: stream.interact("It yawns"),
        lambda stream: stream.preview(),
        iter,
    ]
    for call in calls:
        assert raised_by(lambda call=call: call(stream)) == "not_started"  # type: ignore[misc]
    stream.end()  # nothing to do
    assert stream.applied_prompt is None
    assert repr(stream) == "<Stream not started>"


def test_one_that_is_over_still_refuses_what_is_wrong(connected: Odyssey) -> None:
    with connected.stream("A cat") as stream:
        stream.end()
    with pytest.raises(ValueError, match="empty"):
        stream.interact(" ")
    with pytest.raises(ValueError, match="timeout"):
        stream.interact("It yawns", timeout=-1)
    connected.close()
    with pytest.raises(OdysseyError):
        stream.interact("It yawns")


# `connect` on a client that is connected.


def test_callbacks_that_are_given_later_replace_the_present_ones(connected: Odyssey) -> None:
    started: list[str] = []
    frames: list[VideoFrame] = []
    assert connected.connect(on_stream_started=started.append) is connected
    first = connected.start_stream("A cat")
    wait_until(lambda: started == [first])
    connected.connect(on_video_frame=frames.append)  # the other one stays
    wait_until(lambda: any(frame.stream_id == first for frame in frames))
    connected.end_stream()
    again: list[str] = []
    connected.connect(on_stream_started=again.append)
    second = connected.start_stream("A dog")
    wait_until(lambda: again == [second])
    assert started == [first]
    assert connected.stats.callback_frames >= 1
