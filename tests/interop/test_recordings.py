"""Recordings through the web SDK: what it lists, and what the browser plays."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator
from tests.interop.page import Page, WebError
from tests.support.helpers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timing, pytest.mark.usefixtures("dialect")]

_GET = "return await client.getRecording(args[0])"
_LIST = "return await client.listStreamRecordings(args[0])"
_FETCH = """
const answer = await fetch(args[0], { cache: "no-store" });
return [answer.status, await answer.text()];
"""
_PLAY = "const video = await play(args[0]); return video.duration"
_SEEK = """
const video = document.querySelector("video");
video.pause();
const shown = new Promise((done) => video.requestVideoFrameCallback(done));
video.currentTime = args[0];
await shown;
"""
_SHOW = """
const image = document.querySelector("img");
image.src = args[0];
await image.decode();
return [image.naturalWidth, image.naturalHeight];
"""


def record(emulator: Emulator, prompt: str = "A fox", *, frames: int = 12) -> str:
    """A recording by the Python client, half a second long if not told otherwise; its id."""
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        client.connect()
        with client.stream(prompt) as stream:
            stream.frames.take(frames // 2)
            stream.interact("It snows")
            stream.frames.take(frames - frames // 2)
        return client.recordings.wait(stream.id).stream_id


def test_a_recording_plays(page: Page, emulator: Emulator) -> None:
    stream_id = record(emulator, frames=36)
    recording = page.run(_GET, stream_id)
    assert recording["stream_id"] == stream_id
    duration = page.run(_PLAY, recording["video_url"])
    assert duration == pytest.approx(recording["duration_seconds"], abs=0.1)
    page.run("document.querySelector('video').pause()")
    assert page.picture().shape == (1280, 704, 3)
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        times = [frame.timestamp_ms for frame in client.recordings.frames(stream_id)]
    for number in (24, 0):
        page.run(_SEEK, (times[number] + 10) / 1000)
        assert page.frame_number() == number


def test_its_other_files(page: Page, emulator: Emulator) -> None:
    recording = page.run(_GET, record(emulator))
    status, text = page.run(_FETCH, recording["events_url"])
    events = [json.loads(line) for line in text.splitlines()]
    assert status == 200
    assert [(e["type"], e.get("prompt")) for e in events] == [
        ("start", "A fox"),
        ("interact", "It snows"),
        ("end", None),
    ]
    width, height = page.run(_SHOW, recording["thumbnail_url"])
    assert 0 < width < height
    assert page.run(_PLAY, recording["preview_url"]) > 0


def test_pages_of_the_list(page: Page, emulator: Emulator, dialect: str | None) -> None:
    made = [record(emulator, f"Number {i}") for i in range(3)][::-1]
    whole = page.run(_LIST, {})
    assert [r["stream_id"] for r in whole["recordings"]] == made
    assert (whole["total"], whole["offset"]) == (3, 0)
    first, second = page.run(_LIST, {"limit": 2}), page.run(_LIST, {"limit": 2, "offset": 2})
    assert [r["stream_id"] for r in first["recordings"] + second["recordings"]] == made
    assert (second["total"], second["limit"], second["offset"]) == (3, 2, 2)
    newest = whole["recordings"][0]
    if dialect is None:
        assert (newest["width"], newest["height"]) == (704, 1280)
        assert newest["started_at"] < newest["ended_at"]
    else:
        assert (newest["width"], newest["height"], newest["started_at"]) == (None, None, None)


def test_an_address_that_has_expired(open_sdk: Callable[..., Page]) -> None:
    with Emulator(url_lifetime=0.5) as emulator:
        stream_id = record(emulator)
        page = open_sdk(emulator)
        recording = page.run(_GET, stream_id)
        wait_until(lambda: page.run(_FETCH, recording["events_url"])[0] == 403)
        assert page.run(_FETCH, page.run(_GET, stream_id)["events_url"])[0] == 200


def test_an_unknown_one(page: Page) -> None:
    with pytest.raises(WebError, match="Recording not found"):
        page.run(_GET, "00000000-0000-0000-0000-000000000000")


def test_a_limit_that_is_none(page: Page) -> None:
    with pytest.raises(WebError, match="Failed to list stream recordings: 422"):
        page.run(_LIST, {"limit": 1000})


def test_those_of_others_are_not_there(open_sdk: Callable[..., Page], emulator: Emulator) -> None:
    stream_id = record(emulator)
    page = open_sdk(emulator, emulator.add_key())
    assert page.run(_LIST, {})["total"] == 0
    with pytest.raises(WebError, match="Recording not found"):
        page.run(_GET, stream_id)
