"""Runs the soak, and prints what it saw."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.soak import memory
from tests.soak.cycle import Cycles, SoakError
from tests.soak.judge import FEWEST, judge
from tests.soak.samples import Sample, look
from tests.support.services import EmulatorProcess

#: By how much the numbers may be higher at the end than at the beginning; memory in MB. The
#: emulator's pool of threads for files grows to its four when they are needed. The client's memory
#: has its size after some twenty cycles, more than the two minutes have.
ALLOWED = {
    "client": {"threads": 0, "files": 2, "memory": 43},
    "emulator": {"threads": 3, "files": 3, "memory": 20},
}

Samples = dict[str, list[Sample]]


def main() -> int:
    options = _options()
    memory.give_back()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(
        f"{options.minutes:g} minutes, a cycle every {options.cycle:g} s, --seed {seed}", flush=True
    )
    samples: Samples = {"client": [], "emulator": []}
    failures: list[str] = []
    with contextlib.ExitStack() as stack:
        data, downloads = (stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(2))
        service = stack.enter_context(
            EmulatorProcess("--data-dir", data, environment=memory.ENVIRONMENT)
        )
        cycles = Cycles(service, random.Random(seed), Path(downloads))
        try:
            _run(cycles, service, samples, failures, options)
        except KeyboardInterrupt:
            print("interrupted")
        finally:
            cycles.close()
    _report(cycles)
    flat = _table(samples)
    for failure in failures:
        print("FAILED", failure)
    return 0 if flat and not failures else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--cycle", type=float, default=20, metavar="SECONDS")
    parser.add_argument("--seed", type=int, help="of the faults' order; default: another each time")
    return parser.parse_args()


def _run(
    cycles: Cycles,
    service: EmulatorProcess,
    samples: Samples,
    failures: list[str],
    options: argparse.Namespace,
) -> None:
    until = time.monotonic() + options.minutes * 60
    while time.monotonic() < until:
        try:
            name = cycles.run(options.cycle)
        except SoakError as exc:
            failures.append(str(exc))
            name = f"FAILED {exc}"
        gc.collect()
        client, emulator = look([os.getpid(), service.pid])
        samples["client"].append(client)
        samples["emulator"].append(emulator)
        print(f"{len(samples['client']):3}  {client} | emulator {emulator} | {name}", flush=True)


def _report(cycles: Cycles) -> None:
    print(f"{cycles.frames} frames, {len(cycles.faults)} of the faults by name")
    for name, count in sorted(cycles.errors.items()):
        print(f"  {name}: {count}")
    slowest = ", ".join(f"{what} {took:.1f} s" for what, took in sorted(cycles.slowest.items()))
    print(f"slowest calls: {slowest}")


def _table(samples: Samples) -> bool:
    """Prints what became of each number; whether all are flat. Too few cycles can't tell."""
    if len(samples["client"]) < FEWEST:
        print(f"{len(samples['client'])} cycles are too few to tell: {FEWEST} are needed")
        return False
    print("\n| | start | end | most | |\n|---|---|---|---|---|")
    flat = True
    for process, taken in samples.items():
        for number, allowed in ALLOWED[process].items():
            verdict = judge([getattr(sample, number) for sample in taken], allowed)
            flat = flat and verdict.flat
            cells = f"{verdict.start:.0f} | {verdict.end:.0f} | {verdict.most:.0f}"
            print(f"| {process}: {number} | {cells} | {'flat' if verdict.flat else 'GROWS'} |")
    return flat


if __name__ == "__main__":
    sys.exit(main())
