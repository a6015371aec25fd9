"""A program in a terminal, whose keys are pressed and whose screen is read. POSIX only."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.support.helpers import wait_until


class Terminal:
    """`with` starts the program, and kills it if it still runs. `screen` is all that appeared."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        columns: int = 80,
    ) -> None:
        self._command, self._folder = list(command), folder
        # The size is the terminal's: pytest-xdist names another one in these two.
        self._environment = {**environment, "TERM": "xterm"}
        for name in ("COLUMNS", "LINES"):
            self._environment.pop(name, None)
        self._columns = columns
        self._chunks: list[bytes] = []

    def __enter__(self) -> Terminal:
        import fcntl
        import pty
        import struct
        import termios

        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self._columns, 0, 0))
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, name="terminal")
        self._reader.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        os.close(self._ours)

    @property
    def screen(self) -> str:
        return b"".join(self._chunks).decode(errors="replace")

    @property
    def waits_for_enter(self) -> bool:
        """Whether the program gets keys by the line."""
        import termios

        local_flags: int = termios.tcgetattr(self._ours)[3]
        return bool(local_flags & termios.ICANON)

    def press(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def wait_for(self, text: str, seconds: float = 20) -> None:
        """Until `text` has appeared."""
        try:
            wait_until(lambda: text in self.screen, seconds)
        except AssertionError:
            raise AssertionError(f"no {text!r} on {self.screen!r}") from None

    def wait(self, seconds: float = 20) -> int:
        """The exit code; everything that the program wrote is on the `screen`."""
        code = self._process.wait(seconds)
        self._reader.join(5)
        return code

    def _read(self) -> None:
        # Linux raises at the end, macOS gives nothing.
        try:
            while chunk := os.read(self._ours, 4096):
                self._chunks.append(chunk)
        except OSError:
            pass
