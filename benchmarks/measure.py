"""What one process measured about itself while it received."""

from __future__ import annotations

import itertools
import json
import resource
import time
from pathlib import Path

import attrs
import psutil

from benchmarks.stamps import Stamps

#: Frames at the start that are left out: connecting, first allocations, the receiver's warm-up.
WARM_UP = 24


@attrs.frozen
class Result:
    """One run of one variant. Times in milliseconds, memory in MB."""

    cpu: float  # of the process, user and system, a frame
    faults: float  # minor page faults a frame
    frames: int  # delivered after the warm-up
    sent: int  # sent in the same time
    gap: float  # longest between two frames
    p50: float  # from the sending to the array in the user's hand
    p95: float
    threads: int
    rss: float

    @classmethod
    def parse(cls, text: str) -> Result:
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(attrs.asdict(self))


class Meter:
    """Is told of each frame, numbered as sent, as soon as the user has it."""

    def __init__(self, stamps: Path) -> None:
        self._stamps = Stamps(stamps)
        self._got: list[tuple[int, float]] = []
        self._seen = 0
        self._before = _usage()
        self._result: Result | None = None

    def stamp(self, number: int) -> None:
        """For a run that is its own sender."""
        self._stamps.set(number)

    def frame(self, number: int) -> None:
        self._seen += 1
        if self._seen > WARM_UP:
            self._got.append((number, time.monotonic()))
        elif self._seen == WARM_UP:
            self.start()

    def start(self) -> None:
        """The warm-up is over."""
        self._before = _usage()

    def stop(self, frames: int | None = None) -> None:
        """The last frame was delivered; `frames` of them, in a run that told of none."""
        cpu, faults = (now - then for now, then in zip(_usage(), self._before, strict=True))
        delays = sorted((at - self._stamps.get(number)) * 1000 for number, at in self._got)
        times = [at for _, at in self._got]
        count = len(self._got) if frames is None else frames
        self._result = Result(
            cpu=cpu * 1000 / count,
            faults=faults / count,
            frames=count,
            sent=self._got[-1][0] - self._got[0][0] + 1 if self._got else count,
            gap=max((b - a for a, b in itertools.pairwise(times)), default=0.0) * 1000,
            p50=delays[len(delays) // 2] if delays else 0.0,
            p95=delays[len(delays) * 95 // 100] if delays else 0.0,
            threads=psutil.Process().num_threads(),
            rss=psutil.Process().memory_info().rss / 1e6,
        )

    def result(self) -> Result:
        assert self._result is not None, "nobody stopped the meter"
        return self._result


def _usage() -> tuple[float, int]:
    """CPU seconds and minor page faults of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_minflt
