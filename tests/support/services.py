"""The emulator in a process of its own, as `odyssey emulator` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType


class EmulatorProcess:
    """`with` starts it, in the network namespace of this thread, and ends it."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "odyssey", "emulator", "--json", *arguments]
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> EmulatorProcess:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which ends that one
        )
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline())
        self.url: str = said["url"]
        self.api_key: str = said["api_key"]
        self.pid = self._process.pid
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._process:
            self._process.terminate()  # it removes its files
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise
