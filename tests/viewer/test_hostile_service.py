"""The viewer of a service whose data is anything: a row suffers, and never the page."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest
import requests

from odyssey import Odyssey
from odyssey.viewer import Viewer
from odyssey.viewer.texts import file_name_header
from tests.support.servers import KEY, Reply, Request, TinyServer
from tests.viewer.conftest import entered

Show = Callable[[Callable[[Request], Reply | None]], "Pages"]
ODD_IDS = ["a/b", "../../x", "..", "", " ", "\ud800", "x" * 300, "\u202egpj.exe", "\x1b]0;x\x07"]
LATIN_2 = "živý-обла́к-猫"


class Pages:
    """The viewer of a service, in a browser that has been let in."""

    def __init__(self, server: TinyServer, viewer: Viewer, session: requests.Session) -> None:
        self.server = server
        self._origin = viewer.url.partition("/?")[0]
        self._session = session

    def get(self, path: str) -> requests.Response:
        return self._session.get(self._origin + path, timeout=10)


@pytest.fixture
def show() -> Iterator[Show]:
    with contextlib.ExitStack() as stack:

        def show(answer: Callable[[Request], Reply | None]) -> Pages:
            server = stack.enter_context(TinyServer(answer))
            client = stack.enter_context(Odyssey(KEY, api_url=server.url))
            viewer = stack.enter_context(Viewer(client))
            return Pages(server, viewer, stack.enter_context(entered_empty(viewer)))

        yield show


def entered_empty(viewer: Viewer) -> requests.Session:
    """As `entered`, by way of a page that asks nothing of the service."""
    return entered(viewer.url.replace("/?", "/live?"))


def row(stream_id: str = "good", **fields: Any) -> dict[str, Any]:
    usual = {"width": 704, "height": 1280, "started_at": "2026-01-01T00:00:00+00:00"}
    return {"stream_id": stream_id, "duration_seconds": 2.0, **usual, **fields}


def listing(rows: list[dict[str, Any]], totals: Iterator[int]) -> Callable[[Request], Reply | None]:
    """A list of these rows, which may be changed."""

    def answer(request: Request) -> Reply | None:
        if not request.path.startswith("/stream-recordings"):
            return None
        page = {"recordings": rows, "total": next(totals), "limit": 12, "offset": 0}
        return Reply(json.dumps(page).encode())

    return answer


ODD_FIELDS: list[dict[str, Any]] = [
    *({"started_at": at} for at in ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-14:00")),
    *({"started_at": at} for at in ("", "\ud800", "<b>", "x" * 100_000, "2026-01-01T00:00Z")),
    *({"duration_seconds": seconds} for seconds in (1e308, -1.0, 10**300, None)),
    *({"width": side} for side in (10**300, -5, 0)),
    *({name: None} for name in ("width", "height", "started_at")),
    *({"stream_id": stream_id} for stream_id in ODD_IDS),
]


def test_a_row_that_can_not_be_shown_costs_no_other(show: Show) -> None:
    rows = [row(), {}, row("last")]
    pages = show(listing(rows, itertools.repeat(3)))
    for odd in ODD_FIELDS:
        rows[1] = row(**odd)
        answer = pages.get("/recordings")
        assert answer.status_code == 200, odd
        assert 'href="/recordings/good"' in answer.text
        assert 'href="/recordings/last"' in answer.text
        assert answer.text.count('class="card"') == 3
        assert len(answer.text) < 10_000, odd
        assert "\x1b" not in answer.text
        assert "<b></b>" not in answer.text


def test_a_total_that_is_none(show: Show) -> None:
    totals = (-1, 0, 10**300)
    pages = show(listing([row()], iter(totals)))
    for _ in totals:
        answer = pages.get("/recordings?page=3")
        assert answer.status_code == 200
        assert len(answer.text) < 5000


def log_of(lines: list[str]) -> Callable[[Request], Reply | None]:
    """A recording with this log of events; `lines` may be changed."""

    def answer(request: Request) -> Reply | None:
        if request.path.startswith("/recordings/"):
            url = f"http://{request.headers['Host']}/events"
            return Reply({"stream_id": "good", "events_url": url, "duration_seconds": 4.0})
        if request.path == "/events":
            return Reply("\n".join(lines).encode())
        return None

    return answer


def event(time: str, kind: str = '"interact"', prompt: str = '"odd"') -> str:
    return f'{{"timestamp_ms": {time}, "type": {kind}, "prompt": {prompt}}}'


NO_TIMES = ["1" + "0" * 400, "1e999", "-1e999", "NaN", "-5", "null", '"7"', "true", "[]"]
ODD_EVENTS = [
    *map(event, NO_TIMES),
    event("500", kind="null"),
    event("500", kind="[" * 200 + "]" * 200),
    event("500", prompt="{}"),
    event("500", prompt='"\\ud800\\u202e\\u001b[31m<script>"'),
    event("500", prompt='"' + "x" * 200_000 + '"'),
    "{}",
]


def test_an_event_that_makes_no_sense_costs_no_other(show: Show) -> None:
    first = event("0", '"start"', '"A fox"')
    last = event("2000", '"interact"', '"It runs"')
    lines = [first, "", last]
    pages = show(log_of(lines))
    for lines[1] in ODD_EVENTS:
        answer = pages.get("/recordings/good")
        assert answer.status_code == 200, lines[1]
        assert "<h1>A fox</h1>" in answer.text
        assert answer.text.count("<li>") == 3
        assert 'data-seconds="2.0" data-percent="50.0"' in answer.text
        assert len(answer.text) < 20_000, lines[1]
        assert not any(sign in answer.text for sign in ("\x1b", "\u202e", "<script>"))


def test_what_stands_before_a_broken_line_is_shown(show: Show) -> None:
    first = event("0", '"start"', '"A fox"')
    answer = show(log_of([first, event("9" * 5000)])).get("/recordings/good")
    assert "<h1>A fox</h1>" in answer.text
    assert "beyond line 2" in answer.text


def test_a_log_without_end_is_cut(show: Show) -> None:
    answer = show(log_of([event("0")] * 1500)).get("/recordings/good")
    assert answer.text.count("<li>") == 1000
    assert "And 500 more" in answer.text


def test_a_file_is_saved_under_any_name(show: Show) -> None:
    def answer(request: Request) -> Reply | None:
        if request.path.startswith("/recordings/"):
            url = f"http://{request.headers['Host']}/video"
            return Reply({"stream_id": stream_id, "video_url": url})
        if request.path == "/video":
            return Reply(b"video", 206, {"Content-Range": "bytes 0-4/5"})
        return None

    stream_id = ""
    pages = show(answer)
    for stream_id in ("plain", LATIN_2, "a b;\"c'", "x" * 300, "CON", "-rf", "\u202e", "\r\nX: y"):
        found = pages.get(f"/recordings/{quote(stream_id)}/video?save=1")
        assert found.content == b"video", stream_id
        saved_as = found.headers["Content-Disposition"]
        assert saved_as.startswith("attachment; filename=")
        assert saved_as.isascii()
        assert len(saved_as) < 500


def test_the_name_that_a_file_gets() -> None:
    assert file_name_header("plain-1.x", ".mp4") == {"filename": "plain-1.x.mp4"}
    fields = file_name_header(LATIN_2, ".mp4")
    assert fields["filename"].isascii()
    assert (
        unquote(fields["filename*"].removeprefix("UTF-8''"))
        == LATIN_2.replace("\N{COMBINING ACUTE ACCENT}", "_") + ".mp4"
    )
    assert file_name_header("../../x", ".mp4") == {"filename": "_.._x.mp4"}
    assert file_name_header("-.", ".mp4") == {"filename": "recording.mp4"}


def test_an_error_of_the_service_is_printable(show: Show) -> None:
    detail = "no \x1b[31m<img src=x>\u202e" + "long " * 10_000
    pages = show(lambda request: Reply({"detail": detail}, 400) if "rec" in request.path else None)
    answer = pages.get("/recordings/x")
    assert answer.status_code == 502
    assert not any(sign in answer.text for sign in ("\x1b", "\u202e", "<img"))
    assert len(answer.text) < 6000
