"""The sender's process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def sender(codec: str, stamps: Path) -> Iterator[tuple[str, str]]:
    """The address and the key of a running sender."""
    command = [sys.executable, "-m", "benchmarks.sender", "--codec", codec, "--stamps", str(stamps)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url, key = process.stdout.readline().split()
        try:
            yield url, key
        finally:
            process.communicate("", timeout=20)
