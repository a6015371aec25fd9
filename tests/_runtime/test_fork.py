"""A forked child is refused its parent's client at once, and its end does the parent no harm."""

from __future__ import annotations

import json
import os

import pytest

from odyssey import BroadcastInfo
from odyssey.emulator import Emulator
from tests.support.helpers import wait_until
from tests.support.programs import run

pytestmark = [
    pytest.mark.timing,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system"),
]

#: Seconds in which a child is told; on a machine that is busy.
AT_ONCE = 1.0

# `child()` runs in the child, while the parent streams, reads frames in a callback, and holds what
# locks it can. How the child ends is the first argument; the parent then says how it fares.
FORKED = """
    import gc, json, multiprocessing, os, sys, threading, time
    from odyssey import Odyssey, OdysseyError

    def tried(call):
        began = time.monotonic()
        try:
            said = repr(call())
        except OdysseyError as exc:
            said = f"{type(exc).__name__}: {exc}"
        return said, time.monotonic() - began

    def end(way, child):
        if way == "multiprocessing":
            process = multiprocessing.get_context("fork").Process(target=child)
            process.start()
            process.join(20)
            return process.exitcode
        pid = os.fork()
        if pid:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        child()
        if way == "_exit":
            os._exit(0)
        if way == "exit":
            sys.exit(0)
        raise RuntimeError("the child fails")

    def run(child):
        with Odyssey(timeout=20) as client:
            client.connect(on_video_frame=lambda frame: frame.data)
            with client.stream("A cat") as stream:
                client.frames.get()
                code = end(sys.argv[1], lambda: child(client, stream))
                client.frames.clear()
                frames = client.frames.take(30)
                print(json.dumps([code, len(frames), stream.interact("It yawns")]))
"""

USED = """
    def child(client, stream):
        calls = {
            "connect": client.connect,
            "connect_with_credentials": lambda: client.connect_with_credentials(credentials),
            "start_stream": client.start_stream,
            "interact": lambda: client.interact("It yawns"),
            "end_stream": client.end_stream,
            "stream": client.stream("A dog").__enter__,
            "stream.interact": lambda: stream.interact("It yawns"),
            "stream's frames": lambda: list(stream),
            "subscribe": client.subscribe,
            "capture": client.capture,
            "capture.read": capture.read,
            "get": client.frames.get,
            "latest": client.frames.latest,
            "take": lambda: client.frames.take(3),
            "stack": lambda: client.frames.stack(3),
            "read": client.frames.read,
            "iteration": lambda: list(client.frames),
            "iteration from before": lambda: next(iteration),
            "subscription": subscription.get,
        }
        harmless = {
            "is_connected": lambda: client.is_connected,
            "current_status": lambda: client.current_status.value,
            "current_session_id": lambda: client.current_session_id,
            "last_applied_prompt": lambda: client.last_applied_prompt,
            "is_active": lambda: stream.is_active,
            "waiting": lambda: len(client.frames) + client.stats.frames.waiting,
            "repr": lambda: repr(client) + repr(stream) + repr(client.frames),
            "capabilities": lambda: client.capabilities,
            "clear": client.frames.clear,
            "closing a queue": subscription.close,
            "releasing": capture.release,
            "stream.end": stream.end,
            "disconnect": client.disconnect,
            "close": client.close,
        }
        print(json.dumps([{n: tried(c) for n, c in each.items()} for each in (calls, harmless)]))
        sys.stdout.flush()

    with Odyssey(timeout=20) as client:
        credentials = client.create_client_credentials()
        client.connect()
        with client.stream("A cat") as stream:
            subscription, capture, iteration = client.subscribe(), client.capture(), iter(stream)
            next(iteration)
            # Another thread holds whatever lock there is while this one forks.
            holding, go_on = threading.Event(), threading.Event()
            def hold():
                live = client._live
                locks = live._state, live._connecting, live.fanout._lock
                conditions = client.frames._changed, subscription._changed
                for lock in (*locks, *conditions):
                    lock.acquire()
                holding.set()
                go_on.wait()
                for lock in (*locks, *conditions):
                    lock.release()
            threading.Thread(target=hold).start()
            holding.wait()
            pid = os.fork()
            if not pid:
                child(client, stream)
                os._exit(0)
            go_on.set()
            os.waitpid(pid, 0)
"""


def test_everything_live_is_refused_at_once(emulator: Emulator) -> None:
    done = run(FORKED + USED, emulator)
    assert done.returncode == 0, done.stderr
    refused, harmless = json.loads(done.stdout)
    assert len(refused) == 19
    for name, (said, seconds) in refused.items():
        assert said.startswith("OdysseyError: this client belongs to process "), name
        assert "forked child" in said, name
        assert seconds < AT_ONCE, name
    for name, (_, seconds) in harmless.items():
        assert seconds < AT_ONCE, name
    said = {name: said for name, (said, _) in harmless.items()}
    assert said["is_connected"] == said["is_active"] == "False"
    assert said["current_status"] == "'disconnected'"
    assert said["current_session_id"] == said["last_applied_prompt"] == "None"
    assert said["waiting"] == "0"
    assert "disconnected" in said["repr"]


#: What a child does besides: it has its parent's recordings, and a stream of its own.
OWN = """
    def child(client, stream):
        assert "forked child" in tried(client.frames.get)[0]
        for _ in range(5):
            assert client.recordings.list().total == 0
        with Odyssey(timeout=20) as own:
            own.connect()
            with own.stream("A dog") as mine:
                assert len(mine.frames.take(3)) == 3
        if sys.argv[1] == "exit":
            client.close()
            del client, stream, own, mine
            gc.collect()
    run(child)
"""


@pytest.mark.parametrize(
    "way",
    [
        "exit",
        *(
            pytest.param(way, marks=pytest.mark.slow)
            for way in ("_exit", "failure", "multiprocessing")
        ),
    ],
)
def test_a_childs_end_leaves_the_parent_streaming(emulator: Emulator, way: str) -> None:
    done = run(FORKED + OWN, emulator, way)
    assert done.returncode == 0, done.stderr
    code = 1 if way == "failure" else 0
    assert json.loads(done.stdout) == [code, 30, "It yawns"], done.stderr
    assert ("the child fails" in done.stderr) == (way == "failure")
    assert "Warning" not in done.stderr
    parent, child = emulator.connections
    assert parent.prompts == ("A cat", "It yawns")
    assert child.prompts == ("A dog",)
    wait_until(lambda: all(c.client_disconnecting for c in emulator.connections))


HANDED_ON = """
    import os
    from odyssey import Odyssey
    with Odyssey() as client:
        client.connect()
        with client.stream("A cat") as stream:
            frame, other = stream.frames.take(2)
        frame._picture._converting.__enter__()  # by a thread that does not follow
        child = os.fork()
        if not child:
            print(frame.data.shape, other.to_ndarray("gray8").shape, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
"""


def test_frames_can_be_read_in_the_child(emulator: Emulator) -> None:
    done = run(HANDED_ON, emulator)
    assert done.stdout == "(1280, 704, 3) (1280, 704)\n", done.stderr


WITH_THE_EMULATOR = """
    import os, sys
    from odyssey import Odyssey
    from odyssey.emulator import Emulator
    with Emulator() as emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
        client.connect()
        with client.stream("A cat") as stream:
            stream.frames.get()
            child = os.fork()
            if not child:
                sys.exit()
            os.waitpid(child, 0)
            stream.frames.take(10)
        print(client.recordings.wait(stream.id).frame_count >= 10)
"""


@pytest.mark.slow
def test_a_childs_end_leaves_the_parents_emulator_its_files(emulator: Emulator) -> None:
    done = run(WITH_THE_EMULATOR, emulator)
    assert done.stdout == "True\n", done.stderr


SPECTATOR = """
    import os, sys
    from odyssey import OdysseyError, connect_to_stream
    with connect_to_stream(*sys.argv[1:]) as watching:
        watching.frames.get()
        child = os.fork()
        if not child:
            try:
                watching.frames.get()
            except OdysseyError as exc:
                print(exc)
            print(watching.is_connected)
            watching.disconnect()
            sys.exit()
        os.waitpid(child, 0)
        watching.frames.clear()
        print(len(watching.frames.take(10)), watching.is_connected)
"""


@pytest.mark.slow
def test_a_spectator(on_air: BroadcastInfo, emulator: Emulator) -> None:
    done = run(SPECTATOR, emulator, on_air.webrtc_url, on_air.spectator_token)
    assert done.returncode == 0, done.stderr
    refused, connected, parent = done.stdout.splitlines()
    assert "forked child" in refused
    assert (connected, parent) == ("False", "10 True")
