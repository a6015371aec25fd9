"""Each fault of the emulator against each blocking call, in processes of their own: the table is
in `tests/matrix/table.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from odyssey.emulator import faults
from tests.matrix.case import Case, Concerned, Library, Unconcerned
from tests.matrix.conditions import CONDITIONS
from tests.matrix.processes import in_process
from tests.matrix.report import replaced
from tests.matrix.table import ELSEWHERE, GROUPS, ROWS
from tests.matrix.terms import Group

pytestmark = [pytest.mark.slow, pytest.mark.timing]

#: Processes at a time: more than the processors of a small machine, as many cases only wait.
WORKERS = 3


def _cases(group: Group) -> Iterator[Case]:
    for row in ROWS:
        if row.group is group:
            yield from (Concerned(str(row), call) for call in row.outcomes)
    if group.other_calls:
        yield Unconcerned(group.title)


CASES = [case for group in GROUPS for case in _cases(group)]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def _make_library(folder: Path, _own: Path, _stacks: object) -> Library:
    return Library.make(folder)


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[float]]]:
    """Of the cases that were selected, in the order of the tests; they run beside these."""
    library = in_process(partial(_make_library, tmp_path_factory.mktemp("matrix")))
    selected = {
        item.callspec.id
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_it.__name__
    }
    cases = [case for case in CASES if str(case) in selected]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="matrix") as pool:
        yield {str(case): pool.submit(in_process, partial(case.run, library)) for case in cases}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it(case: Case, outcomes: dict[str, Future[float]]) -> None:
    outcomes[str(case)].result()


def test_every_fault_has_a_row() -> None:
    assert {row.fault for row in ROWS} | {*ELSEWHERE} == {*faults.CATALOGUE, *CONDITIONS}


def test_the_docs_hold_the_table() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert text == replaced(text), f"run: python -m tests.matrix {DOCS}"
