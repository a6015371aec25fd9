"""Simulations through the web SDK."""

from __future__ import annotations

from typing import Any

import pytest

from odyssey.emulator import Emulator, faults
from tests.interop.page import Page, WebError
from tests.support.helpers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timing, pytest.mark.usefixtures("dialect")]

_SIMULATE = "return await client.simulate(args[0])"
_STATUS = "return await client.getSimulateStatus(args[0])"
_LIST = "return await client.listSimulations(args[0])"
_CANCEL = "return await client.cancelSimulation(args[0])"
_PLAY = "const video = await play(args[0]); return video.duration"
_NOBODYS = "00000000-0000-0000-0000-000000000000"


def script(prompt: str = "A fox") -> list[dict[str, Any]]:
    return [
        {"timestamp_ms": 0, "start": {"prompt": prompt}},
        {"timestamp_ms": 500, "interact": {"prompt": "It snows"}},
        {"timestamp_ms": 1000, "end": {}},
    ]


def submit(page: Page, **options: object) -> str:
    """The job's id."""
    return str(page.run(_SIMULATE, options or {"script": script()})["job_id"])


def completed(page: Page, job_id: str) -> dict[str, Any]:
    """The job, once it is through."""

    def done() -> Any:
        job = page.run(_STATUS, job_id)
        assert job["status"] not in ("failed", "cancelled")
        return job if job["status"] == "completed" else None

    return dict(wait_until(done, 30))


def test_a_script_becomes_a_video(page: Page) -> None:
    job = page.run(_SIMULATE, {"script": script(), "portrait": False})
    assert job["status"] == "pending"
    (stream,) = completed(page, job["job_id"])["streams"]
    assert stream["script_index"] == 0
    assert page.run(_PLAY, stream["video_url"]) == pytest.approx(1.0, abs=0.1)
    assert page.picture().shape == (704, 1280, 3)
    assert page.frame_number() >= 0


def test_several_scripts(page: Page) -> None:
    job = completed(page, submit(page, scripts=[script("A cat"), script("A dog")]))
    assert [stream["script_index"] for stream in job["streams"]] == [0, 1]
    assert all(stream["video_url"] for stream in job["streams"])


def test_the_list(page: Page, emulator: Emulator) -> None:
    done = submit(page)
    completed(page, done)
    emulator.faults.inject(faults.SimulationStuck(state="pending"))
    waiting = submit(page)
    listed = page.run(_LIST, {})
    assert [job["job_id"] for job in listed["jobs"]] == [waiting, done]
    assert listed["total"] == 2
    assert [j["job_id"] for j in page.run(_LIST, {"active": True})["jobs"]] == [waiting]
    assert [j["job_id"] for j in page.run(_LIST, {"status": "completed"})["jobs"]] == [done]
    assert [j["job_id"] for j in page.run(_LIST, {"limit": 1, "offset": 1})["jobs"]] == [done]


def test_cancelling(page: Page, emulator: Emulator) -> None:
    emulator.faults.inject(faults.SimulationStuck(state="pending"))
    job_id = submit(page)
    answer = page.run(_CANCEL, job_id)
    assert (answer["job_id"], answer["status"]) == (job_id, "cancelled")
    assert page.run(_STATUS, job_id)["status"] == "cancelled"


def test_what_is_through_can_not_be_cancelled(page: Page) -> None:
    job_id = submit(page)
    completed(page, job_id)
    with pytest.raises(WebError) as caught:
        page.run(_CANCEL, job_id)
    assert "completed" in caught.value.message


def test_a_script_that_makes_no_sense(page: Page) -> None:
    with pytest.raises(WebError, match="Failed to submit simulation: 400"):
        submit(page, script=[{"timestamp_ms": 0, "end": {}}])


def test_without_the_privilege(page: Page, emulator: Emulator) -> None:
    emulator.faults.inject(faults.SimulationsForbidden(), times=1)
    with pytest.raises(WebError, match="Failed to submit simulation: 403"):
        submit(page)


def test_a_job_that_fails(page: Page, emulator: Emulator) -> None:
    emulator.faults.inject(faults.SimulationFails(message="the model crashed"), times=1)
    job_id = submit(page)
    wait_until(lambda: page.run(_STATUS, job_id)["status"] == "failed")
    assert page.run(_STATUS, job_id)["error_message"] == "the model crashed"


@pytest.mark.parametrize("call", [_STATUS, _CANCEL])
def test_an_unknown_job(page: Page, call: str) -> None:
    with pytest.raises(WebError, match="Simulation job not found"):
        page.run(call, _NOBODYS)
