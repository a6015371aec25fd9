from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from odyssey import (
    Odyssey,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyServerError,
    Recording,
    StreamRecordingInfo,
)
from odyssey.emulator import Emulator, faults
from tests.models.test_models import INFO, PAGE, RECORDING
from tests.support.servers import Reply, Request, TinyServer, make, short_pauses

__all__ = ["make", "short_pauses"]


def answer(request: Request) -> Reply | None:
    if request.path.startswith("/recordings/"):
        return Reply(RECORDING)
    return Reply(PAGE) if request.path.startswith("/stream-recordings") else None


def test_get() -> None:
    with TinyServer(answer) as server, Odyssey("ody_key", api_url=server.url) as client:
        recording = client.recordings.get("s1")
        assert client.get_recording("s1") == recording
        assert recording == Recording(**RECORDING)
        assert [r.path for r in server.requests[1:]] == ["/recordings/s1"] * 2
        assert [r.method for r in server.requests[1:]] == ["GET"] * 2


def test_list() -> None:
    with TinyServer(answer) as server, Odyssey("ody_key", api_url=server.url) as client:
        page = client.recordings.list()
        assert client.list_stream_recordings(1, 2) == page
        client.recordings.list(limit=100, offset=0)
        assert page.recordings == [StreamRecordingInfo(**INFO)]
        assert (page.total, page.limit, page.offset) == (5, 1, 2)
        assert [r.path for r in server.requests[1:]] == [
            "/stream-recordings",
            "/stream-recordings?limit=1&offset=2",
            "/stream-recordings?limit=100&offset=0",
        ]


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"limit": 0}, ValueError, "limit must be from 1 to 100, not 0"),
        ({"limit": 101}, ValueError, "limit must be from 1 to 100, not 101"),
        ({"limit": -1}, ValueError, "limit"),
        ({"offset": -1}, ValueError, "offset must be at least 0, not -1"),
        ({"limit": "5"}, TypeError, "limit must be a whole number, not str"),
        ({"limit": 5.0}, TypeError, "limit must be a whole number, not float"),
        ({"limit": True}, TypeError, "limit must be a whole number, not bool"),
        ({"offset": None, "limit": []}, TypeError, "limit"),
    ],
)
def test_arguments_of_list_are_checked_before_anything_is_sent(
    arguments: dict[str, object], error: type[Exception], said: str
) -> None:
    with TinyServer(answer) as server, Odyssey("ody_key", api_url=server.url) as client:
        with pytest.raises(error, match=re.escape(said)):
            client.recordings.list(**arguments)  # type: ignore[arg-type]
        assert server.requests == []


@pytest.mark.parametrize(
    ("stream_id", "error"),
    [("", ValueError), (" ", ValueError), (".", ValueError), ("..", ValueError), (5, TypeError)],
)
def test_ids_that_are_none(stream_id: object, error: type[Exception]) -> None:
    with TinyServer(answer) as server, Odyssey("ody_key", api_url=server.url) as client:
        with pytest.raises(error, match="stream_id"):
            client.recordings.get(stream_id)  # type: ignore[arg-type]
        assert server.requests == []


ODD_IDS = [
    "a/b",
    "../stream-recordings",
    "..\\stream-recordings",
    "..%2fstream-recordings",
    "%2e%2e",
    "./x",
    "/",
    "//host/x",
    "a?limit=1",
    "a#b",
    "a b",
    " .. ",
    "a\nb",
    "a\r\nX-Header: 1",
    "ü☃",
    "a;b,c=d&e",
    "\x00",
    "a%",
    "...",
]


@pytest.mark.parametrize("stream_id", ODD_IDS)
def test_no_id_reaches_another_endpoint(stream_id: str) -> None:
    with TinyServer(answer) as server, Odyssey("ody_key", api_url=server.url) as client:
        client.recordings.get(stream_id)
        (request,) = server.requests[1:]
    segments = request.path.split("/")
    assert segments[:2] == ["", "recordings"]
    assert [unquote(segment) for segment in segments[2:]] == [stream_id]
    assert "?" not in request.path
    assert "#" not in request.path


@pytest.mark.parametrize("stream_id", ODD_IDS)
def test_an_odd_id_is_not_found(emulator: Emulator, stream_id: str) -> None:
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        with pytest.raises(OdysseyNotFoundError):
            client.recordings.get(stream_id)


def test_an_unknown_recording(emulator: Emulator) -> None:
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        with pytest.raises(OdysseyNotFoundError, match="could not get recording nothere: HTTP 404"):
            client.recordings.get("nothere")


def test_an_account_without_recordings(emulator: Emulator) -> None:
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        page = client.recordings.list(limit=7)
        assert (page.recordings, page.total, page.limit, page.offset) == ([], 0, 7, 0)


def test_a_recording_that_is_no_json(emulator: Emulator) -> None:
    emulator.faults.inject(faults.HttpNotJson(path="*recordings*"))
    with Odyssey(emulator.api_key, api_url=emulator.url) as client:
        with pytest.raises(OdysseyServerError, match="the recording is not JSON"):
            client.recordings.get("s1")
        with pytest.raises(OdysseyServerError, match="the list of recordings is not JSON"):
            client.recordings.list()


def test_the_clients_timeout_counts(emulator: Emulator) -> None:
    emulator.faults.inject(faults.HttpDelay(path="/stream-recordings", seconds=5), times=1)
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=0.3) as client:
        with pytest.raises(TimeoutError, match="could not list recordings"):
            client.recordings.list()


def test_after_close_every_call_raises(emulator: Emulator) -> None:
    client = Odyssey(emulator.api_key, api_url=emulator.url)
    recordings = client.recordings
    client.recordings.list()
    client.close()
    for call in (recordings.list, lambda: recordings.get("s1"), lambda: client.get_recording("s")):
        with pytest.raises(OdysseyError, match="closed"):
            call()
