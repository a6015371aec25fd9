"""The other dialect of the service, and that this client reads it as it reads the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from odyssey import Odyssey, SimulationJobDetail, SimulationJobStatus
from odyssey.emulator import Emulator
from odyssey.emulator.faults import SimulationStuck
from tests.support.scripts import script


@pytest.mark.parametrize(
    ("word", "status"), [("running", SimulationJobStatus.PROCESSING), ("uploading", "uploading")]
)
def test_a_simulation(
    client: Odyssey, emulator: Emulator, tmp_path: Path, word: str, status: str
) -> None:
    emulator.faults.switch_on("other-dialect", status=word)
    emulator.faults.inject(SimulationStuck(state="processing"))
    job = client.simulations.submit(script=script(250))
    assert job.priority is None
    seen: list[SimulationJobDetail] = []

    def on_update(update: SimulationJobDetail) -> None:
        seen.append(update)
        if update.status == status:
            (listed,) = client.simulations.list().jobs
            assert (listed.status, listed.raw["status"]) == (status, word)
            emulator.faults.clear(SimulationStuck)

    done = client.simulations.wait(job, 30, 0.02, on_update)
    assert [update.status for update in seen if update.status != "pending"] == [status, "completed"]
    assert done.retry_count is None
    assert done.raw["api_version"] == 2
    (stream,) = done.streams
    assert (stream.status, stream.error_message) == ("completed", None)
    assert client.recordings.download(stream, tmp_path / "a.mp4").stat().st_size > 0


def test_a_recording(client: Odyssey, emulator: Emulator) -> None:
    emulator.faults.switch_on("other-dialect")
    client.connect()
    with client.stream("A fox") as stream:
        stream.frames.take(4)
    recording = client.recordings.wait(stream.id or "")
    assert recording.video_url is not None
    (info,) = client.recordings.iterate()
    assert (info.stream_id, info.width, info.height, info.started) == (stream.id, *[None] * 3)
    assert info.ended is not None
    assert info.to_dict()["links"] == {"self": None, "related": []}
