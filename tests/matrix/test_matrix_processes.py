"""The processes of the matrix end whatever happens in them, and what happened is told."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TextIO

import pytest

from tests.matrix.processes import Failure, in_process


def answers(folder: Path, _stacks: TextIO) -> list[str]:
    return os.listdir(folder)


def fails(_folder: Path, stacks: TextIO) -> None:
    stacks.write("what was noted")
    raise AssertionError("not as expected")


def hangs(_folder: Path, _stacks: TextIO) -> None:
    threading.Event().wait()


def dies(_folder: Path, _stacks: TextIO) -> None:
    os._exit(3)


def test_what_the_work_returns_comes_back() -> None:
    assert in_process(answers) == []


def test_what_it_raises_and_notes_is_told() -> None:
    with pytest.raises(Failure, match=r"not as expected\s+what was noted"):
        in_process(fails)


def test_one_that_hangs_is_ended_and_its_stacks_are_shown() -> None:
    began = time.monotonic()
    with pytest.raises(Failure, match=r"its time was 0\.5 s[^$]*in hangs"):
        in_process(hangs, 0.5)
    assert time.monotonic() - began < 10


def test_one_that_dies_is_noticed() -> None:
    with pytest.raises(Failure, match="without a result"):
        in_process(dies)
