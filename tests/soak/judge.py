"""Whether a number stays where it was."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import attrs

#: Samples that are left out at the beginning: modules load, pools fill, libav makes its tables.
WARM_UP = 3
#: Samples from which on there is a first and a last third.
FEWEST = WARM_UP + 3


@attrs.frozen
class Verdict:
    """A number's course: medians of the first and the last third after the warm-up."""

    start: float
    end: float
    most: float
    flat: bool


def judge(values: Sequence[float], allowed: float) -> Verdict:
    """Flat: the last third is at most `allowed` above the first.

    A leak of one a sample shows as two thirds of the samples; medians let single ones stand out.

    Raises:
        ValueError: too few samples to tell.
    """
    kept = values[WARM_UP:]
    third = len(kept) // 3
    if len(values) < FEWEST:
        raise ValueError(f"{len(values)} samples are too few: {FEWEST} are needed")
    start, end = statistics.median(kept[:third]), statistics.median(kept[-third:])
    return Verdict(start, end, max(kept), end - start <= allowed)
