"""Nothing is left of many connections."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter

import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator
from tests.support.helpers import OUR_THREADS, open_files, our_threads, wait_until


@pytest.mark.slow
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


@pytest.mark.slow
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
