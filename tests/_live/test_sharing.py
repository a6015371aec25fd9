"""One client in many hands: of callbacks, of many threads, and of whoever ends it meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from odyssey import (
    ConnectionStatus,
    Odyssey,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyStreamError,
    OdysseyTimeoutError,
)
from odyssey.emulator import Emulator, faults
from tests.support.helpers import in_thread, our_threads, wait_until

#: Seconds in which whoever waits is woken, and in which closing is done; and what a busy machine
#: may add.
AT_ONCE = 1.0
CLOSED = 3.0
BUSY = 2.0

SCRIPT: list[dict[str, object]] = [
    {"timestamp_ms": 0, "start": {"prompt": "A cat"}},
    {"timestamp_ms": 900, "end": {}},
]


# Callbacks.


def test_a_frame_callback_may_call_any_method(client: Odyssey, emulator: Emulator) -> None:
    done = threading.Event()
    said: list[object] = []

    def on_frame(frame: object) -> None:
        if done.is_set() or getattr(frame, "stream_id", None) is None:
            return
        said.append(client.interact("from the frames"))
        said.append(len(client.frames.take(2)))
        with client.subscribe() as queue:
            said.append(queue.get().data.shape)
        said.append(client.recordings.list().total)
        client.end_stream()
        said.append(client.start_stream("from the frames"))
        client.disconnect()
        said.append(client.connect() is client)
        done.set()

    client.connect(on_video_frame=on_frame)
    client.start_stream("A cat")
    assert done.wait(20), said
    assert said[0] == "from the frames"
    assert said[1:3] == [2, (1280, 704, 3)]
    assert said[-1] is True
    assert emulator.connections[0].prompts == ("A cat", "from the frames", "from the frames")


@pytest.mark.timing
@pytest.mark.parametrize("callback", ["on_stream_started", "on_video_frame", "on_status_change"])
@pytest.mark.parametrize("ending", ["disconnect", "close"])
def test_a_callback_may_end_it(
    emulator: Emulator, client: Odyssey, callback: str, ending: str
) -> None:
    took: list[float] = []

    def end(*what: object) -> None:
        if callback != "on_status_change" or what[0] is ConnectionStatus.CONNECTED:
            began = time.monotonic()
            getattr(client, ending)()
            took.append(time.monotonic() - began)

    try:
        client.connect(**{callback: end})  # type: ignore[arg-type]
        client.start_stream("A cat")
    except OdysseyError:
        pass  # it was ended meanwhile
    wait_until(lambda: took, what="the callback's call returned")
    assert took[0] < CLOSED + BUSY
    wait_until(lambda: [c.client_disconnecting for c in emulator.connections] == [True])
    assert not client.is_connected


def test_connecting_again_from_on_disconnected(client: Odyssey, emulator: Emulator) -> None:
    """The usual way to keep a connection up."""
    again = threading.Event()

    def lost() -> None:
        client.connect()
        again.set()

    client.connect(on_disconnected=lost)
    emulator.faults.cut_sockets()
    assert again.wait(10)
    with client.stream("A cat") as stream:
        assert stream.frames.get()


# Threads.


def test_eight_threads_at_once(connected: Odyssey) -> None:
    rounds = 5

    def interact(thread: int) -> None:
        for n in range(rounds):
            prompt = f"{thread} moves {n} times"
            assert connected.interact(prompt) == prompt

    def read(_: int) -> None:
        for _ in range(rounds):
            assert connected.frames.get().data.any()

    def subscribe(_: int) -> None:
        for _ in range(rounds):
            with connected.subscribe() as queue:
                first, second = queue.take(2)
                assert second.index > first.index

    def look(_: int) -> None:
        for _ in range(rounds):
            assert connected.is_connected
            assert connected.stats.frames_received
            assert connected.recordings.list().total == 0

    with connected.stream("A cat"), ThreadPoolExecutor(8) as pool:
        work = (interact, interact, interact, read, read, subscribe, subscribe, look)
        for outcome in [pool.submit(each, n) for n, each in enumerate(work)]:
            outcome.result(60)


def test_threads_that_connect_stream_and_disconnect_as_they_like(
    client: Odyssey, emulator: Emulator
) -> None:
    """Whatever comes of it, each call returns or raises one of our errors, and all is over then."""

    def live(_: int) -> None:
        for _ in range(3):
            for call in (client.connect, client.start_stream, client.frames.get):
                try:
                    call()
                except OdysseyTimeoutError:
                    raise
                except OdysseyError:
                    pass
            client.disconnect()

    with ThreadPoolExecutor(4) as pool:
        for outcome in [pool.submit(live, n) for n in range(4)]:
            outcome.result(60)
    client.connect()
    with client.stream("A cat") as stream:
        assert stream.frames.get()
    client.close()
    wait_until(lambda: all(c.state == "closed" for c in emulator.connections))
    assert all(c.client_disconnecting for c in emulator.connections)


# While connecting.


@pytest.fixture
def connecting(client: Odyssey, emulator: Emulator) -> Future[object]:
    """A call of `connect` that hangs in signaling."""
    emulator.faults.inject(faults.NoOffer(), times=1)
    outcome = in_thread(client.connect)
    wait_until(lambda: client.current_status is ConnectionStatus.CONNECTING)
    wait_until(lambda: emulator.connections)
    return outcome


@pytest.mark.timing
def test_fault_no_offer_other_calls_while_connecting(
    client: Odyssey, connecting: Future[object]
) -> None:
    began = time.monotonic()
    for call in (
        lambda: client.start_stream("A cat"),
        lambda: client.interact("It yawns"),
        client.end_stream,
        client.stream("A cat").__enter__,
    ):
        with pytest.raises(OdysseyStreamError, match="not connected"):
            call()
    for read in (client.frames.get, client.frames.latest, client.subscribe().get):
        with pytest.raises(OdysseyConnectionError, match="not connected"):
            read()
    assert client.recordings.list().total == 0
    assert not client.is_connected
    assert time.monotonic() - began < AT_ONCE + BUSY
    with pytest.raises(OdysseyTimeoutError, match="another thread was connecting"):
        client.connect(timeout=0.1)
    client.disconnect()
    assert isinstance(connecting.exception(5), OdysseyConnectionError)


@pytest.mark.timing
def test_fault_no_offer_closing_while_connecting(
    client: Odyssey, connecting: Future[object], emulator: Emulator
) -> None:
    waiting = in_thread(client.connect)  # in line behind the other
    began = time.monotonic()
    client.close()
    assert isinstance(connecting.exception(5), OdysseyError)
    assert isinstance(waiting.exception(5), OdysseyError)
    assert "closed" in str(waiting.exception())
    assert time.monotonic() - began < CLOSED + BUSY
    wait_until(lambda: [c.client_disconnecting for c in emulator.connections] == [True])
    assert not [name for name in our_threads() if name.startswith("odyssey-media")]


def test_fault_no_offer_the_next_in_line_connects(
    client: Odyssey, connecting: Future[object]
) -> None:
    waiting = in_thread(client.connect)
    client.disconnect()
    assert isinstance(connecting.exception(5), OdysseyConnectionError)
    assert waiting.result(10) is client
    assert client.is_connected


# Disconnecting while others wait.


def outcomes(calls: dict[str, Callable[[], object]]) -> dict[str, Future[object]]:
    return {name: in_thread(call) for name, call in calls.items()}


@pytest.mark.timing
@pytest.mark.parametrize("ending", ["disconnect", "close"])
def test_those_who_wait_for_a_stream(connected: Odyssey, emulator: Emulator, ending: str) -> None:
    emulator.faults.inject(faults.WithholdReply(type="stream_started"))
    subscription, capture = connected.subscribe(), connected.capture()
    raising: dict[str, Callable[[], object]] = {
        "start_stream": lambda: connected.start_stream("A cat"),
        "get": connected.frames.get,
        "latest": connected.frames.latest,
        "take": lambda: connected.frames.take(3),
        "stack": lambda: connected.frames.stack(3),
        "subscription": subscription.get,
    }
    stopping: dict[str, Callable[[], object]] = {
        "iteration": lambda: list(connected.frames),
        "read": connected.frames.read,
        "capture": capture.read,
    }
    raised, stopped = outcomes(raising), outcomes(stopping)
    wait_until(lambda: emulator.connections[0].prompts)
    began = time.monotonic()
    getattr(connected, ending)()
    wait([*raised.values(), *stopped.values()], 10)
    assert time.monotonic() - began < CLOSED + BUSY
    for name, outcome in raised.items():
        error = outcome.exception(0)
        assert isinstance(error, OdysseyConnectionError), name
        assert not isinstance(error, OdysseyTimeoutError), name
    assert stopped["iteration"].result(0) == []
    assert stopped["read"].result(0) == stopped["capture"].result(0) == (False, None)


@pytest.mark.timing
@pytest.mark.parametrize("ending", ["disconnect", "close"])
def test_those_who_wait_in_a_stream(connected: Odyssey, emulator: Emulator, ending: str) -> None:
    connected.start_stream("A cat")
    connected.frames.get()
    for type_ in ("update_acknowledged", "stream_ended"):
        emulator.faults.inject(faults.WithholdReply(type=type_))
    emulator.faults.inject(faults.FreezeVideo())
    queues = [connected.subscribe() for _ in range(3)]
    waiting = outcomes(
        {
            "interact": lambda: connected.interact("It yawns"),
            "end_stream": connected.end_stream,
            "get": queues[0].get,
            "stack": lambda: queues[1].stack(9999),
            "iteration": lambda: list(queues[2]),
        }
    )
    wait_until(lambda: "It yawns" in emulator.connections[0].prompts)
    began = time.monotonic()
    getattr(connected, ending)()
    wait(waiting.values(), 10)
    assert time.monotonic() - began < CLOSED + BUSY
    for name in ("interact", "end_stream"):
        error = waiting[name].exception(0)
        assert isinstance(error, OdysseyError), name
        assert not isinstance(error, OdysseyTimeoutError), name
    # Frames on the way may have reached these three before the video froze.
    for name in ("get", "stack", "iteration"):
        error = waiting[name].exception(0)
        assert not isinstance(error, OdysseyTimeoutError), name
    emulator.faults.clear()


def test_closing_ends_the_waiting_for_what_needs_no_connection(
    client: Odyssey, emulator: Emulator
) -> None:
    emulator.faults.inject(faults.SimulationStuck(state="pending"))
    job = client.simulations.submit(script=SCRIPT)
    waiting = outcomes(
        {
            "recording": lambda: client.recordings.wait("not-yet", interval=0.2),
            "simulation": lambda: client.simulations.wait(job, interval=0.2),
        }
    )
    client.close()
    for outcome in waiting.values():
        error = outcome.exception(5)
        assert isinstance(error, OdysseyError)
        assert "closed" in str(error)


# After closing.


@pytest.mark.timing
def test_after_close_every_call_raises_at_once(client: Odyssey, tmp_path: Path) -> None:
    credentials = client.create_client_credentials()
    client.connect()
    stream, frames = client.stream("A cat"), client.frames
    client.close()
    calls: dict[str, Callable[[], object]] = {
        "with": client.__enter__,
        "connect": client.connect,
        "connect_with_credentials": lambda: client.connect_with_credentials(credentials),
        "create_client_credentials": client.create_client_credentials,
        "start_stream": client.start_stream,
        "stream": stream.__enter__,
        "interact": lambda: client.interact("It yawns"),
        "end_stream": client.end_stream,
        "subscribe": client.subscribe,
        "capture": client.capture,
        "recordings.get": lambda: client.recordings.get("x"),
        "recordings.list": client.recordings.list,
        "recordings.iterate": lambda: list(client.recordings.iterate()),
        "recordings.wait": lambda: client.recordings.wait("x"),
        "recordings.download": lambda: client.recordings.download("x", tmp_path),
        "recordings.events": lambda: client.recordings.events("x"),
        "recordings.thumbnail": lambda: client.recordings.thumbnail("x"),
        "recordings.frames": lambda: list(client.recordings.frames("x")),
        "simulations.submit": lambda: client.simulations.submit(script=SCRIPT),
        "simulations.get": lambda: client.simulations.get("x"),
        "simulations.list": client.simulations.list,
        "simulations.iterate": lambda: list(client.simulations.iterate()),
        "simulations.wait": lambda: client.simulations.wait("x"),
        "simulations.cancel": lambda: client.simulations.cancel("x"),
    }
    for name, call in calls.items():
        began = time.monotonic()
        with pytest.raises(OdysseyError, match="closed"):
            call()
        assert time.monotonic() - began < AT_ONCE, name
    for read in (frames.get, frames.latest, lambda: frames.take(1), lambda: frames.stack(1)):
        with pytest.raises(OdysseyConnectionError):
            read()
    assert list(frames) == []
    client.disconnect()
    client.close()
    assert not [name for name in our_threads() if name.startswith(("odyssey-media", "odyssey-ev"))]
    assert (client.is_connected, client.current_session_id) == (False, None)
    assert client.current_status is ConnectionStatus.DISCONNECTED
    assert "disconnected" in repr(client)
    assert client.stats.frames.waiting == len(frames) == 0
