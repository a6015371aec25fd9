"""docs/faults.md: its table is the catalogue, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from odyssey.emulator.faults import CATALOGUE, Parameter

from .test_pytest_plugin import pytest_in

TEXT = (Path(__file__).parents[1] / "docs" / "faults.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def as_written(parameter: Parameter) -> str:
    """A parameter with its default, as one would write it on the command line."""
    value = parameter.default
    if value is None or isinstance(value, bool):
        return f"{parameter.name}={str(value).lower()}"
    return (
        f"{parameter.name}={value:g}" if isinstance(value, float) else f"{parameter.name}={value}"
    )


def test_the_table_has_every_fault_with_its_parameters() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (?:`(.*?)` )?\| \S.* \|$", TEXT, re.MULTILINE)
    assert len(rows) == len(dict(rows))
    assert dict(rows) == {
        name: " ".join(as_written(parameter) for parameter in fault.parameters)
        for name, fault in CATALOGUE.items()
    }


def test_the_examples_run(tmp_path: Path) -> None:
    names = []
    for number, example in enumerate(EXAMPLES):
        named = re.match(r"# (\w+\.py)\n", example)
        names.append(named[1] if named else f"script_{number}.py")
        (tmp_path / names[-1]).write_text(example, "utf-8")
    assert names == ["script_0.py", "clip.py", "test_clip.py"]
    script = subprocess.run(
        [sys.executable, "-W", "error", names[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (script.returncode, script.stderr) == (0, "")
    assert "did not acknowledge the prompt in time\nIt sleeps\n()\n" in script.stdout
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
