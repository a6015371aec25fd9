"""A peer that falls silent while a stream runs is noticed by its video, long before ICE says so."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable

import pytest

from odyssey import (
    AdvancedConfig,
    BroadcastInfo,
    ConnectionStatus,
    Odyssey,
    OdysseyConnectionError,
    OdysseyTimeoutError,
    connect_to_stream,
)
from odyssey.emulator import Emulator, faults
from tests.support.helpers import in_thread, wait_until

pytestmark = pytest.mark.timing

#: Seconds within which a dead peer is noticed, and what a busy machine may add.
NOTICED = 3.0
BUSY = 1.5


def die(emulator: Emulator) -> None:
    emulator.faults.kill_peers()


def freeze(emulator: Emulator) -> None:
    emulator.faults.inject(faults.FreezeVideo())


def impatient(emulator: Emulator, seconds: float | None) -> Odyssey:
    advanced = AdvancedConfig(frame_timeout_s=seconds)
    return Odyssey(emulator.api_key, api_url=emulator.url, timeout=15, advanced=advanced)


@pytest.mark.parametrize("fault", [die, freeze])
def test_fault_no_video_wakes_everybody(
    client: Odyssey, emulator: Emulator, fault: Callable[[Emulator], None]
) -> None:
    told: list[tuple[Exception, bool]] = []
    gone = threading.Event()
    client.connect(on_error=lambda exc, fatal: told.append((exc, fatal)), on_disconnected=gone.set)
    client.start_stream("A cat")
    client.frames.get()
    emulator.faults.inject(faults.WithholdReply(type="update_acknowledged"))
    emulator.faults.inject(faults.WithholdReply(type="stream_ended"))
    subscription = client.subscribe()
    waiting = [
        in_thread(lambda: client.interact("x")),
        in_thread(client.end_stream),
        in_thread(lambda: list(client.frames)),
        in_thread(lambda: list(subscription)),
    ]
    wait_until(lambda: "x" in emulator.connections[0].prompts)
    fault(emulator)
    began = time.monotonic()
    for outcome in waiting:
        error = outcome.exception(10)
        assert isinstance(error, OdysseyConnectionError)
        assert not isinstance(error, OdysseyTimeoutError)
        assert re.search(r"no video came for (2\.[89]|3\.\d) s", str(error))
        assert "although a stream runs" in str(error)
    assert time.monotonic() - began < NOTICED + BUSY
    assert client.current_status is ConnectionStatus.FAILED
    with pytest.raises(OdysseyConnectionError, match="no video came"):
        client.frames.get()
    assert gone.wait(5)
    ((exc, fatal),) = told
    assert isinstance(exc, OdysseyConnectionError)
    assert fatal
    # The socket lives: the service hears that the session is over, and there is room for the next.
    wait_until(lambda: emulator.connections[0].client_disconnecting)
    emulator.faults.clear()
    client.connect()
    with client.stream("A dog") as stream:
        assert stream.frames.get().stream_id == stream.id


@pytest.mark.slow
def test_fault_the_peer_dies_as_the_stream_starts(client: Odyssey, emulator: Emulator) -> None:
    client.connect()
    client.start_stream("A cat")
    emulator.faults.kill_peers()
    began = time.monotonic()
    with pytest.raises(OdysseyConnectionError, match="no video came"):
        list(client.frames)
    assert time.monotonic() - began < NOTICED + BUSY


def test_how_long_is_adjustable(emulator: Emulator) -> None:
    with impatient(emulator, 0.6) as client:
        client.connect()
        client.start_stream("A cat")
        emulator.faults.inject(faults.FreezeVideo())
        began = time.monotonic()
        with pytest.raises(OdysseyConnectionError, match=r"no video came for 0\.[67] s"):
            list(client.frames)
        assert time.monotonic() - began < 0.6 + BUSY


@pytest.mark.slow
def test_it_can_be_off(emulator: Emulator) -> None:
    with impatient(emulator, None) as client:
        client.connect()
        with client.stream("A cat") as stream:
            emulator.faults.inject(faults.FreezeVideo())
            with pytest.raises(OdysseyTimeoutError):
                stream.frames.take(1000, timeout=NOTICED + 0.5)
            emulator.faults.clear()
            assert stream.frames.get(timeout=5)


def test_it_is_off_while_idle(emulator: Emulator) -> None:
    gone = threading.Event()
    with impatient(emulator, 0.5) as client:
        client.connect(on_disconnected=gone.set)
        with client.stream("A cat") as stream:
            stream.frames.get()
        emulator.faults.inject(faults.FreezeVideo())
        assert not gone.wait(1.2)
        assert client.is_connected
        emulator.faults.clear()
        with client.stream("A dog") as stream:
            assert stream.frames.get()


STOPPED = """
    from odyssey import AdvancedConfig, Odyssey
    with Odyssey(timeout=15, advanced=AdvancedConfig(frame_timeout_s=1)) as client:
        client.connect()
        with client.stream("A cat") as stream:
            print(stream.frames.get().width, flush=True)
            input()
            stream.frames.clear()
            print(len(stream.frames.take(30)), stream.is_active)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes can't be stopped here")
def test_a_program_that_was_stopped_goes_on(emulator: Emulator) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STOPPED)],
        env={"ODYSSEY_API_KEY": emulator.api_key, "ODYSSEY_API_URL": emulator.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        with contextlib.ExitStack() as stack:
            stack.callback(program.kill)
            assert program.stdout.readline() == "704\n"
            program.send_signal(signal.SIGSTOP)
            time.sleep(2.5)  # the lid is closed
            program.send_signal(signal.SIGCONT)
            said, _ = program.communicate("\n", timeout=20)
    assert said == "30 True\n"


# Spectators.


@pytest.mark.slow
def test_fault_a_spectators_peer_dies(on_air: BroadcastInfo, emulator: Emulator) -> None:
    gone = threading.Event()
    with connect_to_stream(
        on_air.webrtc_url, on_air.spectator_token, on_disconnected=gone.set
    ) as watching:
        watching.frames.get()
        emulator.faults.kill_peers()
        began = time.monotonic()
        with pytest.raises(OdysseyConnectionError, match=r"was lost: no video came for [23]\."):
            list(watching.frames)
        assert time.monotonic() - began < NOTICED + BUSY
        assert gone.wait(5)
        assert not watching.is_connected
