"""What a process holds: threads, open files, memory."""

from __future__ import annotations

import time

import attrs
import psutil

#: A thread or a file that has just been closed may still be seen: the least of some looks counts.
LOOKS = 5
BETWEEN = 0.3


@attrs.frozen
class Sample:
    threads: int
    files: int
    memory: float  #: MB, resident

    def __str__(self) -> str:
        return f"{self.threads:3} threads {self.files:3} files {self.memory:4.0f} MB"


def look(pids: list[int]) -> list[Sample]:
    """A sample of each process."""
    seen = []
    for number in range(LOOKS):
        if number:
            time.sleep(BETWEEN)
        seen.append([_once(psutil.Process(pid)) for pid in pids])
    return [
        Sample(
            min(one.threads for one in looks),
            min(one.files for one in looks),
            min(one.memory for one in looks),
        )
        for looks in zip(*seen, strict=True)
    ]


def _once(process: psutil.Process) -> Sample:
    with process.oneshot():
        return Sample(
            process.num_threads(), process.num_fds(), process.memory_info().rss / 1_000_000
        )
