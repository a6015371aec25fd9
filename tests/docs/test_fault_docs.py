"""docs/faults.md: its tables are the catalogue. tests/docs/test_pages.py runs its examples."""

from __future__ import annotations

import re
from pathlib import Path

from odyssey.cli.emulator import assignment
from odyssey.emulator.faults import CATALOGUE

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")


def test_the_table_has_every_fault_with_its_parameters() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (?:`(.*?)` )?\| \S.* \|$", TEXT, re.MULTILINE)
    assert len(rows) == len(dict(rows))
    assert dict(rows) == {
        name: " ".join(
            assignment(parameter.name, parameter.default) for parameter in fault.parameters
        )
        for name, fault in CATALOGUE.items()
    }
