"""What breaks while connected: who is woken, with which error, and what goes on."""

from __future__ import annotations

import threading
import time

import pytest

from odyssey import (
    ConcurrentLimitReachedError,
    ConnectionStatus,
    MonthlyLimitReachedError,
    Odyssey,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyStreamError,
    OdysseyTimeoutError,
    OdysseyUsageError,
    StreamDurationExceededError,
)
from odyssey.emulator import Emulator, Limits, faults
from tests.support.helpers import in_thread, wait_until

pytestmark = pytest.mark.live

# Replies that are late, lost, doubled or swapped.


def test_fault_lost_acknowledgement(connected: Odyssey, emulator: Emulator) -> None:
    with connected.stream("A cat") as stream:
        emulator.faults.inject(faults.WithholdReply(type="update_acknowledged"), times=1)
        with pytest.raises(OdysseyTimeoutError, match="acknowledge"):
            stream.interact("lost", timeout=0.4)
        assert stream.interact("found") == "found"


def test_fault_late_acknowledgement_never_answers_the_next_call(
    connected: Odyssey, emulator: Emulator
) -> None:
    acknowledged: list[str] = []
    with connected.stream("A cat") as stream:
        late = faults.WithholdReply(type="update_acknowledged", seconds=0.8)
        emulator.faults.inject(late, times=1)
        with pytest.raises(OdysseyTimeoutError):
            stream.interact("late", timeout=0.2)
        emulator.faults.inject(
            faults.WithholdReply(type="update_acknowledged", seconds=1.2), times=1
        )
        acknowledged.append(stream.interact("next"))
    assert acknowledged == ["next"]


def test_fault_swapped_acknowledgements(connected: Odyssey, emulator: Emulator) -> None:
    with connected.stream("A cat") as stream:
        emulator.faults.inject(faults.SwapReplies(), times=1)
        one = in_thread(lambda: stream.interact("one"))
        wait_until(lambda: "one" in emulator.connections[0].prompts)
        two = in_thread(lambda: stream.interact("two"))
        assert two.result(10) == "two"
        assert one.result(10) == "one"


def test_fault_doubled_acknowledgement(client: Odyssey, emulator: Emulator) -> None:
    heard: list[str] = []
    client.connect(on_interact_acknowledged=heard.append)
    with client.stream("A cat") as stream:
        emulator.faults.inject(faults.DuplicateReply(), times=1)
        assert stream.interact("three") == "three"
        # While another call waited it would be taken for that one's, in other words.
        wait_until(lambda: heard == ["three", "three"])
        assert stream.interact("four") == "four"


def test_fault_late_start_leaves_the_connection_up(client: Odyssey, emulator: Emulator) -> None:
    started: list[str] = []
    client.connect(on_stream_started=started.append)
    emulator.faults.inject(faults.WithholdReply(type="stream_started", seconds=0.8), times=1)
    with pytest.raises(OdysseyTimeoutError, match="started"):
        client.start_stream("late", timeout=0.2)
    assert client.is_connected
    wait_until(lambda: started, what="the late start")
    assert client.frames.get().stream_id == started[0]
    client.end_stream()
    second = client.start_stream("A dog")
    assert second != started[0]


@pytest.mark.parametrize("seconds", [0.8, pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize("prompt", ["A cat", "A dog"])
def test_fault_late_start_of_a_stream_is_ended_again(
    client: Odyssey, emulator: Emulator, seconds: float | None, prompt: str
) -> None:
    """The start's answer comes late, or never: it leaves nothing in the way of the next one."""
    client.connect()
    late = faults.WithholdReply(type="stream_started", seconds=seconds)
    emulator.faults.inject(late, times=1)
    with pytest.raises(OdysseyTimeoutError), client.stream("A cat", timeout=0.3):
        raise AssertionError("it should not have started")
    with client.stream(prompt) as stream:
        assert stream.frames.get().stream_id == stream.id
        assert stream.interact("It moves") == "It moves"
    assert stream.id == emulator.connections[0].streams[-1]
    with client.stream("A fish") as last:
        assert last.interact("It swims") == "It swims"
    wait_until(lambda: emulator.connections[0].stream_id is None)


def test_fault_late_start_of_a_stream_is_ended_before_the_next_start(
    client: Odyssey, emulator: Emulator
) -> None:
    started: list[str] = []
    client.connect(on_stream_started=started.append)
    late = faults.WithholdReply(type="stream_started", seconds=0.8)
    emulator.faults.inject(late, times=1)
    with pytest.raises(OdysseyTimeoutError), client.stream("A cat", timeout=0.2):
        raise AssertionError("it should not have started")
    wait_until(lambda: emulator.connections[0].streams)
    wait_until(lambda: emulator.connections[0].stream_id is None, what="the late stream is over")
    with client.stream("A dog") as stream:
        assert stream.frames.get().stream_id == stream.id
    client.disconnect()
    wait_until(lambda: started == [stream.id])


def test_fault_lost_end(connected: Odyssey, emulator: Emulator) -> None:
    connected.start_stream("A cat")
    emulator.faults.inject(faults.WithholdReply(type="stream_ended"), times=1)
    with pytest.raises(OdysseyTimeoutError, match="ended"):
        connected.end_stream(timeout=0.3)
    assert connected.is_connected


# Refusals.


@pytest.mark.parametrize(
    ("reason", "cls"),
    [
        ("quota_exceeded", MonthlyLimitReachedError),
        ("concurrent_limit_exceeded", ConcurrentLimitReachedError),
        ("lease_denied", OdysseyStreamError),
        ("moderation", OdysseyStreamError),
    ],
)
def test_fault_start_refused(
    client: Odyssey, emulator: Emulator, reason: str, cls: type[OdysseyError]
) -> None:
    told: list[tuple[str, str]] = []
    client.connect(on_stream_error=lambda *args: told.append(args))
    emulator.faults.inject(faults.StreamRefused(reason=reason, message="because"), times=1)
    with pytest.raises(cls, match="because") as caught:
        client.start_stream("A cat")
    if isinstance(caught.value, OdysseyStreamError):
        assert (caught.value.reason, caught.value.message) == (reason, "because")
    wait_until(lambda: told == [(reason, "because")])
    assert client.is_connected
    assert client.start_stream("A cat")


def test_fault_interaction_refused_and_the_stream_goes_on(
    connected: Odyssey, emulator: Emulator
) -> None:
    with connected.stream("A cat") as stream:
        emulator.faults.inject(faults.StreamRefused(reason="moderation", on="update"), times=1)
        with pytest.raises(OdysseyStreamError) as caught:
            stream.interact("something bad")
        assert caught.value.reason == "moderation"
        assert stream.is_active
        assert stream.interact("something good") == "something good"
        assert stream.applied_prompt == "something good"


def test_fault_stream_error_with_nobody_waiting(client: Odyssey, emulator: Emulator) -> None:
    told: list[tuple[str, str]] = []
    client.connect(on_stream_error=lambda *args: told.append(args))
    with client.stream("A cat") as stream:
        emulator.faults.fail_streams("moderation", "blurred")
        wait_until(lambda: told)
        assert stream.is_active
        assert stream.frames.get()


def test_the_streams_limit() -> None:
    with (
        Emulator(limits=Limits(stream_seconds=1.6)) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url, timeout=10) as client,
    ):
        fatal: list[tuple[Exception, bool]] = []
        gone = threading.Event()
        client.connect(
            on_error=lambda exc, final: fatal.append((exc, final)), on_disconnected=gone.set
        )
        client.start_stream("A cat")
        count = 0
        with pytest.raises(StreamDurationExceededError, match="lease expired") as caught:
            for _ in client.frames:
                count += 1
        assert count >= 5
        assert isinstance(caught.value, OdysseyStreamError)
        assert isinstance(caught.value, OdysseyUsageError)
        assert caught.value.code == "STREAM_DURATION_EXCEEDED"
        assert gone.wait(5)
        assert client.current_status is ConnectionStatus.FAILED
        with pytest.raises(StreamDurationExceededError):
            client.frames.get()
        assert isinstance(fatal[0][0], StreamDurationExceededError)
        assert fatal[0][1] is True
        client.connect()
        assert client.start_stream("Another cat")


def test_the_connections_limit() -> None:
    with (
        Emulator(limits=Limits(connection_seconds=2)) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url, timeout=10) as client,
    ):
        client.connect()
        client.start_stream("A cat")
        with pytest.raises(OdysseyConnectionError, match="duration_limit_reached") as caught:
            for _ in client.frames:
                pass
        assert caught.value.reason == "duration_limit_reached"
        assert client.current_status is ConnectionStatus.FAILED


def test_the_idle_limit_is_a_clean_end() -> None:
    with (
        Emulator(limits=Limits(idle_seconds=0.3)) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url, timeout=10) as client,
    ):
        gone = threading.Event()
        client.connect(on_disconnected=gone.set)
        assert gone.wait(5)
        assert client.current_status is ConnectionStatus.DISCONNECTED
        assert list(client.frames) == []


# A connection that is lost wakes everybody.


@pytest.mark.parametrize("code", [None, 1011])
def test_fault_socket_cut_wakes_everybody(
    client: Odyssey, emulator: Emulator, code: int | None
) -> None:
    gone: list[int] = []
    client.connect(on_disconnected=lambda: gone.append(1))
    client.start_stream("A cat")
    emulator.faults.inject(faults.WithholdReply(type="update_acknowledged"))
    emulator.faults.inject(faults.WithholdReply(type="stream_ended"))
    emulator.faults.inject(faults.FreezeVideo())
    subscription = client.subscribe()
    waiting = [
        in_thread(lambda: client.interact("x")),
        in_thread(client.end_stream),
        in_thread(lambda: client.frames.take(10_000)),
        in_thread(lambda: list(subscription)),
    ]
    wait_until(lambda: "x" in emulator.connections[0].prompts)
    emulator.faults.cut_sockets(code)
    for outcome in (waiting[0], waiting[1], waiting[3]):
        assert isinstance(outcome.exception(5), OdysseyConnectionError)
        assert not isinstance(outcome.exception(), OdysseyTimeoutError)
    frames = waiting[2]
    assert frames.exception(5) is not None or frames.result()
    assert client.current_status is ConnectionStatus.FAILED
    with pytest.raises(OdysseyStreamError, match="not connected"):
        client.interact("x")
    emulator.faults.clear()
    assert client.connect().start_stream("A cat")
    wait_until(lambda: gone == [1])


@pytest.mark.parametrize("code", [1000, 1001])
def test_a_clean_close_by_the_service(client: Odyssey, emulator: Emulator, code: int) -> None:
    client.connect()
    with client.stream("A cat") as stream:
        emulator.faults.cut_sockets(code)
        ids = [frame.stream_id for frame in stream]  # goes to the end, without an error
        assert ids == [stream.id] * len(ids)
        assert not stream.is_active
        wait_until(lambda: client.current_status is ConnectionStatus.DISCONNECTED)
    with pytest.raises(OdysseyConnectionError, match="not connected"):
        client.frames.get()


@pytest.mark.timing  # on a busy machine the end isn't answered in the time that it has
def test_what_waits_while_disconnecting(connected: Odyssey, emulator: Emulator) -> None:
    connected.start_stream("A cat")
    emulator.faults.inject(faults.WithholdReply(type="update_acknowledged"))
    waiting = in_thread(lambda: connected.interact("x"))
    reading = in_thread(lambda: list(connected.frames))
    wait_until(lambda: "x" in emulator.connections[0].prompts)
    connected.disconnect()
    # The stream is ended first, and that is what this call hears of.
    assert isinstance(waiting.exception(5), OdysseyStreamError)
    assert isinstance(reading.result(5), list)


@pytest.mark.timing
def test_fault_frozen_service_does_not_hold_up_disconnecting(
    connected: Odyssey, emulator: Emulator
) -> None:
    connected.start_stream("A cat")
    emulator.faults.kill_peers()
    began = time.monotonic()
    connected.close()
    assert time.monotonic() - began < 3


@pytest.mark.timing
def test_the_emulator_dies(client: Odyssey) -> None:
    with Emulator() as emulator:
        with Odyssey(emulator.api_key, api_url=emulator.url, timeout=10) as other:
            other.connect()
            other.start_stream("A cat")
            emulator.close()
            wait_until(lambda: not other.is_connected, 15)
            began = time.monotonic()
            other.close()
            assert time.monotonic() - began < 3


def test_fault_late_end_does_not_end_the_next_stream(client: Odyssey, emulator: Emulator) -> None:
    started: list[str] = []
    ended: list[str] = []
    client.connect(on_stream_started=started.append, on_stream_ended=lambda: ended.append("ended"))
    client.start_stream("A cat")
    emulator.faults.inject(faults.WithholdReply(type="stream_ended", seconds=0.8), times=1)
    with pytest.raises(OdysseyTimeoutError):
        client.end_stream(timeout=0.2)
    with client.stream("A dog") as stream:
        wait_until(lambda: stream.id in started)
        before = list(ended)  # on a busy machine the late end comes before the next start
        assert {f.stream_id for f in stream.frames.take(30)} == {stream.id}
        assert stream.is_active
        assert ended == before
    wait_until(lambda: ended == [*before, "ended"])


def test_fault_lost_start_does_not_shift_later_answers(
    connected: Odyssey, emulator: Emulator
) -> None:
    emulator.faults.inject(faults.WithholdReply(type="stream_started"), times=1)
    with pytest.raises(OdysseyTimeoutError):
        connected.start_stream("A cat", timeout=0.3)
    with pytest.raises(OdysseyStreamError):
        connected.start_stream("A dog")
    connected.end_stream()
    for prompt in ("A bird", "A fish"):
        with connected.stream(prompt) as stream:
            assert stream.interact("It moves") == "It moves"


def test_closing_ends_an_open_stream(emulator: Emulator) -> None:
    ended: list[str] = []
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        client.connect(on_stream_ended=lambda: ended.append("ended"))
        stream_id = client.start_stream("A cat")
        client.frames.get()
    wait_until(lambda: ended == ["ended"])
    events = wait_until(lambda: _events(emulator, stream_id))
    assert [event["type"] for event in events] == ["start", "end"]


def _events(emulator: Emulator, stream_id: str) -> list[dict[str, object]]:
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        return [
            dict(event) for event in client.recordings.events(client.recordings.wait(stream_id))
        ]


def test_after_the_streams_limit_one_may_connect_at_once() -> None:
    with (
        Emulator(limits=Limits(stream_seconds=0.5)) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url, timeout=10) as client,
    ):
        ended = threading.Event()
        client.connect(on_stream_ended=ended.set)
        client.start_stream("A cat")
        with pytest.raises(StreamDurationExceededError):
            list(client.frames)
        assert ended.wait(5)
        client.connect()
        assert client.start_stream("Another cat")


@pytest.mark.slow
def test_fault_hanging_rest_does_not_hold_up_a_connect_that_is_called_off(
    client: Odyssey, emulator: Emulator
) -> None:
    emulator.faults.inject(faults.HttpDelay(path="/sessions/request", seconds=1.5))
    waiting = in_thread(client.connect)
    wait_until(lambda: client.current_status is ConnectionStatus.AUTHENTICATING)
    client.disconnect()
    assert isinstance(waiting.exception(1), OdysseyConnectionError)
