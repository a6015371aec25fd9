"""`recordings.wait`: until a recording is whole, and no longer than it was told to."""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Callable, Iterator

import pytest

from odyssey import (
    Odyssey,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyRequestError,
    OdysseyServerError,
    OdysseyTimeoutError,
    RateLimitError,
    Recording,
)
from odyssey._rest import polling as _polling
from tests.support.servers import Reply, Request, TinyServer, short_pauses
from tests.support.storage import KEY, STREAM

__all__ = ["short_pauses"]
pytestmark = pytest.mark.usefixtures("short_pauses")


class Service:
    """A service whose recording comes into being as its `looks` say, one for each request."""

    def __init__(self, *looks: Reply | None) -> None:
        self.looks = list(looks)
        self.last = looks[-1]
        self.times: list[float] = []

    def answer(self, request: Request) -> Reply | None:
        if request.path == "/auth/token":
            return Reply({"access_token": "bearer-1", "expires_in": 3600})
        self.times.append(time.monotonic())
        return self.looks.pop(0) if self.looks else self.last


def recording(**urls: str) -> Reply:
    return Reply({"stream_id": STREAM, **{f"{name}_url": url for name, url in urls.items()}})


UNKNOWN = Reply({"detail": "not ready"}, 404)
Waiting = Callable[..., Recording]


@pytest.fixture
def waiting() -> Iterator[Callable[[Service], Waiting]]:
    """`recordings.wait` of a client of a service, looking often."""
    opened: list[TinyServer | Odyssey] = []

    def wait_at(service: Service) -> Waiting:
        server = TinyServer(service.answer).__enter__()
        client = Odyssey(KEY, api_url=server.url, timeout=5)
        opened.extend((server, client))

        def wait(**kwargs: object) -> Recording:
            return client.recordings.wait(STREAM, **{"interval": 0.01, **kwargs})  # type: ignore[arg-type]

        return wait

    yield wait_at
    for each in reversed(opened):
        each.__exit__(None, None, None)


Wait = Callable[[Service], Waiting]


def test_it_waits_for_the_recording_and_its_video(waiting: Wait) -> None:
    service = Service(UNKNOWN, recording(), recording(events="e"), recording(video="v"))
    assert waiting(service)().video_url == "v"
    assert len(service.times) == 4


def test_it_waits_for_what_is_named(waiting: Wait) -> None:
    service = Service(recording(video="v"), recording(video="v", events="e", preview="p"))
    found = waiting(service)(artifacts=("events", "preview"))
    assert (found.events_url, found.preview_url) == ("e", "p")
    assert waiting(Service(recording()))(artifacts=()).stream_id == STREAM


def test_pauses_grow_and_vary(waiting: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(_polling, "time", types.SimpleNamespace(sleep=slept.append))
    waiting(Service(*[UNKNOWN] * 40, recording(video="v")))(interval=0.8)
    assert 0.5 < slept[0] < 1.1
    assert 2.5 < max(slept) < 5.5
    assert len({round(pause, 6) for pause in slept[-10:]}) > 1


@pytest.mark.timing
@pytest.mark.parametrize(
    ("reply", "missing"),
    [
        (UNKNOWN, "there was no recording"),
        (recording(events="e"), "there was no video and no preview"),
    ],
)
def test_it_says_what_was_missing(waiting: Wait, reply: Reply, missing: str) -> None:
    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError, match=f"recording {STREAM} was not .*{missing}"):
        waiting(Service(reply))(timeout=0.2, interval=0.05, artifacts=("video", "preview"))
    assert 0.1 < time.monotonic() - began < 0.35


@pytest.mark.timing
def test_it_never_sleeps_past_the_deadline(waiting: Wait) -> None:
    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError):
        waiting(Service(UNKNOWN))(timeout=0.1, interval=60)
    assert time.monotonic() - began < 0.3


def test_0_looks_once(waiting: Wait) -> None:
    service = Service(UNKNOWN)
    with pytest.raises(OdysseyTimeoutError, match="within 0 s: there was no recording"):
        waiting(service)(timeout=0)
    assert len(service.times) == 1
    assert waiting(Service(recording(video="v")))(timeout=0).video_url == "v"


def test_none_is_no_limit(waiting: Wait) -> None:
    service = Service(*[UNKNOWN] * 5, recording(video="v"))
    assert waiting(service)(timeout=None).video_url == "v"


def test_what_passes_is_waited_through(waiting: Wait) -> None:
    broken = Reply(b"<html>", 200)
    looks = [None] * 4 + [Reply({}, 503)] * 4 + [broken] + [Reply({}, 429)] * 4
    assert waiting(Service(*looks, recording(video="v")))().video_url == "v"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (None, OdysseyConnectionError),
        (Reply({}, 503), OdysseyServerError),
        (Reply({}, 429), RateLimitError),
    ],
)
def test_what_lasts_is_raised_in_the_end(
    waiting: Wait, reply: Reply | None, error: type[OdysseyError]
) -> None:
    with pytest.raises(error) as caught:
        waiting(Service(reply))(timeout=0.3, interval=0.02)
    assert not isinstance(caught.value, OdysseyTimeoutError)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply({}, 401), OdysseyAuthError),
        (Reply({}, 403), OdysseyAuthError),
        (Reply({}, 400), OdysseyRequestError),
    ],
)
def test_refusals_are_final(waiting: Wait, reply: Reply, error: type[OdysseyError]) -> None:
    service = Service(reply)
    with pytest.raises(error):
        waiting(service)(timeout=10)
    assert len(service.times) <= 2


def test_a_service_that_hangs(waiting: Wait) -> None:
    over = threading.Event()

    class Hanging(Service):
        def answer(self, request: Request) -> Reply | None:
            reply = super().answer(request)
            if len(self.times) == 2:
                over.wait(5)
            return reply

    try:
        with pytest.raises(OdysseyTimeoutError, match="there was no recording"):
            waiting(Hanging(UNKNOWN))(timeout=0.2)
    finally:
        over.set()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"artifacts": ("film",)}, ValueError),
        ({"artifacts": "video"}, TypeError),
        ({"timeout": -1}, ValueError),
        ({"timeout": "1"}, TypeError),
        ({"interval": 0}, ValueError),
        ({"interval": None}, ValueError),
    ],
)
def test_wrong_arguments(
    waiting: Wait, arguments: dict[str, object], error: type[Exception]
) -> None:
    service = Service(UNKNOWN)
    with pytest.raises(error):
        waiting(service)(**arguments)
    assert service.times == []
