"""Scripts in processes of their own, with the emulator here, where one sees what it saw."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Mapping
from types import TracebackType

from tests.support.helpers import Reachable


def environment(emulator: Reachable | None) -> Mapping[str, str]:
    if emulator is None:
        return {}
    return {"ODYSSEY_API_KEY": emulator.api_key, "ODYSSEY_API_URL": emulator.url}


def run(
    script: str, emulator: Reachable | None, *arguments: str, seconds: float = 30
) -> subprocess.CompletedProcess[str]:
    """The script's end; warnings of unclosed things are on."""
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "always::ResourceWarning",
            "-c",
            textwrap.dedent(script),
            *arguments,
        ],
        env=environment(emulator),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Program:
    """A script that is talked to, line by line. `with` starts it, and kills it if it still runs."""

    def __init__(self, script: str, emulator: Reachable, *arguments: str) -> None:
        self._command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
        self._environment = environment(emulator)

    def __enter__(self) -> Program:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def says(self) -> str:
        """The next line that it writes."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise AssertionError(f"it ended: {self._process.stderr.read()}")
        return line.rstrip("\n")

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")

    def ask(self, line: str) -> str:
        """What it answers."""
        self.tell(line)
        return self.says()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def ended(self, seconds: float = 15) -> tuple[int, str]:
        """Its exit code and what it wrote to stderr."""
        _, said = self._process.communicate(timeout=seconds)
        return self._process.returncode, said
