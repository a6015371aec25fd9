"""However a program ends, it ends soon, and the service hears of it."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import attrs
import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator, faults
from tests.support.helpers import wait_until
from tests.support.programs import Program, run

pytestmark = pytest.mark.timing

#: Seconds that ending may take, and what an interpreter takes by itself on a busy machine.
ENDED = 3.0
BUSY = 1.5

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

STREAMING = """
    import signal, sys, threading, time
    from odyssey import Odyssey
    {before}
    client = Odyssey(timeout=15).connect()
    client.start_stream("A cat")
    client.frames.get()
    print("streaming", flush=True)
    {end}
"""


def ending(emulator: Emulator, end: str) -> tuple[int, str, float]:
    """Exit code, stderr and seconds of a program that ends so, with a client open."""
    with Program(STREAMING.format(before="", end=end), emulator) as program:
        assert program.says() == "streaming"
        began = time.monotonic()
        code, said = program.ended()
        return code, said, time.monotonic() - began


def said_goodbye(emulator: Emulator) -> bool:
    """Whether the program's connection, which is or will be closed, ended with a word of it."""
    wait_until(lambda: emulator.connections[0].state == "closed", what="closed")
    (connection,) = emulator.connections
    return connection.client_disconnecting


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("pass", 0, None),
        ("sys.exit(5)", 5, None),
        ("raise RuntimeError('no handler')", 1, "no handler"),
        ("threading.Thread(target=list, args=(client.frames,), daemon=True).start()", 0, None),
    ],
    ids=["its last line", "sys.exit", "exception", "daemon thread"],
)
def test_with_a_client_open(emulator: Emulator, end: str, code: int, said: str | None) -> None:
    found, stderr, seconds = ending(emulator, end)
    assert found == code, stderr
    assert (said or "") in stderr
    assert stderr == "" or said is not None
    assert seconds < ENDED + BUSY
    assert said_goodbye(emulator)


def test_fault_frozen_service_does_not_hold_the_end_up(emulator: Emulator) -> None:
    with Program(STREAMING.format(before="", end="input()"), emulator) as program:
        assert program.says() == "streaming"
        emulator.faults.kill_peers()
        began = time.monotonic()
        program.signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
        program.ended()
        assert time.monotonic() - began < ENDED + BUSY


def test_an_exception_in_a_thread_is_that_threads_alone(emulator: Emulator) -> None:
    end = """
    thread = threading.Thread(target=client.interact, args=("",))
    thread.start()
    thread.join()
    print(client.interact("It yawns"), len(client.frames.take(3)))"""
    with Program(STREAMING.format(before="", end=end), emulator) as program:
        assert program.says() == "streaming"
        assert program.says() == "It yawns 3"
        code, stderr = program.ended()
    assert code == 0
    assert "prompt must not be empty" in stderr
    assert said_goodbye(emulator)


def test_sys_exit_in_a_callback_is_an_exception_like_others(emulator: Emulator) -> None:
    """It ends neither the program nor the callbacks: `on_error` hears of it."""
    done = run(
        """
        import sys, time
        from odyssey import Odyssey
        told = []
        with Odyssey(timeout=15) as client:
            client.connect(
                on_stream_started=lambda _: sys.exit(3),
                on_video_frame=lambda _: sys.exit(4),
                on_error=lambda exc, fatal: told.append((repr(exc), fatal)),
            )
            with client.stream("A cat") as stream:
                assert len(stream.frames.take(5)) == 5
                assert stream.interact("It yawns") == "It yawns"
            while len(set(told)) < 2:
                time.sleep(0.01)
        print(sorted(set(told)))
        """,
        emulator,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[('SystemExit(3)', False), ('SystemExit(4)', False)]"
    assert said_goodbye(emulator)


@posix_only
def test_sigterm_by_default_ends_the_process_and_the_service_sees_that(emulator: Emulator) -> None:
    """At once: no Python runs any more, so there is no goodbye."""
    with Program(STREAMING.format(before="", end="time.sleep(30)"), emulator) as program:
        assert program.says() == "streaming"
        program.signal(signal.SIGTERM)
        code, _ = program.ended(2)
    assert code == -signal.SIGTERM
    assert not said_goodbye(emulator)


@posix_only
@pytest.mark.parametrize("end", ["time.sleep(30)", "client.frames.take(9999)"])
def test_sigterm_turned_into_an_exit_is_a_clean_end(emulator: Emulator, end: str) -> None:
    before = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))"
    with Program(STREAMING.format(before=before, end=end), emulator) as program:
        assert program.says() == "streaming"
        began = time.monotonic()
        program.signal(signal.SIGTERM)
        code, stderr = program.ended()
    assert (code, stderr) == (143, "")
    assert time.monotonic() - began < ENDED + BUSY
    assert said_goodbye(emulator)


@posix_only
def test_ctrl_c_ends_the_whole_program(emulator: Emulator) -> None:
    with Program(
        """
        from odyssey import Odyssey
        with Odyssey(timeout=15) as client, client.connect().stream("A cat") as stream:
            stream.frames.get()
            print("streaming", flush=True)
            stream.frames.take(9999)
        """,
        emulator,
    ) as program:
        assert program.says() == "streaming"
        began = time.monotonic()
        program.signal(signal.SIGINT)
        code, stderr = program.ended()
    assert code == -signal.SIGINT
    assert stderr.rstrip().endswith("KeyboardInterrupt")
    assert time.monotonic() - began < ENDED + BUSY
    assert said_goodbye(emulator)


def test_several_clients_are_closed_side_by_side(emulator: Emulator) -> None:
    end = "others = [Odyssey(timeout=15).connect() for _ in range(3)]"
    code, stderr, _ = ending(emulator, end)
    assert (code, stderr) == (0, "")
    wait_until(lambda: all(c.state == "closed" for c in emulator.connections))
    assert [c.client_disconnecting for c in emulator.connections] == [True] * 4


SIDE_BY_SIDE = """
    import atexit, sys, threading, time
    def ended():
        print(time.monotonic() - began, flush=True)
    atexit.register(ended)
    from odyssey import Odyssey, connect_to_stream
    clients = [Odyssey(timeout=15).connect() for _ in range(4)]
    for client in clients:
        client.start_stream("A cat")
    def cut():
        # As Python 3.12 and newer have it from here on.
        def start(thread):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        threading.Thread.start = start
        global began
        began = time.monotonic()
    atexit.register(cut)
    print("connected", flush=True)
    input()
"""


@pytest.mark.slow
def test_fault_a_frozen_service_holds_up_all_at_once_where_no_thread_starts(
    emulator: Emulator,
) -> None:
    """Each takes 0.4 s for its stream, and more for its socket."""
    with Program(SIDE_BY_SIDE, emulator) as program:
        assert program.says() == "connected"
        emulator.faults.kill_peers()
        program.tell("")
        seconds = float(program.says())
        code, stderr = program.ended()
    assert (code, stderr) == (0, "")
    assert seconds < 1.5


@pytest.mark.parametrize(
    "imports",
    [
        "from odyssey import Odyssey; Odyssey; from odyssey.emulator import Emulator",
        "from odyssey.emulator import Emulator; from odyssey import Odyssey",
    ],
    ids=["client first", "emulator first"],
)
def test_clients_are_closed_before_an_emulator_of_the_same_program(
    tmp_path: Path, imports: str
) -> None:
    done = run(
        f"""
        import sys; {imports}
        emulator = Emulator(sys.argv[1])
        emulator.start()
        client = Odyssey(emulator.api_key, api_url=emulator.url, timeout=15).connect()
        client.start_stream("A cat")
        client.frames.get()
        """,
        None,
        str(tmp_path),
    )
    assert (done.returncode, done.stderr) == (0, "")
    (log,) = tmp_path.rglob("events.jsonl")
    last = json.loads(log.read_text().splitlines()[-1])
    assert last["type"] == "end", last


KEPT = """
    import atexit, sys, threading
    from odyssey import Odyssey, OdysseyTimeoutError
    def cut():
        # As Python 3.12 and newer have it from here on.
        def start(thread):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        if "no threads" in sys.argv:
            threading.Thread.start = start
    client = Odyssey(timeout=15).connect()
    client.disconnect()
    print("ready", flush=True)
    input()
    try:
        client.connect(timeout=0.5)
    except OdysseyTimeoutError:
        atexit.register(cut)
        print("failed", flush=True)
    input()
"""


@pytest.mark.parametrize("threads", ["threads", "no threads"])
def test_fault_a_session_that_was_kept_is_released(emulator: Emulator, threads: str) -> None:
    emulator.limits = attrs.evolve(emulator.limits, concurrent_streams=1)
    with Program(KEPT, emulator, threads) as program:
        assert program.says() == "ready"
        emulator.faults.inject(faults.HttpDelay(path="/sessions/token", seconds=1))
        assert program.ask("") == "failed"
        emulator.faults.clear()
        program.tell("")
        assert program.ended() == (0, "")
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        assert client.connect().is_connected
