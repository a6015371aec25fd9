"""Presigned URLs: ranges, expiry, signatures, and the refusal of a bearer token."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from odyssey.emulator import Emulator
from odyssey.emulator.faults import UrlExpired
from odyssey.emulator.recordings.store import Store
from tests.emulator.raw_client import Rest, wait_until

Make = Callable[..., Emulator]
STREAM = "00000000-0000-4000-8000-000000000000"
VIDEO = bytes(range(256)) * 4000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with one recording."""
    store = Store(tmp_path)
    store.begin(STREAM, "owner", 704, 1280, "2024-01-01T00:00:00.000000+00:00")
    store.folder_of(STREAM).mkdir()
    (store.folder_of(STREAM) / "video.mp4").write_bytes(VIDEO)
    (store.folder_of(STREAM) / "events.jsonl").write_text("{}\n")
    store.finish(STREAM, "2024-01-01T00:00:01.000000+00:00", 24, 1.0)
    store.close()
    return tmp_path


def video_url(emulator: Emulator) -> str:
    with Rest(emulator) as rest:
        return str(rest.recording(STREAM)["video_url"])


def get(url: str, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(url, headers=named, timeout=5)


def test_whole_and_in_ranges(make_emulator: Make, folder: Path) -> None:
    url = video_url(make_emulator(folder))
    whole = get(url)
    assert whole.content == VIDEO
    assert whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["Accept-Ranges"] == "bytes"
    middle = get(url, Range="bytes=1000-1999")
    assert (middle.status_code, middle.content) == (206, VIDEO[1000:2000])
    assert middle.headers["Content-Range"] == f"bytes 1000-1999/{len(VIDEO)}"
    assert get(url, Range="bytes=1000-").content == VIDEO[1000:]
    assert get(url, Range=f"bytes={len(VIDEO)}-").status_code == 416
    head = requests.head(url, timeout=5)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(VIDEO)))


def test_a_range_of_another_version_gets_the_whole_file(make_emulator: Make, folder: Path) -> None:
    url = video_url(make_emulator(folder))
    tag = get(url).headers["ETag"]
    assert get(url, Range="bytes=5-9", If_Range=tag).status_code == 206
    other = get(url, Range="bytes=5-9", If_Range='"another"')
    assert (other.status_code, other.content) == (200, VIDEO)
    assert other.headers["ETag"] == tag


def test_a_bearer_token_is_refused(make_emulator: Make, folder: Path) -> None:
    url = video_url(make_emulator(folder))
    assert get(url, Authorization="Bearer x").status_code == 400


def test_it_expires(make_emulator: Make, folder: Path) -> None:
    url = video_url(make_emulator(folder, url_lifetime=0.2))
    wait_until(lambda: get(url).status_code == 403, 2)


@pytest.mark.parametrize(
    ("part", "other"),
    [("video.mp4", "events.jsonl"), ("expires=1", "expires=2"), ("signature=", "signature=0")],
)
def test_a_changed_url_is_refused(make_emulator: Make, folder: Path, part: str, other: str) -> None:
    url = video_url(make_emulator(folder))
    assert part in url
    assert get(url.replace(part, other)).status_code == 403
    assert get(url.partition("?")[0]).status_code == 403


def test_it_works_after_a_restart(make_emulator: Make, folder: Path) -> None:
    emulator = make_emulator(folder)
    url, port = video_url(emulator), emulator.url.rpartition(":")[2]
    emulator.close()
    if os.name == "posix":
        assert (folder / "secret").stat().st_mode & 0o077 == 0
    again = make_emulator(folder)
    assert get(url.replace(port, again.url.rpartition(":")[2])).content == VIDEO


def test_a_file_that_is_gone(make_emulator: Make, folder: Path) -> None:
    url = video_url(make_emulator(folder))
    (folder / "recordings" / STREAM / "video.mp4").unlink()
    assert get(url).status_code == 404


def test_expired_on_demand(make_emulator: Make, folder: Path) -> None:
    emulator = make_emulator(folder)
    url = video_url(emulator)
    emulator.faults.inject(UrlExpired(), times=1)
    assert get(url).status_code == 403
    assert get(url).ok
