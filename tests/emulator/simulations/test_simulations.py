"""Simulations over plain HTTP: answers, refusals, the queue, restarts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from odyssey.emulator import Emulator, Limits
from odyssey.emulator.faults import (
    SimulationFails,
    SimulationsForbidden,
    SimulationSlow,
    SimulationStuck,
)
from odyssey.emulator.recordings.recorder import RecordingSummary
from odyssey.emulator.simulations import rendering
from tests.emulator.conftest import Complaints
from tests.emulator.raw_client import Message, Rest, wait_until
from tests.emulator.test_lifecycle import crashing_emulator
from tests.support.scripts import script

pytestmark = pytest.mark.live

Make = Callable[..., Emulator]
START, END = script()


def submit(rest: Rest, **body: Any) -> Message:
    answer = rest.request("POST", "/simulation-jobs", json=body or {"script": script()})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def job_of(rest: Rest, job_id: str) -> Message:
    answer = rest.get(f"/simulation-jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def in_state(rest: Rest, job_id: str, *states: str) -> Message:
    """The job, once it is in one of these states."""

    def there() -> Message | None:
        job = job_of(rest, job_id)
        return job if job["status"] in states else None

    return dict(wait_until(there, 10))


def over(rest: Rest, job_id: str) -> Message:
    return in_state(rest, job_id, "completed", "failed", "cancelled")


def listed(rest: Rest, query: str = "") -> list[str]:
    return [job["job_id"] for job in rest.get(f"/simulation-jobs{query}").json()["jobs"]]


def test_the_answers(rest: Rest) -> None:
    new = submit(rest)
    assert set(new) == {"job_id", "status", "priority", "created_at", "estimated_wait_minutes"}
    assert (new["status"], new["estimated_wait_minutes"]) == ("pending", 0)
    done = over(rest, new["job_id"])
    assert done["status"] == "completed"
    assert {k: done[k] for k in ("error_message", "assigned_region", "retry_count")} == {
        "error_message": None,
        "assigned_region": "local",
        "retry_count": 0,
    }
    times = [done[f"{name}_at"] for name in ("created", "dispatched", "started", "completed")]
    assert times == sorted(times)
    assert all(datetime.fromisoformat(moment).tzinfo for moment in times)
    (stream,) = done["streams"]
    artifacts = {"video_url", "events_url", "thumbnail_url", "preview_url"}
    facts = {"stream_id", "frame_count", "duration_seconds", "script_index"}
    assert set(stream) == artifacts | facts
    assert (stream["frame_count"], stream["duration_seconds"], stream["script_index"]) == (
        12,
        0.5,
        0,
    )
    assert all(requests.get(stream[name], timeout=5).ok for name in artifacts)
    (row,) = rest.get("/simulation-jobs").json()["jobs"]
    assert row == {k: done[k] for k in row}
    assert set(row) == {
        *("job_id", "status", "priority", "created_at", "completed_at", "error_message")
    }


def test_its_streams_are_recordings_that_are_not_listed(emulator: Emulator, rest: Rest) -> None:
    (stream,) = over(rest, submit(rest)["job_id"])["streams"]
    recording = rest.get(f"/recordings/{stream['stream_id']}").json()
    assert recording["frame_count"] == stream["frame_count"]
    assert rest.get("/stream-recordings").json()["total"] == 0
    with Rest(emulator, emulator.add_key()) as stranger:
        assert stranger.get(f"/recordings/{stream['stream_id']}").status_code == 404


def test_urls_are_fresh_each_time(make_emulator: Make) -> None:
    with Rest(make_emulator(url_lifetime=0.3)) as rest:
        id_ = over(rest, submit(rest)["job_id"])["job_id"]
        url = job_of(rest, id_)["streams"][0]["video_url"]
        wait_until(lambda: requests.get(url, timeout=5).status_code == 403, 2)
        assert requests.get(job_of(rest, id_)["streams"][0]["video_url"], timeout=5).ok


def test_simulations_use_no_streaming_hours(make_emulator: Make) -> None:
    with Rest(make_emulator(limits=Limits(monthly_hours=0.0001))) as rest:
        over(rest, submit(rest, script=script(1000))["job_id"])
        assert rest.request_session()["session_id"]


def test_the_log_of_events(rest: Rest) -> None:
    entries = script(1000, (0, "At once"), (510, "Rain"), (990, "Too late for a frame"))
    (stream,) = over(rest, submit(rest, script=entries)["job_id"])["streams"]
    lines = requests.get(stream["events_url"], timeout=5).text.splitlines()
    events = [json.loads(line) for line in lines]
    assert [(e["type"], e["timestamp_ms"], e["frame"], e.get("prompt")) for e in events] == [
        ("start", 0, 0, "A meadow at noon"),
        ("interact", 0, 0, "At once"),
        ("interact", 510, 13, "Rain"),
        ("interact", 990, 24, "Too late for a frame"),
        ("end", 1000, 24, None),
    ]


@pytest.mark.parametrize(("bypass", "word"), [(False, "Cinematic shot: Rain"), (True, "Rain")])
def test_prompts_are_rewritten(make_emulator: Make, bypass: bool, word: str) -> None:
    with Rest(make_emulator(rewrite_prompts=True)) as rest:
        body = {"script": script(200, (100, "Rain")), "bypass_vlm_expansion": bypass}
        (stream,) = over(rest, submit(rest, **body)["job_id"])["streams"]
        _, rain, _ = requests.get(stream["events_url"], timeout=5).text.splitlines()
        assert json.loads(rain)["applied_prompt"] == word


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "exactly one of"),
        ({"script": [START, END], "script_url": "http://x.test/"}, "exactly one of"),
        ({"script_url": "file:///etc/passwd"}, "script_url"),
        ({"script_url": 5}, "script_url"),
        ({"scripts": []}, "scripts"),
        ({"scripts": [[START, END], [END]]}, "scripts[1][0]: expected a start at 0"),
        ({"script": {}}, "script:"),
        ({"script": [START]}, "script[0]: expected an end"),
        ({"script": [START, 5, END]}, "script[1]: expected an object"),
        ({"script": [START, START, END]}, "script[1]: a second start"),
        ({"script": [START, END, END]}, "script[2]: after the end"),
        ({"script": [START, {**START, **END}]}, "script[1]: expected exactly one"),
        ({"script": [START, {"end": {}}]}, "script[1]: timestamp_ms"),
        ({"script": [START, {"timestamp_ms": 1.5, "end": {}}]}, "script[1]: timestamp_ms"),
        ({"script": [START, {"timestamp_ms": True, "end": {}}]}, "script[1]: timestamp_ms"),
        ({"script": [START, {"timestamp_ms": 0, "end": {}}]}, "script[1]: expected an end"),
        ({"script": [START, {"timestamp_ms": 1, "end": None}]}, "script[1]: end"),
        ({"script": [START, {"timestamp_ms": 600_001, "end": {}}]}, "script[1]: longer than 600"),
        ({"script": [{"timestamp_ms": -1, "start": {}}, END]}, "script[0]: timestamp_ms"),
        ({"script": script(500, (400, "x"), (300, "y"))}, "script[2]: timestamp_ms"),
        ({"script": script(500, (400, " "))}, "script[1]: prompt"),
        ({"script": script(prompt="")}, "script[0]: prompt"),
        ({"script": script(image=5)}, "script[0]: image"),
        ({"script": script(image="data:image/png;base64,AAAA")}, "script[0]: image"),
    ],
)
def test_bad_scripts(rest: Rest, body: Message, said: str) -> None:
    answer = rest.request("POST", "/simulation-jobs", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert listed(rest) == []


def test_a_model_without_pictures(make_emulator: Make) -> None:
    picture = (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgAB"
        "SK+kcQAAAABJRU5ErkJggg=="
    )
    body = {"scripts": [script(), script(image=picture)]}
    with Rest(make_emulator(image_to_video=False)) as rest:
        answer = rest.request("POST", "/simulation-jobs", json=body)
        assert (answer.status_code, "scripts[1][0]: image" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "query",
    [*("limit=0", "limit=101", "limit=x", "offset=-1"), *("status=done", "status=", "active=yes")],
)
def test_bad_pages(rest: Rest, query: str) -> None:
    assert rest.get(f"/simulation-jobs?{query}").status_code == 422


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"script": [], "portrait": "yes"}'])
def test_bad_bodies(rest: Rest, body: bytes) -> None:
    answer = rest.request("POST", "/simulation-jobs", data=body)
    assert answer.status_code == (400 if not body else 422)


@pytest.mark.parametrize(
    ("method", "job"), [("GET", ""), ("POST", ""), ("GET", "/x"), ("DELETE", "/x")]
)
def test_no_token_and_no_such_job(rest: Rest, method: str, job: str) -> None:
    path = f"/simulation-jobs{job}"
    assert rest.request(method, path, token=False).status_code == 401
    if job:
        answer = rest.request(method, path)
        assert (answer.status_code, answer.json()) == (404, {"detail": "no such job"})


def test_another_accounts_job(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(SimulationStuck(state="pending"))
    id_ = submit(rest)["job_id"]
    with Rest(emulator, emulator.add_key()) as stranger:
        assert listed(stranger) == []
        for method in ("GET", "DELETE"):
            assert stranger.request(method, f"/simulation-jobs/{id_}").status_code == 403
    assert job_of(rest, id_)["status"] == "pending"


def test_no_privilege(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(SimulationsForbidden(detail="ask for access"))
    answer = rest.request("POST", "/simulation-jobs", json={"script": script()})
    assert (answer.status_code, answer.json()) == (403, {"detail": "ask for access"})
    assert rest.get("/simulation-jobs").status_code == 200


def test_ten_are_queued(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(SimulationStuck(state="pending"))
    jobs = [submit(rest) for _ in range(10)]
    assert [job["estimated_wait_minutes"] for job in jobs[:3]] == [0.0, 0.1, 0.2]
    answer = rest.request("POST", "/simulation-jobs", json={"script": script()})
    assert answer.status_code == 429
    usage = answer.json()["detail"]
    assert usage["error"] == "CONCURRENT_LIMIT_REACHED"
    assert usage["details"] == {"active_count": 10, "limit": 10}
    assert "simulations" in usage["message"]
    with Rest(emulator, emulator.add_key()) as stranger:
        submit(stranger)
    rest.request("DELETE", f"/simulation-jobs/{jobs[4]['job_id']}")
    submit(rest)


def test_what_may_be_cancelled(emulator: Emulator, rest: Rest) -> None:
    for state in ("pending", "dispatched", "processing"):
        emulator.faults.inject(SimulationStuck(state=state))
        id_ = submit(rest)["job_id"]
        in_state(rest, id_, state)
        answer = rest.request("DELETE", f"/simulation-jobs/{id_}")
        emulator.faults.clear()
        job = over(rest, id_)
        if state == "processing":
            assert answer.status_code == 400
            assert "processing" in answer.json()["detail"]
            assert job["status"] == "completed"
        else:
            assert (answer.status_code, answer.json()) == (
                200,
                {"job_id": id_, "status": "cancelled"},
            )
            assert (job["streams"], job["started_at"]) == ([], None)
            assert job["completed_at"]
        assert rest.request("DELETE", f"/simulation-jobs/{id_}").status_code == 400


def test_pages_and_filters(emulator: Emulator, rest: Rest) -> None:
    done = submit(rest)["job_id"]
    over(rest, done)
    emulator.faults.inject(SimulationStuck(state="processing"))
    ids = [submit(rest)["job_id"] for _ in range(4)]
    in_state(rest, ids[0], "processing")
    rest.request("DELETE", f"/simulation-jobs/{ids[1]}")
    newest_first = [*reversed(ids), done]
    assert listed(rest) == newest_first
    assert listed(rest, "?active=false") == newest_first
    assert listed(rest, "?active=true") == [ids[3], ids[2], ids[0]]
    assert listed(rest, "?status=pending") == [ids[3], ids[2]]
    assert listed(rest, "?status=cancelled&active=true") == []
    page = rest.get("/simulation-jobs?limit=2&offset=1").json()
    assert [job["job_id"] for job in page["jobs"]] == newest_first[1:3]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    page = rest.get("/simulation-jobs").json()
    assert (page["limit"], page["offset"]) == (20, 0)


def test_one_fails_and_the_next_does_not(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(SimulationFails(message="out of paint"), times=1)
    bad, good = submit(rest)["job_id"], submit(rest)["job_id"]
    failed = over(rest, bad)
    assert (failed["status"], failed["error_message"]) == ("failed", "out of paint")
    assert failed["streams"] == []
    assert failed["completed_at"]
    assert over(rest, good)["status"] == "completed"


def test_a_batch_is_whole_or_leaves_nothing(
    make_emulator: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complaints: Complaints
) -> None:
    run = rendering.Rendering.run

    def breaks(self: rendering.Rendering) -> RecordingSummary:
        if self.script.prompt == "Broken":
            raise OSError(28, "No space left on device")
        return run(self)

    monkeypatch.setattr(rendering.Rendering, "run", breaks)
    complaints.expected.append("failed")
    with Rest(make_emulator(tmp_path)) as rest:
        job = over(rest, submit(rest, scripts=[script(), script(prompt="Broken")])["job_id"])
    assert (job["status"], job["error_message"]) == ("failed", "internal error")
    assert complaints.seen == [f"simulation {job['job_id']} failed"]
    assert list((tmp_path / "recordings").iterdir()) == []


@pytest.mark.parametrize("state", ["pending", "dispatched", "processing"])
def test_jobs_outlive_a_restart(make_emulator: Make, tmp_path: Path, state: str) -> None:
    emulator = make_emulator(tmp_path)
    with Rest(emulator) as rest:
        before = over(rest, submit(rest)["job_id"])
        emulator.faults.inject(SimulationStuck(state=state))  # type: ignore[arg-type]
        ids = [submit(rest, script=script(500 * n))["job_id"] for n in (1, 2)]
        in_state(rest, ids[0], state)
    emulator.close()
    with Rest(make_emulator(tmp_path)) as rest:
        jobs = [over(rest, id_) for id_ in ids]
        assert [job["status"] for job in jobs] == ["completed", "completed"]
        assert [job["retry_count"] for job in jobs] == [state == "processing", 0]
        assert [job["streams"][0]["frame_count"] for job in jobs] == [12, 24]
        assert listed(rest) == [*reversed(ids), before["job_id"]]
        after = job_of(rest, before["job_id"])
        assert after["completed_at"] == before["completed_at"]
        assert requests.get(after["streams"][0]["video_url"], timeout=5).ok
    assert len(list((tmp_path / "recordings").iterdir())) == 3


@pytest.mark.slow
async def test_a_crash_while_rendering(make_emulator: Make, tmp_path: Path) -> None:
    key = "ody_" + "k" * 24
    process = await asyncio.to_thread(crashing_emulator, tmp_path, key)
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().strip()
        with Rest(Emulator(api_key=key), key, url) as rest:
            id_ = submit(rest, scripts=[script(), script(120_000)])["job_id"]
            in_state(rest, id_, "processing")
            wait_until(lambda: len(list((tmp_path / "recordings").iterdir())) == 2)
            process.kill()
            process.wait()
    with Rest(make_emulator(tmp_path)) as rest:
        job = in_state(rest, id_, "processing")
        assert job["retry_count"] == 1
        assert job["streams"] == []


@pytest.mark.timing
def test_closing_while_rendering(make_emulator: Make, tmp_path: Path) -> None:
    emulator = make_emulator(tmp_path)
    with Rest(emulator) as rest:
        submit(rest, script=script(300_000))
        wait_until(lambda: list((tmp_path / "recordings").glob("*/video.mp4.part")))
    began = time.monotonic()
    emulator.close()
    assert time.monotonic() - began < 2
    assert list((tmp_path / "recordings").iterdir()) == []


@pytest.mark.timing
def test_closing_while_it_is_slow(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(SimulationSlow(seconds=60))
    in_state(rest, submit(rest)["job_id"], "processing")
    began = time.monotonic()
    emulator.close()
    assert time.monotonic() - began < 2


def test_slow_on_demand(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(SimulationSlow(seconds=0.25), times=1)
    began = time.monotonic()
    assert over(rest, submit(rest)["job_id"])["status"] == "completed"
    assert time.monotonic() - began > 0.25
