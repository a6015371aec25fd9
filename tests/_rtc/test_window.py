"""Outside the window of versions: the plain path, all of it, and one warning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from odyssey._rtc import window
from odyssey.emulator import Emulator
from tests.support.frame_numbers import check_numbers
from tests.support.programs import run

#: Modules that are no part of aiortc's and aioice's public interface: newer ones may lack them.
HIDDEN = (
    *("aiortc.codecs", "aiortc.codecs.h264", "aiortc.codecs.vpx", "aiortc.jitterbuffer"),
    *("aiortc.mediastreams", "aiortc.rtp", "aioice.ice"),
)

WHOLE = (
    f"""
    HIDDEN = {HIDDEN}
"""
    + """
    import json, logging, queue, sys, threading
    if len(sys.argv) > 1:
        sys.path.insert(0, sys.argv[1])
        import aiortc
        sys.modules.update(dict.fromkeys(HIDDEN))
    logging.basicConfig(format="%(message)s", level="WARNING")
    from odyssey import Odyssey, connect_to_stream
    from odyssey.emulator import read_frame_number

    announced = queue.Queue()
    with Odyssey(timeout=20) as client:
        client.connect(on_broadcast_ready=announced.put)
        with client.stream("A cat", broadcast=True) as stream:
            frames = stream.frames.take(12)
            said = stream.interact("It yawns")
            info = announced.get(timeout=10)
            with connect_to_stream(info.webrtc_url, info.spectator_token) as watching:
                watched = watching.frames.take(3)
            threads = [thread.name for thread in threading.enumerate()]
        again = client.connect().start_stream("A dog")
        client.end_stream()
    print(json.dumps({
        "numbers": [read_frame_number(frame.data) for frame in frames],
        "watched": len(watched),
        "said": said,
        "again": bool(again),
        "own decoder": "odyssey-decoder" in threads,
    }))
"""
)


def pretend_installed(folder: Path, distribution: str, version: str) -> None:
    """What `importlib.metadata` finds first, with `folder` in front of the path."""
    about = folder / f"{distribution}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )


@pytest.mark.parametrize(
    "newer",
    [
        pytest.param({"aiortc": "1.17.0"}, marks=pytest.mark.slow),
        pytest.param({"aioice": "0.14.1"}, marks=pytest.mark.slow),
        {"aiortc": "2.0", "aioice": "1.0"},
    ],
)
def test_a_whole_stream_with_versions_that_are_not_known(
    emulator: Emulator, tmp_path: Path, newer: dict[str, str]
) -> None:
    for distribution, version in newer.items():
        pretend_installed(tmp_path, distribution, version)
    done = run(WHOLE, emulator, str(tmp_path), seconds=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    check_numbers(found.pop("numbers"))
    assert found == {"watched": 3, "said": "It yawns", "again": True, "own decoder": False}
    (warning,) = done.stderr.splitlines()
    for distribution, version in newer.items():
        assert f"{distribution} {version}" in warning
    assert "this release of odyssey knows aiortc 1.16 and aioice 0.13" in warning


def test_what_is_installed_here_is_known(emulator: Emulator) -> None:
    """With new versions this fails: look whether the private parts are still there."""
    assert window.IS_OPEN
    done = run(WHOLE, emulator, seconds=60)
    assert done.stderr == ""
    assert json.loads(done.stdout)["own decoder"] is True
