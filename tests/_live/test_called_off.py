"""`disconnect` while another thread connects, at the moments that are easily missed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from odyssey import AdvancedConfig, ConnectionStatus, Odyssey, OdysseyConnectionError
from odyssey._live.callbacks import Callbacks, OdysseyEventHandlers
from odyssey._rtc.connection import Connection
from odyssey.emulator import Emulator
from odyssey.frames.fanout import FrameFanout
from odyssey.frames.queue import FrameQueue
from tests.support.helpers import in_thread, wait_until
from tests.support.programs import run

IMPORTING = """
    import sys, threading
    from odyssey import Odyssey, OdysseyConnectionError

    class Slow:
        def find_spec(name, path, target=None):
            if name == "odyssey._rtc.connection":
                begun.set()
                go_on.wait(20)

    def connect():
        try:
            client.connect()
        except OdysseyConnectionError as exc:
            print(exc, flush=True)

    begun, go_on = threading.Event(), threading.Event()
    sys.meta_path.insert(0, Slow)
    with Odyssey(timeout=20) as client:
        connecting = threading.Thread(target=connect)
        connecting.start()
        begun.wait(20)
        client.disconnect()
        connecting.join(20)
        print(client.current_status.value)
        go_on.set()
        print(client.connect().is_connected)
"""


def test_while_the_libraries_load(emulator: Emulator) -> None:
    done = run(IMPORTING, emulator)
    assert done.stdout.splitlines() == ["disconnected while connecting", "disconnected", "True"]
    assert (done.returncode, done.stderr) == (0, "")
    assert len(emulator.connections) == 1


def test_as_the_media_thread_begins_to_authenticate(client: Odyssey) -> None:
    client.connect()
    client.disconnect()
    before, media = client._live._attempt, client._live._loop
    assert media is not None
    released = threading.Event()
    media.post(released.wait, 10)
    connecting = in_thread(client.connect)
    wait_until(lambda: client._live._attempt is not before)
    disconnecting = in_thread(client.disconnect)
    released.set()
    assert isinstance(connecting.exception(15), OdysseyConnectionError)
    assert disconnecting.exception(15) is None
    assert client.current_status is ConnectionStatus.DISCONNECTED
    assert client.connect().is_connected


def test_just_before_it_authenticates() -> None:
    statuses: list[ConnectionStatus] = []
    callbacks = Callbacks(
        OdysseyEventHandlers(on_status_change=lambda status, _: statuses.append(status))
    )
    connection = Connection(FrameFanout(FrameQueue()), callbacks, AdvancedConfig())

    async def disconnect_first() -> None:
        await connection.close()
        with pytest.raises(OdysseyConnectionError, match="disconnected while connecting"):
            await connection.authenticate()

    asyncio.run(disconnect_first())
    assert connection.status is ConnectionStatus.DISCONNECTED
    wait_until(lambda: not callbacks._threads["odyssey-events"].is_alive())
    assert statuses == []
