"""`odyssey recordings`, and what all commands have in common."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import odyssey
from odyssey import Odyssey, OdysseyNotFoundError, Recording
from odyssey.emulator import Emulator
from tests.helpers import wait_until

from .conftest import CommandLine


def _record(client: Odyssey) -> Recording:
    with client.stream("A cat", portrait=False) as stream:
        stream.frames.take(3)

    def ready() -> Recording | None:
        try:
            return client.recordings.get(stream.id)
        except OdysseyNotFoundError:
            return None

    recording = wait_until(ready)
    assert recording is not None
    return recording


@pytest.fixture
def recorded(cli: CommandLine, emulator: Emulator, connected: Odyssey) -> list[Recording]:
    """Two recordings, the older one first."""
    cli.use(emulator)
    return [_record(connected), _record(connected)]


def test_list(cli: CommandLine, recorded: list[Recording]) -> None:
    newest_first = [recording.stream_id for recording in reversed(recorded)]
    page = json.loads(cli.run("recordings", "list", "--json").stdout)
    assert [info["stream_id"] for info in page["recordings"]] == newest_first
    assert (page["total"], page["offset"]) == (2, 0)
    lines = cli.run("recordings", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == newest_first
    assert "1280x704" in lines[0]
    second = cli.run("recordings", "list", "--limit", "1", "--offset", "1")
    assert second.stdout.split()[0] == newest_first[1]
    assert second.stderr == "1 of 2 recordings\n"


def test_get(cli: CommandLine, recorded: list[Recording]) -> None:
    stream_id = recorded[0].stream_id
    fields = json.loads(cli.run("recordings", "get", stream_id, "--json").stdout)
    assert fields["stream_id"] == stream_id
    assert fields["frame_count"] == recorded[0].frame_count
    assert "signature=" in fields["video_url"]
    text = cli.run("recordings", "get", stream_id).stdout
    assert dict(line.split(None, 1) for line in text.splitlines()).keys() == fields.keys()


def test_none_yet(cli: CommandLine, emulator: Emulator) -> None:
    cli.use(emulator)
    result = cli.run("recordings", "list")
    assert (result.stdout, result.stderr) == ("", "0 of 0 recordings\n")


def test_failures_are_one_line(cli: CommandLine, emulator: Emulator) -> None:
    cli.use(emulator)
    unknown = cli.run("recordings", "get", "no-such-stream", code=1)
    assert "no-such-stream" in unknown.stderr
    cli.env["ODYSSEY_API_KEY"] = "ody_" + "x" * 32
    refused = cli.run("recordings", "list", code=1)
    del cli.env["ODYSSEY_API_KEY"]
    without_key = cli.run("recordings", "list", code=1)
    assert "ODYSSEY_API_KEY" in without_key.stderr
    for result in (unknown, refused, without_key):
        assert result.stderr.startswith("Error: ")
        assert len(result.stderr.splitlines()) == 1
        assert result.stdout == ""


@pytest.mark.parametrize(
    "args",
    [
        ["recordings", "list", "--limit", "0"],
        ["recordings", "list", "--limit", "101"],
        ["recordings", "list", "--offset", "-1"],
        ["recordings", "get"],
        ["recordings", "nonsense"],
        ["nonsense"],
    ],
)
def test_wrong_usage(cli: CommandLine, args: list[str]) -> None:
    assert "Usage: odyssey" in cli.run(*args, code=2).stderr


def test_help_and_version(cli: CommandLine) -> None:
    assert "odyssey demo --live" in cli.run("--help").stdout
    assert cli.run("--version").stdout == f"odyssey, version {odyssey.__version__}\n"
    for command in (["demo"], ["emulator"], ["recordings"], ["recordings", "list"]):
        assert cli.run(*command, "--help").stdout.startswith(f"Usage: odyssey {command[0]}")


def test_help_loads_nothing_heavy(cli: CommandLine) -> None:
    code = (
        "import sys; from odyssey.cli import main; main(['--help']); "
        "print([m for m in ('av', 'aiortc', 'aiohttp', 'PIL') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], env=cli.env, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_without_click(cli: CommandLine) -> None:
    cli.without("click")
    result = cli.run("demo", code=1)
    assert 'pip install "odyssey-sync[cli]"' in result.stderr


def test_a_reader_that_stops_is_no_traceback(cli: CommandLine, recorded: list[Recording]) -> None:
    assert recorded
    process = subprocess.Popen(
        [sys.executable, "-m", "odyssey", "recordings", "list"],
        env=cli.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert b"Traceback" not in process.stderr.read()
    process.wait(30)
