"""`simulations.wait`, and lists, on a service that has gone on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from odyssey import (
    Odyssey,
    OdysseyServerError,
    OdysseyTimeoutError,
    SimulationFailedError,
    SimulationJobDetail,
    SimulationJobStatus,
)
from tests.support.servers import Reply, Request, TinyServer

KEY = "ody_0123456789abcdef"
PATH = "/simulation-jobs/j1"


@pytest.fixture
def served() -> Iterator[tuple[TinyServer, Odyssey, list[Any]]]:
    """A service that says what is in the list, one after another, and the last one over again."""
    bodies: list[Any] = []

    def answer(request: Request) -> Reply | None:
        if request.path == "/auth/token":
            return None
        body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
        return body if isinstance(body, Reply) else Reply(body)

    with TinyServer(answer) as server, Odyssey(KEY, api_url=server.url, timeout=10) as client:
        yield server, client, bodies


Served = tuple[TinyServer, Odyssey, list[Any]]


def job(status: object) -> dict[str, object]:
    return {"job_id": "j1", "status": status}


def test_waiting_goes_on_over_statuses_that_are_not_known(served: Served) -> None:
    server, client, bodies = served
    texts = ("queued", "queued", None, "running", "processing", "uploading", "completed")
    bodies += map(job, texts)
    seen: list[SimulationJobStatus | None] = []
    done = client.simulations.wait("j1", 30, 0.01, lambda job: seen.append(job.status))
    assert seen == ["queued", None, "processing", "uploading", "completed"]
    assert done.status is SimulationJobStatus.COMPLETED
    assert len(server.asked(PATH)) == len(texts)


@pytest.mark.parametrize(
    ("status", "said"),
    [("paused", "last seen: paused"), (None, "no status"), ("https://x/y?sig=1", "https://x/y?…")],
)
def test_the_time_out_says_what_was_last_seen(served: Served, status: object, said: str) -> None:
    _, client, bodies = served
    bodies.append(job(status))
    with pytest.raises(OdysseyTimeoutError) as caught:
        client.simulations.wait("j1", 0, progress=True)
    assert said in str(caught.value)


@pytest.mark.parametrize(("status", "said"), [("failed", "failed: oh"), ("cancelled", "cancelled")])
def test_an_end_after_what_is_not_known(served: Served, status: str, said: str) -> None:
    _, client, bodies = served
    bodies += [job("paused"), {**job(status), "error_message": "oh"}]
    with pytest.raises(SimulationFailedError, match=said) as caught:
        client.simulations.wait("j1", 30, 0.01)
    assert isinstance(caught.value.job, SimulationJobDetail)


WRONG: tuple[tuple[object, int], ...] = (
    *(([], 1), ({"status": "pending"}, 1)),
    ({"job_id": "j1", "stream_id": "j1", "status": 5, "frame_count": "48"}, 1),
    (Reply(b"<html>"), 2),  # the first may be a proxy's
)


@pytest.mark.parametrize(("body", "looks"), WRONG)
@pytest.mark.parametrize(
    "wait",
    [
        lambda client: client.simulations.wait("j1", 30, 0.01),
        lambda client: client.recordings.wait("j1", 30, 0.01),
    ],
)
def test_an_answer_that_is_wrong_in_form_is_not_asked_for_over_again(
    served: Served, body: object, looks: int, wait: Callable[[Odyssey], object]
) -> None:
    server, client, bodies = served
    bodies.append(body)
    with pytest.raises(OdysseyServerError):
        wait(client)
    assert len(server.requests) == looks + 1  # with the one for the token


def test_waiting_goes_on_over_a_service_that_fails(served: Served) -> None:
    _, client, bodies = served
    bodies += [Reply({}, 500), Reply({}, 500), Reply(b"<html>"), job("completed")]
    assert client.simulations.wait("j1", 30, 0.01).status == "completed"


def test_a_list_with_a_status_that_is_not_known(served: Served) -> None:
    server, client, bodies = served
    bodies.append({"jobs": [job("paused"), {**job("running"), "job_id": "j2"}], "total": 2})
    found = list(client.simulations.iterate())
    assert [info.status for info in found] == ["paused", "processing"]
    assert found[0].status is not None
    client.simulations.list(status=found[0].status)
    client.simulations.list(status="running")
    queries = [request.path.partition("?")[2] for request in server.asked("/simulation-jobs")]
    assert queries[-2:] == ["status=paused", "status=processing"]
    with pytest.raises(ValueError, match="paused"):
        client.simulations.list(status="paused")
    assert json.dumps(found[0].to_dict())
