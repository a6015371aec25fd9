"""Fixtures for testing programs that use this package: pytest finds them by itself.

def test_my_program(odyssey_emulator):
    odyssey_emulator.faults.switch_on("queue", n=2)
    my_program.main()       # its `Odyssey()` connects to the emulator

def test_frames(odyssey_client):
    odyssey_client.connect()
    with odyssey_client.stream("A cat") as stream:
        assert stream.frames.stack(4).shape == (4, 1280, 704, 3)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from odyssey import Odyssey
    from odyssey.emulator import Emulator

__all__ = ["odyssey_client", "odyssey_emulator"]


@pytest.fixture
def odyssey_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Runs an `Emulator` in this process, on a free port, for one test.

    It sets `ODYSSEY_API_KEY` and `ODYSSEY_API_URL` for the test, so that `Odyssey()` connects to
    the emulator, also in programs that the test starts. Needs the extra `emulator`.
    """
    from odyssey.emulator import Emulator

    with Emulator() as emulator:
        monkeypatch.setenv("ODYSSEY_API_KEY", emulator.api_key)
        monkeypatch.setenv("ODYSSEY_API_URL", emulator.url)
        yield emulator


@pytest.fixture
def odyssey_client(odyssey_emulator: Emulator) -> Iterator[Odyssey]:
    """Makes an `Odyssey` with the emulator's key, not connected, and closes it after the test."""
    from odyssey import Odyssey

    with Odyssey(odyssey_emulator.api_key, api_url=odyssey_emulator.url) as client:
        yield client
