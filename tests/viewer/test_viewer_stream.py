"""The viewer's one stream: who notices its end, and what is left then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator
from odyssey.viewer.live import ViewerStream
from tests.support.helpers import wait_until


@pytest.mark.parametrize("first", ["page", "callback"])
def test_a_stream_that_ends_leaves_no_idle_connection(
    client: Odyssey, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """It ends without the viewer. The page asks for the state before the callback comes, or after.

    An idle connection would hold a streamer.
    """
    go_on = threading.Event()
    connect = client.connect

    def held(on_stream_ended: Callable[[], object], **given: Any) -> Odyssey:
        def late() -> None:
            go_on.wait(20)
            on_stream_ended()

        return connect(on_stream_ended=late, **given)

    monkeypatch.setattr(client, "connect", held)
    viewer = ViewerStream(client)
    viewer.start("A fox", portrait=True)
    if first == "callback":
        go_on.set()
        client.end_stream()
        wait_until(lambda: emulator.connections[0].client_disconnecting)
    else:
        client.end_stream()
    assert "ended by the service" in wait_until(lambda: viewer.state()["error"])
    go_on.set()
    wait_until(lambda: emulator.connections[0].client_disconnecting)
    wait_until(lambda: viewer.state()["phase"] == "idle")
    assert not client.is_connected
    viewer.start("Another fox", portrait=True)
    assert viewer.state()["phase"] == "live"
    viewer.end()
    assert len(emulator.connections) == 2
