"""`recordings.iterate`, `events` and `thumbnail`, and how a recording shows itself."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from odyssey import (
    Odyssey,
    OdysseyNotFoundError,
    OdysseyServerError,
    Recording,
    RecordingEvent,
)
from tests.support.hostile_pictures import HOSTILE_PICTURES, TOO_LARGE
from tests.support.servers import Reply, Request, TinyServer, short_pauses
from tests.support.storage import EVENTS, KEY, STREAM, Cut, Refusal, Storage, client, jpeg

__all__ = ["client", "short_pauses"]
pytestmark = pytest.mark.usefixtures("short_pauses")


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


@pytest.fixture
def storage() -> Iterator[Storage]:
    lines = "\n".join(json.dumps(event, ensure_ascii=False) for event in EVENTS)
    with Storage({"events": lines.encode() + b"\n", "thumbnail": jpeg()}) as storage:
        yield storage


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


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1.5", b'{"a":[]}'])
def test_a_log_of_a_million_values(client: Odyssey, storage: Storage, value: bytes) -> None:
    """In one event, or in many together: each of two bytes would take a hundred."""
    whole = b'{"type":"end","x":[' + b",".join([value] * 1_000_001) + b"]}"
    half = b'{"type":"end","x":[' + b",".join([value] * 300_000) + b"]}"
    for log, before in ((whole, 1), (b"\n".join([half] * 4), 2)):
        storage.files["events"].data = b'{"type":"start"}\n' + log
        with pytest.raises(OdysseyServerError, match="more than 1000000 values") as caught:
            client.recordings.events(STREAM)
        assert len(caught.value.partial or []) >= before


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


@pytest.mark.parametrize("name", list(HOSTILE_PICTURES))
def test_a_hostile_thumbnail(
    client: Odyssey, storage: Storage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # an application may have done so
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", None)  # it must not come so far
    storage.files["thumbnail"].data = HOSTILE_PICTURES[name]
    with pytest.raises(
        OdysseyServerError, match=f"the thumbnail of recording {STREAM} is broken"
    ) as caught:
        client.recordings.thumbnail(STREAM)
    assert ("at most 89,478,485" in str(caught.value)) == (name in TOO_LARGE)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_of_an_animation_the_first_picture(client: Odyssey, storage: Storage, kind: str) -> None:
    out = io.BytesIO()
    red, blue = (Image.new("RGB", (64, 32), colour) for colour in ("red", "blue"))
    red.save(out, kind, save_all=True, append_images=[blue])
    storage.files["thumbnail"].data = out.getvalue()
    assert client.recordings.thumbnail(STREAM)[9, 9, 0] > 200


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
