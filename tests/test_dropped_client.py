"""A client that nobody closed, and one that is to be copied into another process."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings

import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator

from .helpers import our_threads, wait_until


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
