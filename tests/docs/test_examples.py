"""The examples run, without a key, each as a program of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.helpers import skip_unless_installed, wait_until
from tests.support.ray_settings import quiet_ray
from tests.support.terminals import Terminal

pytestmark = pytest.mark.live

FOLDER = Path(__file__).resolve().parents[2] / "examples"

#: What an example has to print, as regular expressions, besides ending well.
SAYS = {
    "frames_to_numpy.py": [r"clip \(24, 704, 1280, 3\)", r"clip\.npz"],
    "opencv_window.py": ["1280x704", "opencv.png"],
    "quickstart.py": ["48 frames", "applied: The cat stretches and yawns", "quickstart.png"],
    "ray_pipeline.py": ["A city street at night: brightness ", "A lighthouse in a storm: bright"],
    "recording_workflow.py": [
        "applied: The cat stretches and yawns",
        "interact  The cat stretches and yawns",
        "frame 12 ",
        "downloaded: ",
        "played out: ",
    ],
    "restart_after_limit.py": [r"120 frames out of [3-9] streams"],
    "show_and_record.py": [
        "showing frame ",
        "'Sparks fly up'",
        r"\b(9[6-9]|1\d\d) frames, 0 dropped",
    ],
    "torch_pipeline.py": ["epoch 3: 144 of 144 frames right"],
}

#: What an example needs that is not installed everywhere.
NEEDS = {"ray_pipeline.py": ("ray",), "torch_pipeline.py": ("torch",)}

#: What counts on getting every frame in time.
KEEP_UP = {"restart_after_limit.py", "show_and_record.py"}

#: Those that are no programs, or want keys pressed.
OTHERS = {"service.py", "keyboard_control.py"}


def environment(temporary: Path) -> dict[str, str]:
    """Without a key, and with a temporary folder of its own."""
    temporary.mkdir()
    own = {k: v for k, v in os.environ.items() if not k.startswith("ODYSSEY_")}
    return {**own, "TMPDIR": str(temporary)}


def _programs() -> Iterator[object]:
    for name in sorted({path.name for path in FOLDER.glob("*.py")} - OTHERS):
        marks = [] if name == "quickstart.py" else [pytest.mark.slow]
        marks += [pytest.mark.timing] if name in KEEP_UP or name in NEEDS else []
        yield pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [*_programs()])
def test_it_runs(name: str, tmp_path: Path) -> None:
    # Nothing of the folder the tests are run from, and nothing left in the temporary one.
    temporary = tmp_path / "temporary"
    needs = NEEDS.get(name, ())
    skip_unless_installed(*needs)
    uses_ray = "ray" in needs
    with quiet_ray() as (flags, settings):
        result = subprocess.run(
            [sys.executable, "-W", "error", *(flags if uses_ray else []), str(FOLDER / name)],
            cwd=tmp_path,
            env=environment(temporary) | settings | {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == "" or uses_ray  # which writes its log there
    for pattern in SAYS.get(name, []):
        assert re.search(pattern, result.stdout), result.stdout
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX terminal")
def test_keys_steer(tmp_path: Path) -> None:
    """In a terminal, with keys that are pressed there."""
    temporary = tmp_path / "temporary"
    program = [sys.executable, "-W", "error", str(FOLDER / "keyboard_control.py")]
    with Terminal(program, environment(temporary), tmp_path) as terminal:
        terminal.wait_for("frames/s")
        terminal.press("2")
        # A terminal that waits for Enter while the prompt is on its way loses what is pressed.
        wait_until(lambda: terminal.waits_for_enter or "> Rain sets in" in terminal.screen)
        assert not terminal.waits_for_enter
        terminal.wait_for("> Rain sets in")
        terminal.press("x")
        terminal.press("q")
        terminal.wait_for("frames in all")
        assert terminal.wait() == 0
    assert "Traceback" not in terminal.screen
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_the_tests_of_a_program_pass(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / "testing")],
        cwd=tmp_path,
        env=environment(tmp_path / "temporary"),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "5 passed" in result.stdout


def test_the_readme_lists_them() -> None:
    readme = (FOLDER.parent / "README.md").read_text("utf-8")
    listed = set(
        re.findall(
            r"`(\w+\.(?:py|ipynb))`", readme.partition("## Examples")[2].partition("\n## ")[0]
        )
    )
    there = {path.name for pattern in ("*.py", "*.ipynb") for path in FOLDER.glob(pattern)}
    assert listed == there - {"service.py"}
