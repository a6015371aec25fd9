"""`odyssey recordings`, and what all commands have in common."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import odyssey
from odyssey import Odyssey, OdysseyNotFoundError, Recording
from odyssey.cli import main
from odyssey.cli._app import app
from odyssey.emulator import Emulator
from odyssey.emulator.faults import HttpDelay, HttpStatus
from tests.cli.conftest import CommandLine, posix_only
from tests.support.helpers import wait_until

pytestmark = pytest.mark.live


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


@pytest.mark.slow
def test_a_list_with_nulls(cli: CommandLine, recorded: list[Recording], emulator: Emulator) -> None:
    emulator.faults.switch_on("other-dialect")
    newest, _ = cli.run("recordings", "list").stdout.splitlines()
    assert newest.split()[0] == recorded[1].stream_id
    assert newest.split()[-2:] == ["-", "-"]
    page = json.loads(cli.run("recordings", "list", "--json").stdout)
    assert page["recordings"][0]["width"] is None
    assert page["recordings"][0]["api_version"] == 2


def test_get(cli: CommandLine, recorded: list[Recording]) -> None:
    stream_id = recorded[0].stream_id
    fields = json.loads(cli.run("recordings", "get", stream_id, "--json").stdout)
    assert fields["stream_id"] == stream_id
    assert fields["frame_count"] == recorded[0].frame_count
    assert "signature=" in fields["video_url"]
    text = cli.run("recordings", "get", stream_id).stdout
    assert dict(line.split(None, 1) for line in text.splitlines()).keys() == fields.keys()


@posix_only
def test_a_list_fits_the_terminal(cli: CommandLine, recorded: list[Recording]) -> None:
    for columns, headings in ((80, "STREAM LENGTH SIZE STARTED"), (50, "STREAM LENGTH")):
        output, code = cli.on_a_terminal("recordings", "list", columns=columns)
        lines = output.replace("\r\n", "\n").splitlines()
        assert code == 0
        assert " ".join(lines[0].split()) == headings
        assert lines[1].startswith(recorded[1].stream_id)
        assert max(map(len, lines)) <= columns


def test_downloads_skip_what_is_there_and_lose_nothing_to_a_failure(
    cli: CommandLine, emulator: Emulator, recorded: list[Recording]
) -> None:
    ids = [recording.stream_id for recording in recorded]
    broken = HttpStatus(method="GET", path=f"/files/{ids[0]}/video.mp4", status=404)
    emulator.faults.inject(broken)
    args = ("recordings", "download", "--all", "--to", "new/folder", "--json")
    more = ("--artifact", "video", "--artifact", "events")
    result = cli.run(*args, *more, code=1)
    outcomes = {item["path"]: item["outcome"] for item in json.loads(result.stdout)}
    folder = Path("new", "folder")
    assert outcomes == {
        str(folder / f"{ids[0]}.mp4"): "failed",
        str(folder / f"{ids[0]}.jsonl"): "downloaded",
        str(folder / f"{ids[1]}.mp4"): "downloaded",
        str(folder / f"{ids[1]}.jsonl"): "downloaded",
    }
    assert "1 of 4 files" in result.stderr
    assert "\r" not in result.stderr
    emulator.faults.clear()
    again = json.loads(cli.run(*args).stdout)
    assert {item["stream_id"]: item["outcome"] for item in again} == {
        ids[0]: "downloaded",
        ids[1]: "there already",
    }
    names = sorted(path.name for path in (cli.folder / folder).iterdir())
    assert names == sorted(f"{i}{ending}" for i in ids for ending in (".mp4", ".jsonl"))


@posix_only
def test_downloads_have_bars_on_a_terminal(cli: CommandLine, recorded: list[Recording]) -> None:
    ids = [recording.stream_id for recording in recorded]
    output, code = cli.on_a_terminal("recordings", "download", *ids, "unknown", columns=120)
    assert code == 1
    assert "100%" in output
    for stream_id in ids:  # in full: the bars' names are shorter
        assert f"{stream_id}.mp4  " in output
    assert "unknown.mp4  failed: " in output


@pytest.mark.slow
@posix_only
def test_downloads_that_are_interrupted_leave_nothing(
    cli: CommandLine, emulator: Emulator, recorded: list[Recording]
) -> None:
    assert recorded
    emulator.faults.inject(HttpDelay(path="/files/*", seconds=60))
    running = cli.start("recordings", "download", "--all", "--to", "files")
    wait_until(lambda: list((cli.folder / "files").glob("*.part")), 30)
    assert running.end(signal.SIGINT) == 130
    assert "Traceback" not in running.errors
    assert not list((cli.folder / "files").glob("*.mp4"))


def test_events(cli: CommandLine, recorded: list[Recording]) -> None:
    stream_id = recorded[0].stream_id
    log = json.loads(cli.run("recordings", "events", stream_id, "--json").stdout)
    assert [event["type"] for event in log] == ["start", "end"]
    first, second = cli.run("recordings", "events", stream_id).stdout.splitlines()
    assert first.split() == ["0.0", "s", "start", "A", "cat"]
    assert second.split()[2] == "end"


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
    assert "odyssey demo " in cli.run("--help").stdout
    assert cli.run("--version").stdout == f"odyssey, version {odyssey.__version__}\n"


def _commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*names, name)
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)


COMMANDS = list(_commands(app))


def test_the_contracts_commands_are_there() -> None:
    assert {" ".join(names) for names in COMMANDS} >= {
        *("demo", "stream", "watch", "emulator", "doctor"),
        *("recordings", "recordings list", "recordings get"),
        *("recordings download", "recordings events"),
        *("simulate", "simulate submit", "simulate status", "simulate wait"),
        *("simulate list", "simulate cancel"),
    }


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_each_has_help_and_examples(
    names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*names, "--help"]) == 0
    text = capsys.readouterr().out
    command = " ".join(names)
    assert text.startswith(f"Usage: odyssey {command}")
    assert f"  odyssey {command}" in text
    assert max(map(len, text.splitlines())) <= 100


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
