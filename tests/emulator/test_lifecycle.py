"""Starting, closing, restarting, crashing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from odyssey.emulator import Emulator
from odyssey.emulator.recordings.store import Store
from tests.emulator.raw_client import Client, Rest, connected, signaling

pytestmark = pytest.mark.live

Make = Callable[..., Emulator]

CRASHES = """
import sys, threading
from odyssey.emulator import Emulator
emulator = Emulator(sys.argv[1], api_key=sys.argv[2])
emulator.start()
print(emulator.url, flush=True)
threading.Event().wait()
"""


ENDS = """
import sys, requests
from odyssey import Odyssey
from odyssey.emulator import Emulator
emulator = Emulator(sys.argv[1] if len(sys.argv) > 1 else None)
emulator.start()
ready = []
client = Odyssey(emulator.api_key, api_url=emulator.url).connect(on_broadcast_ready=ready.append)
stream_id = client.start_stream("Until the end", broadcast=True)
client.frames.take(24)
requests.get(ready[0].hls_url, timeout=10).raise_for_status()
client.simulate(script=[
    {"timestamp_ms": 0, "start": {"prompt": "Under way"}}, {"timestamp_ms": 60000, "end": {}}
])
print(stream_id)
"""


def crashing_emulator(folder: Path, key: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CRASHES, str(folder), key], stdout=subprocess.PIPE, text=True
    )


def test_nothing_runs_before_the_start(whole_end: None) -> None:
    emulator = Emulator()
    assert emulator.api_key.startswith("ody_")
    assert [t for t in threading.enumerate() if t.name.startswith("odyssey-")] == []
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url
    assert emulator.connections == []
    emulator.close()


def test_start_and_close_may_be_repeated(make_emulator: Make) -> None:
    emulator = make_emulator()
    url = emulator.url
    emulator.start()
    assert emulator.url == url
    emulator.close()
    emulator.close()
    emulator.start()
    with Rest(emulator) as rest:
        assert rest.get("/regions").ok


def test_several_at_once(make_emulator: Make) -> None:
    one, two = make_emulator(), make_emulator()
    assert one.url != two.url
    assert one.api_key != two.api_key
    body = {"api_key": one.api_key}
    assert requests.post(one.url + "/auth/token", json=body, timeout=5).ok
    assert requests.post(two.url + "/auth/token", json=body, timeout=5).status_code == 401


def test_a_port_that_is_taken(whole_end: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        emulator = Emulator(port=other.getsockname()[1])
        with pytest.raises(OSError, match="address"):
            emulator.start()


def test_a_folder_that_is_in_use(make_emulator: Make, tmp_path: Path) -> None:
    make_emulator(tmp_path)
    with pytest.raises(RuntimeError, match="another emulator"):
        Emulator(tmp_path).start()


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="codec"):
        Emulator(codec="av2")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Emulator(limits={})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="url_lifetime"):
        Emulator(url_lifetime=0)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_ipv6(make_emulator: Make) -> None:
    emulator = make_emulator(host="::1")
    assert emulator.url.startswith("http://[::1]:")
    with Rest(emulator) as rest:
        assert rest.request_session()["signalling_url"].startswith("ws://[::1]:")


@pytest.mark.timing
async def test_closing_ends_streams_and_keeps_their_recordings(
    make_emulator: Make, tmp_path: Path
) -> None:
    emulator = make_emulator(tmp_path)
    with Rest(emulator) as rest:
        async with signaling(rest.provision()) as channel:
            client = Client(channel.socket)
            await client.handshake()
            stream_id = await client.start("Until the end")
            await client.more_frames(12)
            began = time.monotonic()
            await asyncio.to_thread(emulator.close)
            assert time.monotonic() - began < 3
            assert (await channel.closed())[0] == 1001
            await client.close()
    (closed,) = emulator.connections
    assert (closed.state, closed.streams) == ("closed", (stream_id,))
    with Rest(make_emulator(tmp_path)) as rest:
        assert rest.recording(stream_id)["frame_count"] >= 12


def test_the_end_of_the_program_closes_it(make_emulator: Make, tmp_path: Path) -> None:
    """A stream, its playlist and a simulation are under way."""
    folder, temporary = tmp_path / "kept", tmp_path / "temporary"
    temporary.mkdir()
    program = [sys.executable, "-W", "always::ResourceWarning", "-c", ENDS, str(folder)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(temporary.iterdir()) == []
    with Rest(make_emulator(folder)) as rest:
        assert rest.recording(done.stdout.strip())["frame_count"] >= 24
        (job,) = rest.get("/simulation-jobs").json()["jobs"]
        assert job["status"] in ("pending", "dispatched", "processing")


@pytest.mark.slow
def test_the_end_of_the_program_removes_what_nobody_keeps(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    program = [sys.executable, "-W", "always::ResourceWarning", "-c", ENDS]
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_end_of_a_forked_child_leaves_it_alone(emulator: Emulator, rest: Rest) -> None:
    with emulator._starting:  # as if another thread closed it just then; none does in the child
        child = os.fork()
        if not child:
            signal.alarm(10)
            emulator._close_at_exit()
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert rest.get("/regions").ok


@pytest.mark.timing
async def test_closing_with_a_frozen_client(make_emulator: Make) -> None:
    emulator = make_emulator()
    with Rest(emulator) as rest:
        async with connected(rest.provision()) as client:
            await client.start("Frozen")
            began = time.monotonic()
            emulator.close()  # this test's loop stands still meanwhile
            assert time.monotonic() - began < 3


@pytest.mark.slow
async def test_a_crash_in_the_middle_of_a_stream(make_emulator: Make, tmp_path: Path) -> None:
    key = "ody_" + "k" * 24
    process = await asyncio.to_thread(crashing_emulator, tmp_path, key)
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().strip()
        emulator = Emulator(api_key=key)  # only for its key
        with Rest(emulator, key, url) as rest:
            async with connected(rest.provision()) as client:
                whole = await client.start("Whole")
                await client.more_frames(6)
                await client.end()
                await asyncio.to_thread(rest.recording, whole)
                broken = await client.start("Broken")
                await client.more_frames(6)
                process.kill()
                process.wait()
    assert (tmp_path / "recordings" / broken).exists()
    with Rest(make_emulator(tmp_path)) as rest:
        rows = rest.get("/stream-recordings").json()["recordings"]
        assert [row["stream_id"] for row in rows] == [whole]
        assert rest.fetch(whole, "video")[4:8] == b"ftyp"
        assert rest.get(f"/recordings/{broken}").status_code == 404
    assert not (tmp_path / "recordings" / broken).exists()


def test_only_folders_of_streams_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "recordings" / "mine").mkdir(parents=True)
    Store(tmp_path).close()
    assert (tmp_path / "recordings" / "mine").exists()


def test_without_aiohttp_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from odyssey.emulator import Limits, Faults, read_frame_number\n"
        "from odyssey.emulator import Emulator\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert 'ImportError: the emulator needs aiohttp: pip install "odyssey-sync[emulator]"' in (
        done.stderr
    )
