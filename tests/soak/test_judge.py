"""The judge finds what it is there to find, and nothing else."""

from __future__ import annotations

import random

import pytest

from tests.soak.judge import judge

#: As many cycles as CI's two minutes have.
SAMPLES = 15


def noise(level: float, by: float) -> list[float]:
    return [level + random.Random(n).uniform(-by, by) for n in range(SAMPLES)]


@pytest.mark.parametrize("allowed", [0, 2])
def test_one_more_each_time_is_found(allowed: float) -> None:
    assert not judge([10 + n for n in range(SAMPLES)], allowed).flat


def test_a_leak_under_noise_is_found() -> None:
    leaking = [value + 4 * n for n, value in enumerate(noise(120, 5))]
    assert not judge(leaking, 16).flat


def test_noise_is_none() -> None:
    assert judge(noise(120, 7), 8).flat


def test_single_ones_that_go_back_are_none() -> None:
    values = [4.0] * SAMPLES
    values[-2] = 9
    verdict = judge(values, 0)
    assert verdict.flat
    assert verdict.most == 9


def test_what_comes_while_it_warms_up_is_none() -> None:
    verdict = judge([1, 5, 9, *[12.0] * 9], 0)
    assert verdict.flat
    assert (verdict.start, verdict.end, verdict.most) == (12, 12, 12)


def test_falling_is_flat() -> None:
    assert judge([100.0 - n for n in range(SAMPLES)], 0).flat


def test_too_few_to_tell() -> None:
    with pytest.raises(ValueError, match="5 samples are too few"):
        judge([1] * 5, 0)
