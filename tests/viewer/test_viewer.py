"""`odyssey viewer`, over HTTP: live, recordings, and who is refused."""

from __future__ import annotations

import re

import psutil
import requests

from odyssey.emulator import Emulator
from tests.cli.conftest import Running
from tests.support.helpers import wait_until


def test_it_listens_on_this_machine_only(viewer: Running, url: str) -> None:
    process = psutil.Process(viewer.process.pid)
    listening = [c.laddr for c in process.net_connections("tcp") if c.status == "LISTEN"]
    assert [(at.ip, f"http://{at.ip}:{at.port}") for at in listening] == [("127.0.0.1", url)]


def test_a_stream_its_recording_and_who_is_refused(
    emulator: Emulator, url: str, inside: requests.Session
) -> None:
    page = inside.get(f"{url}/live", timeout=20)
    found = re.search(r'viewer-token" content="([^"]+)', page.text)
    assert found
    token = {"X-Viewer-Token": found[1]}

    def post(path: str, headers: dict[str, str], prompt: str = "") -> requests.Response:
        data = {"prompt": prompt}
        return inside.post(f"{url}/live/{path}", data, headers=headers, timeout=40)

    assert post("start", {}, "A fox").status_code == 403
    assert post("start", token | {"Origin": "http://evil.test"}, "A fox").status_code == 403
    assert inside.get(url, headers={"Host": "evil.test"}, timeout=20).status_code == 403
    assert "empty" in post("start", token).json()["error"]
    stream_id = post("start", token, "A fox").json()["stream_id"]
    with inside.get(f"{url}/live/video", stream=True, timeout=20) as video:
        assert b"image/jpeg" in video.raw.read(1000)
    prompts = post("interact", token, "It runs").json()["prompts"]
    assert [prompt["applied"] for prompt in prompts] == ["A fox", "It runs"]
    assert prompts[1]["milliseconds"] > 0
    assert post("end", token).json()["phase"] == "idle"
    one = f"{url}/recordings/{stream_id}"
    wait_until(lambda: inside.get(one, timeout=20).ok)
    piece = inside.get(f"{one}/video", headers={"Range": "bytes=100-199"}, timeout=20)
    assert (piece.status_code, len(piece.content)) == (206, 100)
    for answer in (page, inside.get(one, timeout=20), piece):
        said = answer.text + str(answer.headers)
        assert emulator.api_key not in said
        assert "signature" not in said.lower()
        assert emulator.url not in said
