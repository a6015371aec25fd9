"""`client.simulations` against the emulator: jobs from submitting to their videos."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Literal

import av
import numpy as np
import pytest
import requests
from PIL import Image

from odyssey import (
    ConcurrentLimitReachedError,
    Odyssey,
    OdysseyAuthError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyRequestError,
    OdysseyTimeoutError,
    OdysseyUsageError,
    SimulationFailedError,
    SimulationJobDetail,
    SimulationJobStatus,
    SimulationStream,
)
from odyssey._rest import client as _http
from odyssey.emulator import Emulator, faults, read_frame_number
from odyssey.emulator.faults import SimulationStuck
from odyssey.emulator.painting.scene import Scene
from odyssey.frames.frame import Array
from tests.support.helpers import wait_until
from tests.support.scripts import Entry, script

ACTIVE = ("pending", "dispatched", "processing")
State = Literal["pending", "dispatched", "processing"]


def rendered(client: Odyssey, entries: list[Entry], *, portrait: bool = True) -> SimulationStream:
    job = client.simulations.submit(script=entries, portrait=portrait)
    (stream,) = client.simulations.wait(job, 20, interval=0.02).streams
    return stream


def frames_of(stream: SimulationStream) -> list[Array]:
    """The video's pictures, RGB."""
    assert stream.video_url is not None
    video = requests.get(stream.video_url, timeout=10).content
    with av.open(io.BytesIO(video), "r") as container:
        return [rgb(frame) for frame in container.decode(video=0)]


def rgb(frame: av.VideoFrame) -> Array:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def painted(scene: Scene, count: int) -> list[Array]:
    """What a scene shows at 24 frames a second."""
    return [rgb(scene.paint(n, n / 24)) for n in range(count)]


def distance(one: Array, other: Array) -> float:
    """How far two pictures are apart on average, of 255."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def stuck(emulator: Emulator, state: State) -> SimulationStuck:
    fault = SimulationStuck(state=state)
    emulator.faults.inject(fault)
    return fault


@pytest.mark.parametrize(("portrait", "size"), [(True, (704, 1280)), (False, (1280, 704))])
def test_the_video_shows_the_prompts_at_their_times(
    client: Odyssey, portrait: bool, size: tuple[int, int]
) -> None:
    night = (500, "Deep night, stars")
    stream = rendered(client, script(1500, night), portrait=portrait)
    frames = frames_of(stream)
    assert len(frames) == stream.frame_count == 36
    assert stream.duration_seconds == 1.5
    assert {frame.shape for frame in frames} == {(size[1], size[0], 3)}
    assert [read_frame_number(frame) for frame in frames] == list(range(36))
    steered, steady = Scene("A meadow at noon", *size), Scene("A meadow at noon", *size)
    steered.interact(night[1], night[0] / 1000)
    expected, unchanged = painted(steered, 36), painted(steady, 36)
    assert max(map(distance, frames, expected)) < 4
    assert max(map(distance, frames[:12], unchanged[:12])) < 4
    assert min(map(distance, frames[30:], unchanged[30:])) > 20


def test_it_starts_from_a_picture(client: Odyssey) -> None:
    size = (1280, 704)
    picture = Image.effect_mandelbrot(size, (-2, -1.5, 1, 1.5), 50).convert("RGB")
    stream = rendered(client, script(250, image=picture), portrait=False)
    first = painted(Scene("A meadow at noon", *size, picture), 1)[0]
    assert distance(frames_of(stream)[0], first) < 4


def test_a_batch(client: Odyssey) -> None:
    scripts = [script(250, prompt="Snow"), script(500, prompt="Fire"), script(125, prompt="Sea")]
    job = client.simulations.wait(client.simulate(scripts=scripts), interval=0.02)
    assert [stream.script_index for stream in job.streams] == [0, 1, 2]
    assert len({stream.stream_id for stream in job.streams}) == 3
    for stream, count, prompt in zip(job.streams, (6, 12, 3), ("Snow", "Fire", "Sea"), strict=True):
        frames = frames_of(stream)
        assert len(frames) == count
        assert distance(frames[0], painted(Scene(prompt, 704, 1280), 1)[0]) < 4


def test_the_flat_names(client: Odyssey, emulator: Emulator) -> None:
    fault = stuck(emulator, "pending")
    job, other = client.simulate(script=script()), client.simulate(script=script())
    assert job.status is SimulationJobStatus.PENDING
    assert job.estimated_wait_minutes == 0
    cancelled = client.cancel_simulation(other.job_id)
    assert cancelled.job_id == other.job_id
    assert cancelled.status is SimulationJobStatus.CANCELLED
    emulator.faults.clear(fault)
    done = wait_until(lambda: client.get_simulate_status(job.job_id).streams)
    assert client.get_recording(done[0].stream_id).frame_count == 12
    page = client.list_simulations(limit=1, offset=1)
    assert [info.job_id for info in page.jobs] == [job.job_id]
    assert (page.total, page.limit, page.offset) == (2, 1, 1)


def test_waiting_tells_of_every_status(client: Odyssey, emulator: Emulator) -> None:
    states: tuple[State, ...] = ("pending", "dispatched", "processing")
    held = {state: stuck(emulator, state) for state in states}
    seen: list[str] = []

    def on_update(job: SimulationJobDetail) -> None:
        assert job.status is not None
        seen.append(job.status.value)
        for state in states:
            if job.status == state:
                emulator.faults.clear(held[state])

    job = client.simulations.submit(script=script())
    done = client.simulations.wait(job, 20, 0.02, on_update)
    assert done.status is SimulationJobStatus.COMPLETED
    assert seen == [*states, "completed"]


def test_a_bar(client: Odyssey, capsys: pytest.CaptureFixture[str]) -> None:
    job = client.simulations.submit(script=script())
    client.simulations.wait(job, interval=0.02, progress=True)
    assert f"simulation {job.job_id}: completed [00:0" in capsys.readouterr().err


@pytest.mark.timing
@pytest.mark.parametrize("seconds", [0, 0.2])
def test_waiting_ends_and_may_begin_again(
    client: Odyssey, emulator: Emulator, seconds: float
) -> None:
    fault = stuck(emulator, "processing")
    job = client.simulations.submit(script=script())
    wait_until(lambda: client.simulations.get(job.job_id).status == "processing")
    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError, match=r"last seen: processing.*wait for it again"):
        client.simulations.wait(job.job_id, seconds, interval=0.05)
    assert 0.9 * seconds <= time.monotonic() - began < seconds + 1
    emulator.faults.clear(fault)
    assert client.simulations.wait(job.job_id, interval=0.02).streams


def test_one_that_fails(client: Odyssey, emulator: Emulator) -> None:
    emulator.faults.inject(faults.SimulationFails(message="out of paint"))
    job = client.simulations.submit(script=script())
    with pytest.raises(SimulationFailedError, match="failed: out of paint") as caught:
        client.simulations.wait(job, interval=0.02)
    assert caught.value.job.status is SimulationJobStatus.FAILED
    assert caught.value.job.error_message == "out of paint"
    assert caught.value.job.streams == []


def test_one_that_is_cancelled(client: Odyssey, emulator: Emulator) -> None:
    stuck(emulator, "dispatched")
    job = client.simulations.submit(script=script())
    timer = threading.Timer(0.1, client.simulations.cancel, [job.job_id])
    timer.start()
    with pytest.raises(SimulationFailedError, match="was cancelled") as caught:
        client.simulations.wait(job, interval=0.02)
    timer.join()
    assert caught.value.job.status is SimulationJobStatus.CANCELLED


@pytest.mark.parametrize("status", [429, 503])
def test_waiting_survives_bursts(
    client: Odyssey, emulator: Emulator, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "FIRST_PAUSE", 0.01)
    job = client.simulations.submit(script=script())
    burst = faults.HttpStatus(path="/simulation-jobs/*", method="GET", status=status)
    emulator.faults.inject(burst, times=11)
    assert client.simulations.wait(job, interval=0.02).streams
    assert burst not in emulator.faults.active


def test_waiting_for_a_service_that_is_down(
    client: Odyssey, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "FIRST_PAUSE", 0.01)
    job = client.simulations.submit(script=script())
    emulator.faults.inject(faults.HttpStatus(path="/simulation-jobs/*", status=503))
    with pytest.raises(OdysseyTimeoutError, match="never seen") as caught:
        client.simulations.wait(job, 0.2, interval=0.02)
    assert "503" in str(caught.value.__cause__)


def test_one_being_rendered_is_not_cancelled(client: Odyssey, emulator: Emulator) -> None:
    fault = stuck(emulator, "processing")
    job = client.simulations.submit(script=script())
    wait_until(lambda: client.simulations.get(job.job_id).status == "processing")
    with pytest.raises(OdysseyRequestError, match="the job is processing") as caught:
        client.simulations.cancel(job.job_id)
    assert caught.value.status == 400
    emulator.faults.clear(fault)
    assert client.simulations.wait(job, interval=0.02).streams


def test_the_eleventh(client: Odyssey, emulator: Emulator) -> None:
    stuck(emulator, "pending")
    for _ in range(10):
        client.simulations.submit(script=script())
    with pytest.raises(OdysseyUsageError, match="simulations are queued") as caught:
        client.simulations.submit(script=script())
    assert isinstance(caught.value, ConcurrentLimitReachedError)
    assert caught.value.details == {"active_count": 10, "limit": 10}


def test_without_the_right(client: Odyssey, emulator: Emulator) -> None:
    emulator.faults.inject(faults.SimulationsForbidden())
    with pytest.raises(OdysseyAuthError, match="may not submit simulations") as caught:
        client.simulations.submit(script=script())
    assert caught.value.status == 403


def test_another_accounts_job(client: Odyssey, emulator: Emulator) -> None:
    job = client.simulations.submit(script=script())
    with Odyssey(emulator.add_key(), api_url=emulator.url) as stranger:
        for call in (stranger.simulations.get, stranger.simulations.cancel):
            with pytest.raises(OdysseyAuthError, match="another account"):
                call(job.job_id)
        assert stranger.simulations.list().jobs == []


def test_a_script_that_only_the_service_refuses(client: Odyssey) -> None:
    with pytest.raises(OdysseyRequestError, match=r"script\[1\]: longer than 600 s") as caught:
        client.simulations.submit(script=script(600_001))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "id_",
    [
        "../regions",
        "..%2fregions",
        "a/b",
        "?limit=1",
        "#x",
        "two words",
        "%2e%2e",
        "é\n",
        "\\..",
        ";",
    ],
)
def test_an_id_leads_to_no_other_endpoint(client: Odyssey, id_: str) -> None:
    for call in (client.simulations.get, client.simulations.cancel, client.simulations.wait):
        with pytest.raises(OdysseyNotFoundError) as caught:
            call(id_)
        assert caught.value.detail == "no such job"


@pytest.mark.parametrize("id_", ["", " ", ".", ".."])
def test_what_is_no_id(client: Odyssey, id_: str) -> None:
    with pytest.raises(ValueError, match="job_id"):
        client.simulations.get(id_)


@pytest.fixture
def queued(client: Odyssey, emulator: Emulator) -> list[str]:
    """Ids of seven jobs that wait, newest first."""
    stuck(emulator, "pending")
    return [client.simulations.submit(script=script()).job_id for _ in range(7)][::-1]


def test_lists(client: Odyssey, queued: list[str]) -> None:
    client.simulations.cancel(queued[2])
    assert [job.job_id for job in client.simulations.list().jobs] == queued
    cancelled = client.simulations.list(status="cancelled")
    assert [job.job_id for job in cancelled.jobs] == queued[2:3]
    assert client.simulations.list(active=True).total == 6
    assert client.simulations.list(status=SimulationJobStatus.PENDING, limit=2).total == 6
    for wrong in ({"limit": 0}, {"limit": 101}, {"offset": -1}, {"status": "done"}):
        with pytest.raises(ValueError, match=r"limit|offset|done"):
            client.simulations.list(**wrong)


def test_all_of_them_while_new_ones_come(client: Odyssey, queued: list[str]) -> None:
    def ids() -> Iterator[str]:
        return (job.job_id for job in client.simulations.iterate(page_size=3))

    assert list(ids()) == queued
    going = ids()
    begun = list(islice(going, 2))
    client.simulations.submit(script=script())
    client.simulations.submit(script=script())
    assert begun + list(going) == queued


def test_all_of_them_while_some_leave_the_list(client: Odyssey, queued: list[str]) -> None:
    begun: list[str] = []
    for job in client.simulations.iterate(status="pending", page_size=2):
        begun.append(job.job_id)
        client.simulations.cancel(job.job_id)
    assert begun == queued
    assert client.simulations.list(active=True).total == 0


def test_after_closing(emulator: Emulator) -> None:
    client = Odyssey(emulator.api_key, api_url=emulator.url)
    client.close()
    for call in (client.simulations.get, client.simulations.cancel, client.simulations.wait):
        with pytest.raises(OdysseyError, match="closed"):
            call("id")
    with pytest.raises(OdysseyError, match="closed"):
        client.simulations.submit(script=script())


def test_arguments_of_waiting(client: Odyssey) -> None:
    for wrong in ({"timeout": -1}, {"interval": 0}, {"on_update": 5}):
        with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
            client.simulations.wait("id", **wrong)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.timing
def test_a_live_stream_goes_on_meanwhile(client: Odyssey) -> None:
    job = client.simulations.submit(script=script(20_000))
    client.connect()
    with client.stream("The sea") as stream:
        began = time.monotonic()
        stream.frames.take(48)
        assert time.monotonic() - began < 4
    assert client.simulations.wait(job, interval=0.02).streams[0].frame_count == 480


@pytest.mark.timing
def test_waiting_ends_in_time_although_the_service_does_not_answer(
    client: Odyssey, emulator: Emulator
) -> None:
    job = client.simulations.submit(script=script())
    emulator.faults.switch_on("http-slow", seconds=30, path="/simulation-jobs/*")
    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError, match="never seen"):
        client.simulations.wait(job, 0.5, interval=0.02)
    assert time.monotonic() - began < 1.5
