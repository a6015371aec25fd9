"""A client that nobody closed, and one that is to be copied into another process."""

from __future__ import annotations

import concurrent.futures
import copy
import gc
import multiprocessing
import pickle
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator

import pytest

from odyssey import BroadcastInfo, Odyssey, connect_to_stream
from odyssey.emulator import Emulator
from tests.support.helpers import our_threads, wait_until


def client_threads() -> set[str]:
    names = ("odyssey-media", "odyssey-decoder", "odyssey-close")
    return {name for name in our_threads() if name.startswith(names)}


def test_one_that_is_dropped_open_warns_and_is_closed(emulator: Emulator) -> None:
    client = Odyssey(emulator.api_key, api_url=emulator.url).connect()
    client.start_stream("A cat")
    with pytest.warns(ResourceWarning, match="^unclosed <Odyssey ") as caught:
        del client
    assert emulator.api_key not in str(caught[0].message)
    wait_until(lambda: emulator.connections[0].state == "closed")
    assert emulator.connections[0].client_disconnecting
    wait_until(lambda: not client_threads())


@pytest.fixture
def warnings_are_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[type | None]]:
    """As with `-W error`; what a destructor then raised."""
    raised: list[type | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: raised.append(args.exc_type))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield raised


def test_where_warnings_are_errors_it_is_closed_too(
    emulator: Emulator, warnings_are_errors: list[type | None]
) -> None:
    client = Odyssey(emulator.api_key, api_url=emulator.url).connect()
    del client
    wait_until(lambda: emulator.connections[0].client_disconnecting)
    wait_until(lambda: not client_threads())
    assert warnings_are_errors == [ResourceWarning]


def test_where_warnings_are_errors_a_spectator_leaves_too(
    on_air: BroadcastInfo, emulator: Emulator, warnings_are_errors: list[type | None]
) -> None:
    watching = connect_to_stream(on_air.webrtc_url, on_air.spectator_token)
    watching.frames.get()
    del watching
    wait_until(lambda: emulator.connections[0].spectators == 0)
    assert warnings_are_errors == [ResourceWarning]


def test_one_that_is_dropped_after_disconnecting_just_ends(emulator: Emulator) -> None:
    client = Odyssey(emulator.api_key, api_url=emulator.url).connect()
    client.disconnect()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del client
        gc.collect()
    wait_until(lambda: not client_threads())


def test_one_that_never_connected_is_just_dropped() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Odyssey("ody_key")
        with pytest.raises(ValueError, match="white space"):
            Odyssey("a key")
        gc.collect()


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_can_not_be_pickled(client: Odyssey, copied: object) -> None:
    with pytest.raises(TypeError, match="make one in each process"):
        copied(client)  # type: ignore[operator]


# What else can be held.


def test_a_spectator_that_is_dropped_warns_and_leaves(
    on_air: BroadcastInfo, emulator: Emulator
) -> None:
    before = client_threads()
    watching = connect_to_stream(on_air.webrtc_url, on_air.spectator_token)
    watching.frames.get()
    with pytest.warns(ResourceWarning, match="^unclosed <SpectatorConnection ") as caught:
        del watching
    assert on_air.spectator_token not in str(caught[0].message)
    wait_until(lambda: emulator.connections[0].spectators == 0)
    wait_until(lambda: client_threads() <= before)


def test_a_spectators_frames_are_enough_to_watch(on_air: BroadcastInfo, emulator: Emulator) -> None:
    frames = connect_to_stream(on_air.webrtc_url, on_air.spectator_token).frames
    assert len(frames.take(5)) == 5
    with pytest.warns(ResourceWarning, match="^unclosed <SpectatorConnection "):
        del frames
    wait_until(lambda: emulator.connections[0].spectators == 0)


def test_a_spectator_that_left_just_goes(on_air: BroadcastInfo) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with connect_to_stream(on_air.webrtc_url, on_air.spectator_token) as watching:
            watching.frames.get()
        del watching
        gc.collect()


def test_a_subscription_that_is_dropped_holds_no_frames(connected: Odyssey) -> None:
    with connected.stream("A cat") as stream:
        held, dropped = connected.subscribe(), connected.subscribe()
        frame = weakref.ref(dropped.get()._picture)
        dropped_queue = weakref.ref(dropped)
        del dropped
        assert dropped_queue() is None
        held.close()
        stream.frames.clear()
        wait_until(lambda: frame() is None)
        assert len(connected.subscribe().take(3)) == 3  # held by nobody but this call


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (lambda client: client.frames, "the frames in it can"),
        (lambda client: client.subscribe(), "the frames in it can"),
        (lambda client: client.stream("A cat"), "make a client in each process"),
        (lambda client: client.recordings, "make a client in each process"),
        (lambda client: client.simulations, "make a client in each process"),
    ],
)
def test_its_parts_can_not_be_pickled(
    client: Odyssey, part: Callable[[Odyssey], object], said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        pickle.dumps(part(client))


def test_a_spectator_can_not_be_pickled(on_air: BroadcastInfo) -> None:
    with connect_to_stream(on_air.webrtc_url, on_air.spectator_token) as watching:
        with pytest.raises(TypeError, match=r"connect_to_stream\(\) in each process"):
            pickle.dumps(watching)


def test_a_live_frame_goes_to_another_process(connected: Odyssey) -> None:
    with connected.stream("A cat") as stream:
        frame = stream.frames.get()
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
        again = pool.submit(copy.copy, frame).result(60)
    assert (again.data == frame.data).all()
    assert (again.index, again.stream_id) == (frame.index, frame.stream_id)
