"""`recordings.wait`, `iterate`, `events`, `thumbnail`, and all of it against the emulator."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from odyssey import (
    Odyssey,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyRequestError,
    OdysseyServerError,
    OdysseyTimeoutError,
    RateLimitError,
    Recording,
    RecordingEvent,
    _polling,
)
from odyssey.emulator import Emulator, faults
from odyssey.emulator.store import Store

from .servers import Reply, Request, TinyServer, short_pauses
from .storage import KEY, STREAM, Cut, Refusal, Storage, client_of
from .videos import Making, make_video, number_of

__all__ = ["short_pauses"]
pytestmark = pytest.mark.usefixtures("short_pauses")

EVENTS = [
    {"timestamp_ms": 0, "type": "start", "prompt": "A cat", "frame": 0},
    {"timestamp_ms": 900, "type": "interact", "prompt": "It\u2028yawns", "mood": {"sleepy": 1}},
    {"timestamp_ms": 2000, "type": "end", "frame": 48},
]


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


# iterate


class Listing:
    """A list of recordings that grows at its head; `on_page` is called before each page."""

    def __init__(self, count: int, on_page: Callable[[Listing], None] = lambda _: None) -> None:
        self.ids = [f"s{number}" for number in range(count)]
        self.pages = 0
        self._on_page = on_page

    def answer(self, request: Request) -> Reply | None:
        if request.path == "/auth/token":
            return None
        self._on_page(self)
        self.pages += 1
        query = dict(pair.split("=") for pair in request.path.partition("?")[2].split("&"))
        limit, offset = int(query["limit"]), int(query["offset"])
        shown = self.ids[::-1][offset : offset + limit]
        rows = [{"stream_id": i, "width": 1, "height": 1, "started_at": "now"} for i in shown]
        total = len(self.ids)
        return Reply({"recordings": rows, "total": total, "limit": limit, "offset": offset})


@pytest.mark.parametrize(
    ("count", "page_size", "pages"),
    [(1000, 100, 10), (0, 100, 1), (1, 100, 1), (100, 100, 1), (101, 100, 2), (7, 2, 4), (3, 1, 3)],
)
def test_every_recording_once(count: int, page_size: int, pages: int) -> None:
    listing = Listing(count)
    with TinyServer(listing.answer) as server, Odyssey(KEY, api_url=server.url) as client:
        found = [info.stream_id for info in client.recordings.iterate(page_size)]
    assert found == [f"s{number}" for number in reversed(range(count))]
    assert listing.pages == pages


def test_every_recording_once_while_new_ones_are_made() -> None:
    def grow(listing: Listing) -> None:
        if listing.pages:
            listing.ids += [f"new{listing.pages}-{number}" for number in range(7)]

    listing = Listing(40, grow)
    with TinyServer(listing.answer) as server, Odyssey(KEY, api_url=server.url) as client:
        found = [info.stream_id for info in client.recordings.iterate(10)]
    assert len(found) == len(set(found))
    assert [i for i in found if not i.startswith("new")] == [f"s{n}" for n in reversed(range(40))]


@pytest.mark.parametrize("page_size", [0, 101, -1])
def test_a_wrong_page_size_is_refused_at_the_call(page_size: int) -> None:
    with Odyssey(KEY) as client:
        with pytest.raises(ValueError, match="page_size must be from 1 to 100"):
            client.recordings.iterate(page_size)
        with pytest.raises(TypeError):
            client.recordings.iterate("all")  # type: ignore[arg-type]


# events and thumbnail


def jpeg() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (64, 32), (200, 100, 50)).save(picture, "JPEG", quality=95)
    return picture.getvalue()


@pytest.fixture
def storage() -> Iterator[Storage]:
    lines = "\n".join(json.dumps(event, ensure_ascii=False) for event in EVENTS)
    with Storage({"events": lines.encode() + b"\n", "thumbnail": jpeg()}) as storage:
        yield storage


@pytest.fixture
def client(storage: Storage) -> Iterator[Odyssey]:
    with client_of(storage) as client:
        yield client


def test_events(client: Odyssey, storage: Storage) -> None:
    storage.script = [Cut(70), Refusal(403), Refusal(503)]
    events: list[RecordingEvent] = client.recordings.events(STREAM)
    assert events == EVENTS


@pytest.mark.parametrize(
    "log",
    [
        b'{"type":"start"}\n\n  \r\n{"type":"end"}',
        b'\xef\xbb\xbf{"type":"start"}\r\n{"type":"end"}\r\n',
    ],
)
def test_blank_lines_and_other_line_ends(client: Odyssey, storage: Storage, log: bytes) -> None:
    storage.files["events"].data = log
    assert [event["type"] for event in client.recordings.events(STREAM)] == ["start", "end"]


def test_an_empty_log(client: Odyssey, storage: Storage) -> None:
    storage.files["events"].data = b""
    assert client.recordings.events(STREAM) == []


@pytest.mark.parametrize("last", [b'{"type":"en', b"[1]", b'"end"', b"\xff\xfe", b"[" * 100_000])
def test_a_broken_line_is_reported(client: Odyssey, storage: Storage, last: bytes) -> None:
    storage.files["events"].data = b'{"type":"start"}\n\n{"type":"interact"}\n' + last
    with pytest.raises(
        OdysseyServerError, match=f"the events of recording {STREAM} .* beyond line 4"
    ) as caught:
        client.recordings.events(STREAM)
    assert caught.value.partial == [{"type": "start"}, {"type": "interact"}]
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.partial) == (str(caught.value), caught.value.partial)


def test_thumbnail(client: Odyssey) -> None:
    picture = client.recordings.thumbnail(STREAM)
    assert picture.shape == (32, 64, 3)
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - [200, 100, 50]).max() < 6
    picture[0, 0] = 0  # the caller's own


@pytest.mark.parametrize("data", [b"", b"GIF89a", jpeg()[:200], b"<html></html>"])
def test_a_broken_thumbnail(client: Odyssey, storage: Storage, data: bytes) -> None:
    storage.files["thumbnail"].data = data
    with pytest.raises(OdysseyServerError, match=f"the thumbnail of recording {STREAM} is broken"):
        client.recordings.thumbnail(STREAM)


def test_what_there_is_none_of(client: Odyssey) -> None:
    bare = Recording(STREAM)
    for call in (client.recordings.events, client.recordings.thumbnail):
        with pytest.raises(OdysseyNotFoundError, match=f"recording {STREAM} has no "):
            call(bare)


# In notebooks.


def test_a_recording_shows_its_video() -> None:
    video = Recording(STREAM, 'https://s/v.mp4?a=1&sig="><script>', thumbnail_url="https://s/t?x")
    html = video._repr_html_()
    assert html.startswith("<video controls")
    assert 'src="https://s/v.mp4?a=1&amp;sig=&quot;&gt;&lt;script&gt;"' in html
    assert 'poster="https://s/t?x"' in html
    assert "sig" not in repr(video)


@pytest.mark.parametrize("url", [None, "javascript:alert(1)", "file:///etc/passwd"])
def test_without_a_video_it_shows_as_text(url: str | None) -> None:
    html = Recording("<b>", url)._repr_html_()
    assert html.startswith("<code>Recording(stream_id=&#x27;&lt;b&gt;&#x27;")
    assert "src" not in html


# Against the emulator.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of an emulator: one recording."""
    folder = tmp_path_factory.mktemp("library")
    store = Store(folder)
    store.begin(STREAM, "owner", 320, 176, "2024-01-01T00:00:00.000000+00:00")
    files = store.folder_of(STREAM)
    files.mkdir()
    make_video(files / "video.mp4", Making(options={"bf": "2"}))
    (files / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    (files / "thumbnail.jpg").write_bytes(jpeg())
    store.finish(STREAM, "2024-01-01T00:00:02.500000+00:00", 60, 2.5)
    store.close()
    return folder


@pytest.fixture
def library(folder: Path) -> Iterator[Emulator]:
    """An emulator with one recording."""
    with Emulator(folder) as emulator:
        yield emulator


@pytest.fixture
def reader(library: Emulator) -> Iterator[Odyssey]:
    with Odyssey(library.api_key, api_url=library.url, timeout=5) as client:
        yield client


FAULTS = [
    faults.UrlExpired(),
    faults.HttpStatus(path="/files/*", status=503),
    faults.HttpStatus(path="/files/*", status=429, retry_after=0.01),
    faults.HttpDrop(path="/files/*"),
    faults.HttpStatus(path="/recordings/*", status=503),
    faults.HttpStatus(path="/recordings/*", status=429, retry_after=0.01),
    faults.HttpDrop(path="/recordings/*"),
]


@pytest.mark.parametrize("fault", [None, *FAULTS], ids=repr)
def test_everything_of_a_recording(
    reader: Odyssey,
    library: Emulator,
    folder: Path,
    tmp_path: Path,
    fault: faults.Fault | None,
) -> None:
    def meanwhile() -> None:
        library.faults.clear()
        if fault is not None:
            library.faults.inject(fault, times=1)

    recordings = reader.recordings
    meanwhile()
    (info,) = recordings.iterate()
    found = recordings.wait(info.stream_id, artifacts=("video", "events", "thumbnail"))
    meanwhile()
    path = recordings.download(info, f"{tmp_path}/")
    assert path.read_bytes() == (folder / "recordings" / STREAM / "video.mp4").read_bytes()
    meanwhile()
    assert recordings.events(found) == EVENTS
    meanwhile()
    assert recordings.thumbnail(found.stream_id).shape == (32, 64, 3)
    meanwhile()
    assert [number_of(f) for f in recordings.frames(found, 10, None, 20)] == [10, 30, 50]
    assert [number_of(f) for f in recordings.frames(path, 59)] == [59]


def test_faults_that_stay(reader: Odyssey, library: Emulator, tmp_path: Path) -> None:
    found = reader.recordings.get(STREAM)
    target = tmp_path / "video.mp4"
    for fault, error in (
        (faults.UrlExpired(), OdysseyAuthError),
        (faults.HttpStatus(path="/files/*", status=503), OdysseyServerError),
        (faults.HttpStatus(path="/files/*", status=429), RateLimitError),
        (faults.HttpDrop(path="/files/*"), OdysseyConnectionError),
    ):
        library.faults.inject(fault)
        with pytest.raises(error, match=f"the video of recording {STREAM}"):
            reader.recordings.download(found, target)
        with pytest.raises(error, match=f"the video of recording {STREAM}"):
            next(reader.recordings.frames(found))
        library.faults.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_stream_is_recorded_waited_for_and_read(tmp_path: Path) -> None:
    emulator = Emulator(faults=faults.Faults(), url_lifetime=0.5)
    with emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
        emulator.faults.inject(faults.RecordingDelay(seconds=0.2), times=1)
        client.connect()
        with client.stream("A cat") as stream:
            live = [number_of(frame) for frame in stream.frames.take(20)]
            stream.interact("It yawns")
            stream.frames.take(5)
        client.disconnect()
        found = client.recordings.wait(stream.id, interval=0.05)
        # The addresses expire while this goes on, and are renewed.
        frames = client.recordings.frames(found)
        numbers = [number_of(frame) for frame in itertools.islice(frames, 20)]
        assert numbers == live
        path = client.recordings.download(found, tmp_path)
        assert path.name == f"{stream.id}.mp4"
        kinds = [event["type"] for event in client.recordings.events(found)]
        assert kinds == ["start", "interact", "end"]
        rest = sum(1 for _ in frames)
        assert found.frame_count == 20 + rest
