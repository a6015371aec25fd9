"""Nothing is left: of many connections, of a program that ends, of a forked child."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
import weakref
from collections import Counter

import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator

from .helpers import OUR_THREADS, open_files, our_threads, wait_until


def test_ten_connections_leave_nothing(emulator: Emulator) -> None:
    def cycle() -> None:
        with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
            client.connect()
            with client.stream("A cat") as stream:
                stream.frames.get()

    def settled() -> bool:
        return all(c.state == "closed" for c in emulator.connections)

    cycle()
    wait_until(settled)
    gc.collect()
    threads, files = our_threads(), open_files()
    for _ in range(10):
        cycle()
    wait_until(settled)
    gc.collect()
    wait_until(lambda: our_threads() <= threads, what="threads")
    wait_until(lambda: open_files() <= files, what=f"{open_files()} files, before {files}")
    assert all(c.client_disconnecting for c in emulator.connections)


def thread_counts() -> Counter[str]:
    """How many threads of each name: several of one name count as several."""
    return Counter(t.name for t in threading.enumerate() if t.name.startswith(OUR_THREADS))


def test_ten_connections_of_one_client_leave_nothing(client: Odyssey, emulator: Emulator) -> None:
    def cycle() -> None:
        client.connect(on_stream_ended=lambda: None, on_video_frame=lambda frame: None)
        with client.stream("A cat") as stream:
            stream.frames.get()
        client.disconnect()

    cycle()
    passing = {"odyssey-frames", "odyssey-events", "video-decoder"}
    wait_until(lambda: not passing & our_threads(), what=f"{passing} gone")
    wait_until(lambda: all(c.state == "closed" for c in emulator.connections))
    threads, files = thread_counts(), open_files()
    for _ in range(10):
        cycle()
    wait_until(lambda: not thread_counts() - threads, what="threads")
    wait_until(lambda: open_files() <= files, what="files")


def test_no_task_is_left_on_the_loop(connected: Odyssey) -> None:
    import asyncio

    loop = connected._live._loop
    assert loop is not None

    def tasks() -> set[str]:
        return {str(task) for task in asyncio.all_tasks(loop._loop)}

    connected.start_stream("A cat")
    assert tasks()
    connected.disconnect()
    wait_until(lambda: not tasks(), what="tasks")


def test_frames_outlive_their_connection(connected: Odyssey) -> None:
    with connected.stream("A cat") as stream:
        frame = stream.frames.get()
    connected.close()
    assert frame.data.shape == (1280, 704, 3)


def test_a_closed_client_is_freed(emulator: Emulator) -> None:
    client = Odyssey(emulator.api_key, api_url=emulator.url)
    client.connect()
    client.start_stream("A cat")
    client.close()
    reference = weakref.ref(client)
    del client
    gc.collect()
    assert reference() is None


def run(script: str, emulator: Emulator, seconds: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={"ODYSSEY_API_KEY": emulator.api_key, "ODYSSEY_API_URL": emulator.url},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_a_program_that_ends_with_an_open_client(emulator: Emulator) -> None:
    done = run(
        """
        from odyssey import Odyssey
        client = Odyssey()
        client.connect()
        client.start_stream("A cat")
        client.frames.get()
        print("over")
        """,
        emulator,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "over"), done.stderr
    wait_until(lambda: [c.client_disconnecting for c in emulator.connections] == [True])


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_a_forked_child_gets_a_clear_error_and_leaves_the_parent_alone(
    emulator: Emulator,
) -> None:
    done = run(
        """
        import os
        from odyssey import Odyssey, OdysseyError
        with Odyssey() as client:
            client.connect()
            with client.stream("A cat") as stream:
                child = os.fork()
                if not child:
                    try:
                        client.interact("from the child")
                    except OdysseyError as exc:
                        print(exc, flush=True)
                    client.close()
                    os._exit(0)
                os.waitpid(child, 0)
                print(stream.interact("from the parent"), len(stream.frames.take(5)))
        """,
        emulator,
    )
    assert done.returncode == 0, done.stderr
    assert "forked child" in done.stdout
    assert "from the parent 5" in done.stdout


def test_ctrl_c_while_waiting_for_frames(emulator: Emulator) -> None:
    done = run(
        """
        import os, signal, threading
        from odyssey import Odyssey
        try:
            with Odyssey(timeout=20) as client:
                client.connect()
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
                client.frames.get()
        except KeyboardInterrupt:
            print("interrupted")
        """,
        emulator,
        15,
    )
    assert done.stdout.strip() == "interrupted", done.stderr
    wait_until(lambda: [c.client_disconnecting for c in emulator.connections] == [True])


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_a_forked_child_has_http_connections_of_its_own(emulator: Emulator) -> None:
    done = run(
        """
        import os
        from odyssey import Odyssey
        with Odyssey() as client:
            client.list_stream_recordings()
            child = os.fork()
            if not child:
                for _ in range(20):
                    assert client.list_stream_recordings().total == 0
                os._exit(0)
            for _ in range(20):
                assert client.list_stream_recordings().total == 0
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        emulator,
    )
    assert done.stdout.strip() == "0", done.stderr
