"""Commands whose standard streams are missing or closed, and help where docstrings are stripped."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys

import pytest

from odyssey import Odyssey
from odyssey.cli import main
from odyssey.emulator import Emulator
from tests.cli.conftest import DEADLINE, CommandLine, posix_only
from tests.support.helpers import wait_until

#: Commands that end by themselves, with their exit codes and what they leave in the folder.
COMMANDS = [
    ("stream 'A cat' --seconds 0.4 --save cat.mp4", 0, "cat.mp4"),
    ("recordings list", 0, None),
    ("recordings download --all --to all", 0, "all"),
    ("simulate submit --prompt 'A cat' --seconds 0.5 --download made", 0, "made"),
    ("doctor --no-connect", 0, None),
    ("demo --seconds 1 --to shown", 0, "shown/video.mp4"),
    ("recordings get unknown", 1, None),
    ("watch http://127.0.0.1:1/ --token -", 2, None),
    ("recordings lost", 2, None),
]


@pytest.fixture
def recorded(cli: CommandLine, emulator: Emulator, connected: Odyssey) -> None:
    """A recording, so that there is something to list and fetch."""
    cli.use(emulator)
    with connected.stream("A cat", portrait=False) as stream:
        stream.frames.take(3)
    wait_until(lambda: connected.recordings.list().total)


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize(
    ("command", "code", "made"), COMMANDS, ids=[command for command, *_ in COMMANDS]
)
def test_commands_without_standard_streams(
    cli: CommandLine, recorded: None, command: str, code: int, made: str | None
) -> None:
    line = f"exec {shlex.quote(sys.executable)} -X dev -m odyssey {command} <&- >&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", line], cwd=cli.folder, env=cli.env, timeout=DEADLINE, check=False
    )
    assert done.returncode == code
    if made is not None:
        path = cli.folder / made
        assert any(path.iterdir()) if path.is_dir() else path.stat().st_size


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, _closed()], ids=["none", "closed"])
@pytest.mark.parametrize("args", [["emulator", "--list-faults"], ["--help"], ["none"]], ids=str)
def test_streams_of_a_program_without_a_console(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None, args: list[str]
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, stream)
    assert main(args) == (2 if args == ["none"] else 0)
    assert (sys.stdin, sys.stdout, sys.stderr) == (stream, stream, stream)


HELP = """
import json, click
from odyssey.cli._app import app

def help_of(command, name):
    yield name, command.get_help(click.Context(command, info_name=name))
    for inner in getattr(command, "commands", {}).values():
        yield from help_of(inner, f"{name} {inner.name}")

print(json.dumps(dict(help_of(app, "odyssey"))))
"""


def test_help_outlives_docstrings(cli: CommandLine) -> None:
    def help_with(*options: str) -> dict[str, str]:
        command = [sys.executable, *options, "-c", HELP]
        done = subprocess.run(
            command, env=cli.env, capture_output=True, text=True, timeout=DEADLINE, check=True
        )
        texts: dict[str, str] = json.loads(done.stdout)
        return texts

    plain, stripped = help_with(), help_with("-OO")
    assert len(plain) > 12
    assert stripped == plain
    for name, text in plain.items():
        _usage, first, *_ = text.split("\n\n")
        assert first.strip(), name
        assert not first.strip().startswith("Options"), name
