"""examples/notebook.ipynb, whole, in a real kernel."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image

from tests.cli.conftest import clean_environment
from tests.support.kernels import run_notebook

PATH = Path(__file__).resolve().parents[2] / "examples" / "notebook.ipynb"

pytestmark = [pytest.mark.slow, pytest.mark.timing, pytest.mark.timeout(180)]


def read() -> nbformat.NotebookNode:
    notebook: nbformat.NotebookNode = nbformat.read(PATH, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """After the run: the cells of code, and the folder they ran in."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = read()
    run_notebook(notebook, folder, clean_environment(folder))
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {"all": codes, "folder": folder}


def having(cells: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """The outputs of the cell with that text in its source."""
    (cell,) = [cell for cell in cells["all"] if text in cell.source]
    return list(cell.outputs)


def pictures(outputs: list[dict[str, Any]]) -> list[Image.Image]:
    """Those that the outputs show."""
    found: list[Image.Image] = []
    for output in outputs:
        data = output.get("data", {})
        picture = data.get("image/png") or data.get("image/jpeg")
        if picture:
            found.append(Image.open(io.BytesIO(base64.b64decode(picture))))
    return found


def test_it_is_kept_without_outputs() -> None:
    for cell in read().cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_no_cell_complains(cells: dict[str, Any]) -> None:
    for cell in cells["all"]:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text


def test_the_preview_went_on_while_other_cells_ran(cells: dict[str, Any]) -> None:
    (preview,) = pictures(having(cells, "client.preview("))
    assert preview.width == 240
    # What it shows in the end is from after the cell that steered.
    (shown,) = [o["data"]["text/plain"] for o in having(cells, "client.preview(")]
    assert "Rain sets in" in shown


def test_frames_and_recordings_show(cells: dict[str, Any]) -> None:
    (frame,) = pictures(having(cells, "client.frames.latest()"))
    assert frame.width < frame.height
    (live,) = pictures(having(cells, "np.hstack(clip"))
    assert live.size == (4 * 176, 320)
    (recorded,) = pictures(having(cells, "np.hstack([frame"))
    assert recorded.size == (3 * 176, 320)
    for source in ("client.recordings.wait(", "client.simulations.wait("):
        *_, recording = having(cells, source)
        assert "<video" in recording["data"]["text/html"]
    (events,) = having(cells, "client.recordings.events(")
    assert [line.split()[2] for line in events["text"].splitlines()] == ["start", "interact", "end"]


def test_what_it_kept_and_the_bars_it_showed(cells: dict[str, Any]) -> None:
    assert (cells["folder"] / "fox.mp4").stat().st_size > 10_000
    for source in ("client.recordings.download(", "client.simulations.wait("):
        kinds = [kind for output in having(cells, source) for kind in output.get("data", {})]
        assert "application/vnd.jupyter.widget-view+json" in kinds
