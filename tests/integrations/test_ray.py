"""Recordings and simulations on a Ray cluster of this machine, with two workers."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests

from odyssey import Odyssey, OdysseyAuthError
from odyssey.emulator import Emulator, Limits, faults, read_frame_number
from tests.integrations.rendered import render
from tests.support.helpers import our_threads, wait_until
from tests.support.ray_settings import quiet_ray
from tests.support.servers import KEY, Reply, TinyServer

ray = pytest.importorskip("ray")

from odyssey.integrations.ray import Failures, read_recordings, simulate  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timing,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*"),
]

FRAMES = 12  # of half a second


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A cluster; the folder with all that it logs."""
    with quiet_ray() as (_, settings), pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, value)
        context = ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=500 * 2**20,
            log_to_driver=False,
        )
        yield Path(context.address_info["session_dir"])
        ray.shutdown()


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As everywhere, but without the sockets: Ray opens and closes its own as it likes."""
    monkeypatch.delenv("ODYSSEY_API_KEY", raising=False)
    monkeypatch.delenv("ODYSSEY_API_URL", raising=False)
    threads = our_threads()
    yield
    wait_until(lambda: our_threads() <= threads, 15, "threads are left")


@pytest.fixture
def service(emulator: Emulator) -> dict[str, Any]:
    """How workers reach the emulator."""
    return {"api_key": emulator.api_key, "api_url": emulator.url}


def seen(dataset: Any) -> Counter[tuple[str, int]]:
    """How often each frame of each stream is there, each with the picture that belongs to it."""
    counted: Counter[tuple[str, int]] = Counter()
    for row in dataset.iter_rows():
        assert read_frame_number(row["image"]) == row["index"]
        counted[row["stream_id"], int(row["index"])] += 1
    return counted


def every(stream_ids: list[str], indexes: range = range(FRAMES)) -> Counter[tuple[str, int]]:
    return Counter((id_, index) for id_ in stream_ids for index in indexes)


def reading_workers() -> list[psutil.Process]:
    """Worker processes in the middle of a read task."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.cmdline()[:1] == ["ray::ReadOdysseyRecordings"]:
                found.append(process)
    return found


def test_recordings(
    cluster: Path, client: Odyssey, stream_ids: list[str], service: dict[str, Any]
) -> None:
    (wide,) = render(client, 0.5, "A boat", portrait=False)
    dataset = read_recordings([*stream_ids, wide], **service)
    assert seen(dataset) == every([*stream_ids, wide])
    batch = read_recordings(stream_ids[:1], 1, 10, 4, **service).take_batch(5)
    assert (batch["image"].shape, batch["image"].dtype) == ((3, 1280, 704, 3), np.uint8)
    assert batch["index"].tolist() == [1, 5, 9]
    (local,) = client.recordings.frames(stream_ids[0], 5, 6)
    assert np.array_equal(batch["image"][1], local.data)
    assert batch["timestamp_ms"][1] == local.timestamp_ms
    assert batch["stream_id"].tolist() == stream_ids[:1] * 3


def test_addresses_are_renewed_by_the_worker(cluster: Path) -> None:
    """Fault: the presigned addresses of the recordings given are over when a worker reads."""
    with Emulator(url_lifetime=0.5) as emulator:
        with Odyssey(emulator.api_key, api_url=emulator.url) as client:
            recordings = [client.recordings.get(id_) for id_ in render(client, 0.5, "A fox")]
            dataset = read_recordings(
                recordings, api_key=emulator.api_key, api_url=emulator.url, timeout=10
            )
            old = recordings[0].video_url
            assert old is not None
            wait_until(lambda: requests.get(old, timeout=5).status_code == 403)
        assert seen(dataset) == every([recordings[0].stream_id])


def test_a_recording_that_fails_is_reported_and_the_others_go_on(
    cluster: Path, emulator: Emulator, stream_ids: list[str], service: dict[str, Any]
) -> None:
    """Faults: a recording that nobody knows, an id that is none, one that the key may not see, one
    with a video that can't be fetched, one that fails once.
    """
    emulator.faults.inject(faults.HttpStatus(path="/recordings/foreign", status=403))
    # Whether the key is refused altogether can't be found out just then.
    emulator.faults.inject(faults.HttpStatus(path="/stream-recordings", status=500), times=1)
    first, second, third = stream_ids
    emulator.faults.inject(faults.HttpStatus(path=f"/files/{second}/*", status=404))
    emulator.faults.inject(faults.HttpNotJson(path=f"/recordings/{third}"), times=1)
    failures = Failures()
    dataset = read_recordings(
        ["unknown", "..", "foreign", *stream_ids], failures=failures, tries=2, **service
    )
    assert seen(dataset) == every([first, third])
    reported = {failure.stream_id: failure for failure in failures.list()}
    assert set(reported) == {"unknown", "..", "foreign", second}
    assert reported["unknown"].error == "OdysseyNotFoundError"
    assert "unknown" in reported["unknown"].message
    assert reported["foreign"].error == "OdysseyAuthError"
    assert reported[second].frames == 0


def test_a_recording_that_breaks_off_goes_on_where_it_was(
    cluster: Path, emulator: Emulator, client: Odyssey, service: dict[str, Any]
) -> None:
    """Fault: the connection is cut at the half of the video, and then so often that the client's
    own patience ends.
    """
    (stream_id,) = render(client, 3, "A fox")
    emulator.faults.inject(faults.DownloadCut(share=0.5), times=1)
    emulator.faults.inject(faults.DownloadCut(share=0), times=4)
    failures = Failures()
    dataset = read_recordings([stream_id], failures=failures, **service)
    assert seen(dataset) == every([stream_id], range(72))
    assert failures.list() == []
    assert not emulator.faults.active


def test_a_worker_that_is_killed_half_way_loses_nothing(
    cluster: Path, client: Odyssey, service: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault: the processes that read are killed once the first frames have come."""
    stream_ids = render(client, 4, "A fox", "A boat", "A cat", "A dog")
    context = ray.data.DataContext.get_current()
    monkeypatch.setattr(context, "target_max_block_size", 20_000_000)  # else all is one block
    rows = iter(read_recordings(stream_ids, step=2, **service).iter_rows())
    first = next(rows)
    for process in wait_until(reading_workers):
        process.kill()
    rest = Counter((row["stream_id"], int(row["index"])) for row in rows)
    assert rest + Counter([(first["stream_id"], int(first["index"]))]) == every(
        stream_ids, range(0, 96, 2)
    )


def test_a_wrong_key_ends_the_whole(cluster: Path, emulator: Emulator) -> None:
    dataset = read_recordings(["a", "b"], api_key="ody_0123456789abcdef", api_url=emulator.url)
    with pytest.raises(OdysseyAuthError):
        dataset.materialize()


def test_the_key_shows_nowhere(
    cluster: Path,
    emulator: Emulator,
    stream_ids: list[str],
    service: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources: list[Any] = []
    read_datasource = ray.data.read_datasource

    def noting(source: Any, **given: Any) -> Any:
        sources.append(source)
        return read_datasource(source, **given)

    monkeypatch.setattr(ray.data, "read_datasource", noting)
    failures = Failures()
    dataset = read_recordings([*stream_ids, "unknown"], failures=failures, **service)
    dataset = dataset.materialize()
    table = simulate(["A fox"], 0.5, **service).materialize()
    shown = [repr(dataset), dataset.stats(), repr(failures.list()), repr(table), table.stats()]
    tasks = sources[0].get_read_tasks(1)
    assert len(tasks) == len(stream_ids) + 1  # one for each recording
    shown += [f"{task!r} {vars(task)!r}" for task in tasks]
    assert stream_ids[0] in shown[-len(tasks)]
    written = [path for path in cluster.parent.rglob("*") if path.is_file()]
    assert any("Read" in path.read_text("utf-8", "replace") for path in written)
    shown += [path.read_text("utf-8", "replace") for path in written]
    assert not any(emulator.api_key in text for text in shown)


def test_simulations_within_the_limit_of_the_queue(cluster: Path) -> None:
    prompts = [f"A fox, number {number}" for number in range(6)]
    with Emulator(limits=Limits(queued_simulations=1)) as emulator:
        emulator.faults.inject(faults.SimulationSlow(seconds=0.5))
        service: dict[str, Any] = {"api_key": emulator.api_key, "api_url": emulator.url}
        table = simulate(iter(prompts), 0.5, portrait=False, at_once=3, **service).materialize()
        rows = sorted(table.iter_rows(), key=lambda row: str(row["prompt"]))
        with Odyssey(**service) as client:
            jobs = {job.job_id for job in client.simulations.iterate(status="completed")}
            picture = client.recordings.thumbnail(rows[0]["stream_id"])
    assert [row["prompt"] for row in rows] == prompts
    assert [row["error"] for row in rows] == [None] * 6
    assert {row["job_id"] for row in rows} == jobs
    assert picture.shape[0] < picture.shape[1]


def test_a_row_that_fails_leaves_the_others_alone(
    cluster: Path, emulator: Emulator, service: dict[str, Any]
) -> None:
    """Faults: one simulation fails; one prompt is empty."""
    emulator.faults.inject(faults.SimulationFails(message="no streamer"), times=1)
    table = ray.data.from_items([{"text": text, "n": n} for n, text in enumerate(("A", "", "B"))])
    rows = simulate(table, 0.5, column="text", at_once=1, **service).take_all()
    errors = {row["n"]: row["error"] for row in rows}
    assert "non-empty" in errors.pop(1)
    assert sorted(map(str, errors.values()), key=len)[0] == "None"
    (failed,) = [row for row in rows if "no streamer" in str(row["error"])]
    assert (failed["stream_id"], failed["error"].split(":")[0]) == (None, "SimulationFailedError")
    (good,) = [row for row in rows if row["error"] is None]
    assert seen(read_recordings([good["stream_id"]], **service)) == every([good["stream_id"]])


def test_a_completed_job_without_streams_is_its_rows_error(cluster: Path) -> None:
    """Fault: the service completes a job and names no stream of it."""
    answer = Reply({"job_id": "job-1", "status": "completed", "streams": []})
    paths = "/simulation-jobs", "/simulation-jobs/job-1"
    with TinyServer(lambda request: answer if request.path in paths else None) as server:
        rows = simulate(["A", "B"], 0.5, api_key=KEY, api_url=server.url).take_all()
    assert [row["prompt"] for row in rows] == ["A", "B"]
    for row in rows:
        assert (row["job_id"], row["stream_id"]) == ("job-1", None)
        assert row["error"] == "OdysseyServerError: simulation job-1 completed without a stream"


def test_wrong_arguments() -> None:
    key = "ody_0123456789abcdef"
    with pytest.raises(TypeError, match="not a str"):
        read_recordings("id", api_key=key)
    with pytest.raises(ValueError, match="empty"):
        read_recordings([], api_key=key)
    with pytest.raises(ValueError, match="start"):
        read_recordings(["id"], -1, api_key=key)
    with pytest.raises(ValueError, match="tries"):
        read_recordings(["id"], tries=0, api_key=key)
    with pytest.raises(ValueError, match="white space"):
        read_recordings(["id"], api_key="a b")
    with pytest.raises(TypeError, match="not a str"):
        simulate("A fox", api_key=key)
    with pytest.raises(ValueError, match="prompts is empty"):
        simulate([], api_key=key)
    with pytest.raises(ValueError, match="seconds"):
        simulate(["A fox"], 0, api_key=key)
    with pytest.raises(ValueError, match="at_once"):
        simulate(["A fox"], at_once=0, api_key=key)
