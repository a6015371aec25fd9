"""Every block of Python in the documentation runs, page by page, against an emulator.

A page's blocks share their names, as in a notebook. What a page needs and the reader doesn't is in
a comment that begins with `<!-- run`. Blocks that define tests are pytest's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from odyssey.emulator import Emulator
from tests.support.helpers import skip_unless_installed
from tests.support.kernels import run_notebook
from tests.support.ray_settings import quiet_ray

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]

#: What a page's blocks need that is not installed everywhere.
NEEDS = {"pipelines.md": ("ray", "torch")}

#: Runs as a notebook.
NOTEBOOK = ROOT / "docs" / "guide" / "notebook.md"

_BLOCK = re.compile(r"^(?:```python\n(.*?)^```$|<!-- run\n(.*?)^-->$)", re.MULTILINE | re.DOTALL)


def marks(page: Path) -> list[pytest.MarkDecorator]:
    alone = [pytest.mark.timing] if page.name in NEEDS else []
    return alone if page == README else [pytest.mark.slow, *alone]


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """Each block, and the line before its first one."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        number = 1 if found[1] is not None else 2
        yield text.count("\n", 0, found.start(number)), found[number]


def is_test(code: str) -> bool:
    return re.search(r"^def test_", code, re.MULTILINE) is not None


def placed(page: Path, line: int, code: str) -> str:
    """The code at its own line numbers, for tracebacks."""
    compile(code, str(page), "exec")
    return "\n" * line + code


def python(*arguments: str, folder: Path, uses_ray: bool = False) -> None:
    with quiet_ray() as (flags, settings):
        done = subprocess.run(
            [sys.executable, "-W", "error", *(flags if uses_ray else []), *arguments],
            cwd=folder,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )
    assert done.returncode == 0, done.stdout


RUN = """
import sys
from odyssey.emulator import Emulator
import os
with Emulator() as emulator:
    os.environ.update(ODYSSEY_API_KEY=emulator.api_key, ODYSSEY_API_URL=emulator.url)
    names = {"__name__": "__main__"}
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            exec(compile(file.read(), sys.argv[1], "exec"), names)
"""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=marks(page))
        for page in PAGES
        if page != NOTEBOOK and any(not is_test(code) for _, code in blocks(page))
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_block_runs(page: Path, tmp_path: Path) -> None:
    needs = NEEDS.get(page.name, ())
    skip_unless_installed(*needs)
    paths = []
    for line, code in blocks(page):
        if not is_test(code):
            paths.append(tmp_path / f"{line}.py")
            paths[-1].write_text(placed(page, line, code), encoding="utf-8")
    folder = tmp_path / "work"
    folder.mkdir()
    python("-c", RUN, str(page), *map(str, paths), folder=folder, uses_ray="ray" in needs)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=marks(page))
        for page in PAGES
        if any(is_test(code) for _, code in blocks(page))
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_test_passes(page: Path, tmp_path: Path) -> None:
    for line, code in blocks(page):
        if is_test(code):
            path = tmp_path / f"test_{line}.py"
            path.write_text(placed(page, line, code), encoding="utf-8")
    python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path), folder=tmp_path)


@pytest.mark.slow
def test_every_block_runs_in_a_notebook(emulator: Emulator, tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(code) for _, code in blocks(NOTEBOOK)]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    own = {"ODYSSEY_API_KEY": emulator.api_key, "ODYSSEY_API_URL": emulator.url}
    run_notebook(notebook, tmp_path, os.environ | own)
    shown = [kind for cell in cells for output in cell.outputs for kind in output.get("data", {})]
    assert {"image/jpeg", "text/html"} <= set(shown)


def test_a_block_that_fails_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n<!-- run\nassert x == 2\n-->\n", encoding="utf-8")
    assert list(blocks(page)) == [(1, "x = 1\n"), (4, "assert x == 2\n")]
    for line, code in blocks(page):
        (tmp_path / f"{line}.py").write_text(placed(page, line, code), encoding="utf-8")
    paths = [str(tmp_path / "1.py"), str(tmp_path / "4.py")]
    with pytest.raises(AssertionError, match=r'page.md", line 5'):
        python("-c", RUN, str(page), *paths, folder=tmp_path)
