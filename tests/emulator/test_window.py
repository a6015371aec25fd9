"""Outside the window of versions the emulator does without the private parts of aiortc."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests._rtc.test_window import HIDDEN, pretend_installed
from tests.support.programs import run

#: Each fault that needs a private part does nothing: else no frame would come after it.
WHOLE = (
    f"""
    HIDDEN = {HIDDEN}
"""
    + """
    import logging, queue, sys
    sys.path.insert(0, sys.argv[1])
    import aiortc
    sys.modules.update(dict.fromkeys(HIDDEN))
    logging.basicConfig(format="%(message)s", level="WARNING")
    from odyssey import Odyssey, connect_to_stream
    from odyssey.emulator import Emulator, faults

    announced = queue.Queue()
    with Emulator() as emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
        client.connect(on_broadcast_ready=announced.put)
        emulator.faults.inject(faults.LosePacket(), times=1)
        emulator.faults.inject(faults.PacketLoss(share=1.0))
        emulator.faults.inject(faults.KeyFrameLost(after=0.1), times=1)
        with client.stream("A cat", broadcast=True) as stream:
            info = announced.get(timeout=10)
            with connect_to_stream(info.webrtc_url, info.spectator_token) as watching:
                watching.frames.take(1, timeout=10)
                emulator.faults.kill_peers()
                stream.interact("It yawns")
                for frames in (stream.frames, watching.frames):
                    frames.latest()
                    frames.take(8, timeout=10)
    print("all came")
"""
)


@pytest.mark.live
@pytest.mark.slow
def test_a_whole_stream_with_a_version_that_is_not_known(tmp_path: Path) -> None:
    pretend_installed(tmp_path, "aiortc", "1.17.0")
    done = run(WHOLE, None, str(tmp_path), seconds=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all came\n"
    (warning,) = done.stderr.splitlines()
    assert "aiortc 1.17.0" in warning
    assert "the emulator" in warning
