"""The commands in docs/command-line.md, one after another, as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator
from tests.cli.conftest import DEADLINE, CommandLine, posix_only

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return "".join(blocks).splitlines()


@pytest.mark.slow
@posix_only
@pytest.mark.timeout(180)
def test_every_command_works(cli: CommandLine, emulator: Emulator, client: Odyssey) -> None:
    cli.use(emulator)
    cli.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), cli.env["PATH"]])
    assert len(commands()) > 15
    for command in commands():
        if "--port" in command:  # serves until it is interrupted
            running = cli.start(*shlex.split(command)[1:])
            running.wait_for("api_key" if "--json" in command else "ODYSSEY_API_KEY")
            assert running.end(signal.SIGINT) in (0, 130)
            continue
        text = command
        if "STREAM_ID" in text:
            text = text.replace("STREAM_ID", client.recordings.list().recordings[0].stream_id)
        if "JOB_ID" in text:
            text = text.replace("JOB_ID", client.simulations.list().jobs[0].job_id)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=cli.folder,
            env=cli.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
    made = {path.name for path in cli.folder.iterdir()}
    assert made >= {"cat.mp4", "cat.gif", "frames", "cats", "recordings", "videos"}
    assert json.loads((cli.folder / "done.json").read_text("utf-8"))["frames"] > 0
