"""The numbers that the emulator paints into its frames."""

from __future__ import annotations

from collections.abc import Sequence


def check_numbers(numbers: Sequence[int | None]) -> None:
    """Fails unless they follow each other.

    Before the first number there may be some None: idle pictures that aiortc held back when the
    stream began, one on a quiet machine, and more on a busy one.
    """
    own = [number for number in numbers if number is not None]
    assert own, "no frame has a number"
    assert own == list(range(own[0], own[0] + len(own)))
    assert list(numbers[-len(own) :]) == own
    assert len(own) > len(numbers) // 2
