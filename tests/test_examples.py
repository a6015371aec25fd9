"""The examples run, without a key, each as a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "examples"

#: What an example has to print, besides ending well.
SAYS = {
    "recording_workflow.py": [
        "applied: The cat stretches and yawns",
        "interact  The cat stretches and yawns",
        "frame 12 ",
        "downloaded: ",
        "played out: ",
    ],
}


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.py")))
def test_it_runs(name: str, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ODYSSEY_")}
    # Nothing of the folder the tests are run from, and nothing left in the temporary one.
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    result = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name)],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    for text in SAYS.get(name, []):
        assert text in result.stdout
    assert list(temporary.iterdir()) == []
