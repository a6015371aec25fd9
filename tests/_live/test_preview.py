"""What a notebook's kernel makes of the package: previews, bars, pictures, interrupts."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import pytest
from PIL import Image

from odyssey import Odyssey, OdysseyError
from tests.support.kernels import Kernel, kernel

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def notebook() -> Iterator[Kernel]:
    with kernel() as running:
        running.run("client.connect()")
        yield running


def test_a_preview_shows_live_video_beside_the_cell(notebook: Kernel) -> None:
    notebook.run("""
import threading, time
with client.stream("A cat") as stream:
    preview = stream.preview(width=200, fps=20)
    stream.interact("The cat yawns")
    clip = stream.frames.take(36)
assert len(clip) == 36 and client.stats.frames.dropped == 0
preview.join(5)
assert not preview.is_running
""")
    updates = notebook.kinds("update_display_data")
    assert len(updates) >= 5
    (cell,) = {update["transient"]["display_id"] for update in updates}
    assert notebook.kinds("display_data")[0]["transient"]["display_id"] == cell
    picture = Image.open(io.BytesIO(base64.b64decode(updates[-1]["data"]["image/jpeg"])))
    assert picture.format == "JPEG"
    assert picture.width == 200
    assert "The cat yawns" in updates[-1]["data"]["text/plain"]


def test_a_new_preview_replaces_the_one_before_and_the_clients_end_ends_it(
    notebook: Kernel,
) -> None:
    notebook.run("""
other = Odyssey(emulator.api_key, api_url=emulator.url).connect()
other.start_stream("A cat")
first = other.preview()
second = other.preview()
first.join(5)
assert not first.is_running and second.is_running
other.close()
second.join(5)
assert not second.is_running
assert not [t for t in threading.enumerate() if t.name == "odyssey-preview"]
""")


@pytest.mark.parametrize(
    "wait",
    [
        "for frame in stream: print('waiting') if frame.index % 24 == 0 else None",
        "print('waiting', flush=True); stream.interact('x')",
        "print('waiting', flush=True); client.recordings.wait(stream.id, interval=30)",
    ],
    ids=["iteration", "interact", "wait"],
)
def test_an_interrupt_ends_the_wait_and_leaves_the_client_usable(
    notebook: Kernel, wait: str
) -> None:
    reply = notebook.interrupted(f"""
emulator.faults.inject(faults.WithholdReply(type="update_acknowledged"), times=1)
with client.stream("A cat") as stream:
    {wait}
""")
    assert reply["ename"] == "KeyboardInterrupt"
    notebook.run("""
emulator.faults.clear()
with client.stream("A dog") as stream:
    assert stream.interact("The dog barks") and len(stream.frames.take(3)) == 3
""")


def test_the_bar_is_the_notebooks(notebook: Kernel) -> None:
    notebook.run("""
import tempfile
recording = client.recordings.wait(stream.id)
with tempfile.TemporaryDirectory() as folder:
    client.recordings.download(recording, folder, progress=True)
recording
""")
    shown = [data["data"] for data in notebook.kinds("display_data")]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    (result,) = notebook.kinds("execute_result")
    assert "<video" in result["data"]["text/html"]
    assert not [out for out in notebook.kinds("stream") if out["name"] == "stderr"]


def test_elsewhere_a_preview_says_what_to_do(connected: Odyssey) -> None:
    with connected.stream("A cat") as stream:
        with pytest.raises(OdysseyError, match="jupyterlab"):
            stream.preview()
        with pytest.raises(ValueError, match="fps"):
            stream.preview(fps=0)
    with pytest.raises(OdysseyError, match="is over"):
        stream.preview()
