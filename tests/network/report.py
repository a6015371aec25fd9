"""What was seen, as Markdown."""

from __future__ import annotations

from tests.network.program import Connecting, Streaming
from tests.network.run import Seen
from tests.network.scenarios import Scenario

HEADER = """\
| Network | Connects | Frames/s | Longest gap | Damaged | Slowest prompt | The stream | Again |
|---|---|---|---|---|---|---|---|
"""


def row(scenario: Scenario, seen: Seen) -> str:
    cells = [
        scenario.name,
        _connects(seen.connecting),
        *([""] * 5 if seen.streaming is None else _streaming(seen.streaming)),
        "" if seen.again is None else _connects(seen.again),
    ]
    return f"| {' | '.join(cells)} |\n"


def _connects(seen: Connecting) -> str:
    took = f"{seen.seconds:.1f} s"
    return took if seen.error is None else f"`{seen.error}` after {took}"


def _streaming(seen: Streaming) -> list[str]:
    return [
        f"{seen.frames_per_second:.1f}",
        f"{seen.gap:.2f} s",
        f"{seen.damaged}",
        f"{seen.slowest:.2f} s" if seen.acknowledged else "",
        _end(seen),
    ]


def _end(seen: Streaming) -> str:
    if seen.error is None:
        return "goes on"
    return f"`{seen.error}` after {seen.failed_after:.1f} s"
