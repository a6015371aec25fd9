"""The command line as a user runs it: in a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import psutil
import pytest

from odyssey.emulator import Emulator
from tests.support.helpers import wait_until
from tests.support.terminals import Terminal

DEADLINE = 60.0

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals or terminals")


def clean_environment(temporary: Path) -> dict[str, str]:
    """The environment without what concerns us, and with a folder for temporary files."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ODYSSEY_", "PYTEST_"))}
    return kept | {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}


@attrs.define(eq=False)
class Running:
    """A command that runs; its output goes to files."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def wait_for(self, text: str, seconds: float = DEADLINE) -> str:
        """Waits until the output contains the text; returns the output so far."""

        def found() -> str:
            if self.process.poll() is not None and text not in self.output:
                raise AssertionError(f"ended without {text!r}: {self.output} {self.errors}")
            return self.output if text in self.output else ""

        return wait_until(found, seconds, f"{text!r} in the output")

    @property
    def output(self) -> str:
        return self.stdout.read_text("utf-8", "replace")

    @property
    def errors(self) -> str:
        return self.stderr.read_text("utf-8", "replace")

    def end(self, number: signal.Signals, seconds: float = 15.0) -> int:
        """Sends a signal; returns the exit code, once no child of the process is left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        wait_until(lambda: not any(child.is_running() for child in family))
        return code


@attrs.define(eq=False)
class CommandLine:
    """Runs `odyssey` commands in `folder`."""

    folder: Path
    env: dict[str, str]
    started: list[Running] = attrs.field(factory=list)

    def use(self, emulator: Emulator) -> None:
        """Commands find this one as their service."""
        self.env |= {"ODYSSEY_API_URL": emulator.url, "ODYSSEY_API_KEY": emulator.api_key}

    def without(self, module: str) -> None:
        """Commands don't find this module, as if it were not installed."""
        hidden = self.folder.parent / "hidden"
        hidden.mkdir()
        text = f"import sys\nsys.modules[{module!r}] = None\n"
        (hidden / "sitecustomize.py").write_text(text, "utf-8")
        self.env["PYTHONPATH"] = str(hidden)

    def run(
        self, *args: str, code: int = 0, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, which has to be this exit code."""
        result = subprocess.run(
            [sys.executable, "-m", "odyssey", *args],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=self.folder,
            env=self.env,
            input=stdin or "",
            timeout=DEADLINE,
            check=False,
        )
        assert result.returncode == code, (result.stdout, result.stderr)
        assert "Traceback" not in result.stderr
        return result

    def on_a_terminal(self, *args: str, columns: int = 80) -> tuple[str, int]:
        """Runs a command on a terminal; returns what appeared there and the exit code."""
        command = [sys.executable, "-m", "odyssey", *args]
        with Terminal(command, self.env, self.folder, columns) as terminal:
            code = terminal.wait(DEADLINE)
        return terminal.screen, code

    def start(self, *args: str) -> Running:
        """Starts a command; it is killed after the test if it runs still."""
        number = len(self.started)
        out, err = self.folder / f"{number}.out", self.folder / f"{number}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "odyssey", *args],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        self.started.append(Running(process, out, err))
        return self.started[-1]


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line in an empty folder. Commands have to clean their temporary files away."""
    temporary, folder = tmp_path / "temporary", tmp_path / "work"
    temporary.mkdir()
    folder.mkdir()
    line = CommandLine(folder, clean_environment(temporary))
    yield line
    for running in line.started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(10)
            pytest.fail("a command was left running")
    assert list(temporary.iterdir()) == []
