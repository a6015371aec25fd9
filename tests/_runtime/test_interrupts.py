"""Ctrl-C in every blocking call: `KeyboardInterrupt` within a second, the session released."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import pytest

from odyssey import BroadcastInfo, Odyssey
from odyssey.emulator import Emulator, faults
from tests.support.helpers import wait_until
from tests.support.programs import Program

pytestmark = [
    pytest.mark.timing,
    pytest.mark.skipif(sys.platform == "win32", reason="a process can't be sent Ctrl-C"),
]

#: Seconds for the exception, for what `with` does afterwards, and what a busy machine adds to each.
RAISED = 1.0
LEFT = 3.0
BUSY = 1.0

# Does what it is asked for, one line a case: a name of `cases`. Answers with the seconds from
# Ctrl-C to the exception, and from there to the end of the `with` around it.
INTERRUPTED = """
    import contextlib, json, os, signal, sys, threading, time
    from odyssey import AdvancedConfig, Odyssey, connect_to_stream

    def interrupted(call, context=contextlib.nullcontext):
        hits = []
        def hit():
            hits.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        try:
            with context() as value:
                threading.Timer(0.25, hit).start()
                try:
                    call(value)
                    said = "it returned"
                    time.sleep(5)
                finally:
                    raised = time.monotonic()
        except KeyboardInterrupt:
            return raised - hits[0], time.monotonic() - raised

    def serve(cases):
        for line in sys.stdin:
            print(json.dumps(cases[line.strip()]()), flush=True)
"""


def measured(program: Program, case: str) -> None:
    raised, left = json.loads(program.ask(case))
    assert raised < RAISED + BUSY, f"{case}: {raised:.2f} s"
    assert left < LEFT + BUSY, f"{case}: {left:.2f} s to leave `with`"


CONNECTING = {
    "loading": faults.QueueBusy(),
    "authenticating": faults.HttpDelay(path="/auth/token", seconds=4),
    "asking for a session": faults.HttpDelay(path="/sessions/request", seconds=4),
    "in the queue": faults.QueueBusy(),
    "asking for ICE servers": faults.HttpDelay(path="*/config", seconds=4),
    "between two tries": faults.SocketRefused(),
    "without an offer": faults.NoOffer(),
    "without video": faults.NoTrack(),
}


def test_while_connecting(emulator: Emulator) -> None:
    script = """
    # The libraries are loaded when a client first connects; a Ctrl-C in the middle of that leaves
    # nothing that stands in the way of the next time.
    slow = AdvancedConfig(initial_retry_delay_ms=9000, max_retry_delay_ms=9000)
    def connecting():
        client = lambda: Odyssey(timeout=20, advanced=slow)
        return interrupted(lambda client: client.connect(), client)
    def loaded():
        with Odyssey(timeout=20) as client:
            client.connect()
    serve({**dict.fromkeys(sys.argv[1:], connecting), "loaded": loaded})
    """
    with Program(INTERRUPTED + script, emulator, *CONNECTING) as program:
        for name, fault in CONNECTING.items():
            emulator.faults.inject(fault)
            measured(program, name)
            emulator.faults.clear()
            if name == "loading":
                assert program.ask("loaded") == "null"
    # Where there was a socket already, the service has been told; and where there was a session
    # already, it has been given back over a socket.
    wait_until(
        lambda: (
            len(emulator.connections) >= 3
            and all(c.client_disconnecting for c in emulator.connections)
        )
    )


CONNECTED = """
    client = Odyssey(timeout=20).connect()
    subscription = client.subscribe()
    cases = {
        "start_stream": lambda: client.start_stream("A cat"),
        "get": client.frames.get,
        "latest": client.frames.latest,
        "take": lambda: client.frames.take(5),
        "stack": lambda: client.frames.stack(5),
        "read": client.frames.read,
        "iteration": lambda: list(client.frames),
        "subscription": lambda: list(subscription),
        "interact": lambda: client.interact("It yawns"),
        "end_stream": client.end_stream,
        "a long stack": lambda: client.frames.stack(200),
        "pixels": lambda: [frame.data for frame in client.frames],
    }
    @contextlib.contextmanager
    def streaming():
        client.disconnect()
        with client.connect():
            with client.stream("A cat") as stream:
                yield stream
    def restart():
        client.disconnect()
        client.connect().start_stream("A cat")
    serve({
        **{name: lambda call=call: interrupted(lambda _: call()) for name, call in cases.items()},
        "restart": restart,
        "a stream": lambda: interrupted(lambda stream: stream.frames.take(1000), streaming),
    })
"""


def test_while_connected(emulator: Emulator) -> None:
    with Program(INTERRUPTED + CONNECTED, emulator) as program:
        # No stream runs: they wait for one.
        for name in ("get", "latest", "take", "stack", "read", "iteration", "subscription"):
            measured(program, name)
        emulator.faults.inject(faults.WithholdReply(type="stream_started"), times=1)
        measured(program, "start_stream")
        program.ask("restart")
        emulator.faults.inject(faults.WithholdReply(type="update_acknowledged"))
        emulator.faults.inject(faults.WithholdReply(type="stream_ended"), times=1)
        for name in ("interact", "a long stack", "pixels", "end_stream"):
            measured(program, name)
        measured(program, "a stream")
        wait_until(lambda: [c.client_disconnecting for c in emulator.connections] == [True] * 3)
        assert emulator.connections[-1].prompts == ("A cat",)


REST = """
    client = Odyssey(timeout=20)
    recording = client.recordings.get(sys.argv[1])
    recordings, simulations = client.recordings, client.simulations
    script = [{"timestamp_ms": 0, "start": {"prompt": "A cat"}}, {"timestamp_ms": 900, "end": {}}]
    cases = {
        "recordings.wait": lambda: recordings.wait("not-yet"),
        "simulations.wait": lambda: simulations.wait(sys.argv[2]),
        "recordings.get": lambda: recordings.get(recording.stream_id),
        "recordings.list": recordings.list,
        "recordings.iterate": lambda: list(recordings.iterate()),
        "recordings.download": lambda: recordings.download(recording, sys.argv[3]),
        "recordings.events": lambda: recordings.events(recording),
        "recordings.thumbnail": lambda: recordings.thumbnail(recording),
        "recordings.frames": lambda: list(recordings.frames(recording)),
        "simulations.submit": lambda: simulations.submit(script=script),
        "simulations.list": simulations.list,
        "create_client_credentials": client.create_client_credentials,
    }
    serve({name: lambda call=call: interrupted(lambda _: call()) for name, call in cases.items()})
"""
REST_CASES = re.findall(r'^        "([\w.]+)": lambda|^        "([\w.]+)": \w', REST, re.MULTILINE)


def test_rest_calls(connected: Odyssey, emulator: Emulator, tmp_path: Path) -> None:
    with connected.stream("A cat") as stream:
        stream.frames.take(3)
    connected.recordings.wait(stream.id)
    emulator.faults.inject(faults.SimulationStuck(state="pending"))
    job = connected.simulations.submit(
        script=[
            {"timestamp_ms": 0, "start": {"prompt": "A cat"}},
            {"timestamp_ms": 900, "end": {}},
        ]
    )
    names = [first or second for first, second in REST_CASES]
    assert len(names) == 12
    with Program(INTERRUPTED + REST, emulator, stream.id, job.job_id, str(tmp_path)) as program:
        for name in names:
            if name == "recordings.get":  # those before it sleep between two looks
                emulator.faults.inject(faults.HttpDelay(path="*", seconds=4))
            measured(program, name)
    assert not list(tmp_path.iterdir())
    emulator.faults.clear()


def test_watching(on_air: BroadcastInfo, emulator: Emulator) -> None:
    script = """
    watch = lambda: connect_to_stream(*sys.argv[1:])
    serve({
        "joining": lambda: interrupted(lambda _: watch()),
        "frames": lambda: interrupted(lambda watching: watching.frames.take(1000), watch),
    })
    """
    address = on_air.webrtc_url, on_air.spectator_token
    with Program(INTERRUPTED + script, emulator, *address) as program:
        measured(program, "frames")
        wait_until(lambda: emulator.connections[0].spectators == 0)
        emulator.faults.inject(faults.HttpDelay(path="*/whep", seconds=4))
        measured(program, "joining")
    emulator.faults.clear()


SILENT_NAME_SERVER = """
    import hashlib, json, socket
    from odyssey import ClientCredentials
    look_up = socket.getaddrinfo
    def silent(*args, **kwargs):
        # As libc does it: no signal ends it.
        hashlib.pbkdf2_hmac("sha256", b"", b"", 40_000_000)
        return look_up(*args, **kwargs)
    client = Odyssey(timeout=60)
    credentials = client.create_client_credentials().to_dict()
    url = credentials["signaling_url"].replace("127.0.0.1", "localhost")
    credentials = ClientCredentials.from_dict({**credentials, "signaling_url": url})
    socket.getaddrinfo = silent
    cases = {
        "REST": lambda: Odyssey(timeout=60).recordings.list(),
        "connect": client.connect,
        "signaling": lambda: client.connect_with_credentials(credentials),
    }
    serve({name: lambda call=call: interrupted(lambda _: call()) for name, call in cases.items()})
"""


def test_a_name_server_that_is_silent(emulator: Emulator) -> None:
    with Program(INTERRUPTED + SILENT_NAME_SERVER, emulator) as program:
        for name in ("REST", "connect", "signaling"):
            measured(program, name)
        # The look-ups go on, and the program ends all the same.
        began = time.monotonic()
        assert program.ended() == (0, "")
        assert time.monotonic() - began < LEFT + BUSY
