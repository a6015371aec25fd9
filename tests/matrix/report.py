"""The table as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from odyssey.emulator import faults
from tests.matrix.conditions import CONDITIONS
from tests.matrix.table import GROUPS, ROWS
from tests.matrix.terms import Call, Group, Outcome, Row

BEGIN = "<!-- made by python -m tests.matrix -->\n"
END = "<!-- up to here -->\n"

HEADER = """\
| Fault | What goes wrong | Calls | What happens | Within |
|---|---|---|---|---|
"""


def section() -> str:
    """All tables, one for each group of faults."""
    return "\n".join(_table(group) for group in GROUPS)


def replaced(text: str) -> str:
    """A document with the tables of today between `BEGIN` and `END`."""
    pattern = re.compile(f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})", re.DOTALL)
    assert pattern.search(text), f"the document has no {BEGIN.strip()} and {END.strip()}"
    return pattern.sub(lambda _: f"\n{section()}\n", text)


def _table(group: Group) -> str:
    lines = [line for row in ROWS if row.group is group for line in _lines(row)]
    return f"### {group.title}\n\n{HEADER}" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _lines(row: Row) -> Iterator[tuple[str, ...]]:
    """One for each outcome; the first says which fault it is."""
    params = ", ".join(f"{name}={value}" for name, value in row.params.items())
    name = f"`{row.fault}`" + (f" `{params}`" if params else "")
    known = CONDITIONS if row.fault in CONDITIONS else faults.CATALOGUE
    description = known[row.fault].description
    for outcome in dict.fromkeys(row.outcomes.values()):
        calls = [call for call in row.outcomes if row.outcomes[call] == outcome]
        yield name, description, _names(calls, row), _what(outcome), f"{outcome.within:g} s"
        name = description = ""


def _names(calls: list[Call], row: Row) -> str:
    if row.as_stream:
        return "`with client.stream`"
    return ", ".join("iteration" if c is Call.ITERATE else f"`{c.value}`" for c in calls)


def _what(outcome: Outcome) -> str:
    if outcome.error is None:
        return "returns"
    when = f" when its {outcome.timeout:g} s are over" if outcome.at_deadline else ""
    return f"`{outcome.error.__name__}`{when}"
