"""A machine without any network but loopback: the emulator and the client still meet."""

from __future__ import annotations

import pytest

from tests.support.offline import run_offline

pytestmark = pytest.mark.live

SCRIPT = """
from odyssey import Odyssey
from odyssey.emulator import Emulator
with Emulator() as emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
    client.connect()
    with client.stream("A cat") as stream:
        print(len(stream.frames.take(5)))
"""


def test_streaming_with_only_loopback() -> None:
    assert run_offline(SCRIPT) == "5"
