"""`python -m benchmarks`: what the receive path costs, and what else has a goal, as tables."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import goals
from benchmarks.measure import Result
from benchmarks.processes import sender
from benchmarks.variants import VARIANTS

_OTHER = "other SDK"
_HEADER = (
    f"{'':31} {'CPU':>6} {'xlimit':>6} {'p50':>6} {'p95':>6} {'gap':>5} {'faults':>6} "
    f"{'threads':>7} {'RSS':>5} {'frames':>9}"
)


def measure(variant: str, codec: str, seconds: float, stamps: Path, sdk: str | None) -> Result:
    """One run of one variant, with a sender of its own."""
    with sender(codec, stamps) as (url, key):
        command = [sys.executable, "-m", "benchmarks.variants", variant, "--url", url, "--key", key]
        command += ["--codec", codec, "--stamps", str(stamps), "--seconds", str(seconds)]
        if sdk is not None:
            command += ["--sdk", sdk]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=seconds + 60, check=True
        )
    return Result.parse(done.stdout.splitlines()[-1])


def table(codec: str, names: list[str], rounds: list[dict[str, Result]]) -> str:
    """Medians over the rounds; the ratio is that of the medians' round by round."""
    lines = [f"{codec}: 704x1280, 24 frames/s, 4 Mbit/s", _HEADER]
    for name in names:

        def median(of: Callable[[Result], float], name: str = name) -> float:
            return statistics.median(of(results[name]) for results in rounds)

        ratio = statistics.median(r[name].cpu / r["limit"].cpu for r in rounds)
        frames = f"{median(lambda r: r.frames):.0f}/{median(lambda r: r.sent):.0f}"
        lines.append(
            f"{name:31} {median(lambda r: r.cpu):6.2f} {ratio:6.2f} "
            f"{median(lambda r: r.p50):6.1f} {median(lambda r: r.p95):6.1f} "
            f"{median(lambda r: r.gap):5.0f} {median(lambda r: r.faults):6.1f} "
            f"{median(lambda r: r.threads):7.0f} {median(lambda r: r.rss):5.0f} {frames:>9}"
        )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--codec", action="append", choices=("vp8", "h264"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run, warm-up aside")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="beside the limit")
    parser.add_argument("--other-sdk", metavar="PATH", help="an asyncio SDK's checkout")
    parser.add_argument("--only", choices=("receiving", "goals"))
    return parser.parse_args()


def receiving(given: argparse.Namespace) -> None:
    names = ["limit", *(given.variant or [n for n in VARIANTS if n not in ("limit", _OTHER)])]
    if given.other_sdk is not None:
        names.append(_OTHER)
    with tempfile.TemporaryDirectory() as folder:
        stamps = Path(folder) / "stamps"
        for codec in given.codec or ("vp8", "h264"):
            rounds = []
            for number in range(given.rounds):
                print(f"{codec}: round {number + 1} of {given.rounds}", file=sys.stderr)
                rounds.append(
                    {
                        name: measure(
                            name,
                            codec,
                            given.seconds,
                            stamps,
                            given.other_sdk if name == _OTHER else None,
                        )
                        for name in names
                    }
                )
            print(table(codec, names, rounds), end="\n\n", flush=True)
    print(
        "CPU in ms a frame delivered as RGB, user and system, of the process; p50 and p95 in ms\n"
        "from the sending to the array in hand; gap: the longest between two frames, ms; faults:\n"
        "page faults a frame; RSS in MB. Medians; ratios to the limit within a round."
    )


def main() -> None:
    given = arguments()
    if given.only != "goals":
        receiving(given)
    if given.only != "receiving":
        print(goals.table(given.rounds))


if __name__ == "__main__":
    main()
