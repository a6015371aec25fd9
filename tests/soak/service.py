"""The service in a process of its own, so that what it needs isn't counted as the client's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from types import TracebackType

from ..helpers import FaultSwitch
from . import memory


class Service:
    """`odyssey emulator`, with its recordings in a folder that goes with it."""

    def __enter__(self) -> Service:
        self._folder = tempfile.TemporaryDirectory(prefix="odyssey-soak-")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "odyssey",
                "emulator",
                "--json",
                "--data-dir",
                self._folder.name,
            ],
            env={**os.environ, **memory.ENVIRONMENT},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which ends that one
        )
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline())
        self.url, self.api_key = said["url"], said["api_key"]
        self.pid = self._process.pid
        self.faults = FaultSwitch(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._folder.cleanup()
