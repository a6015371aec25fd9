"""The demo's folder and what is fetched into it."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey.cli._output import Failed
from odyssey.errors import OdysseyNotFoundError

if TYPE_CHECKING:
    from requests import PreparedRequest

    from odyssey import Odyssey, Recording

#: Field of a recording → name of the file.
FILES = {
    "video_url": "video.mp4",
    "events_url": "events.jsonl",
    "thumbnail_url": "thumbnail.jpg",
    "preview_url": "preview.mp4",
}

_CONNECT_SECONDS, _READ_SECONDS = 10, 30
_CHUNK = 1 << 16


@contextlib.contextmanager
def new_folder(wanted: Path) -> Iterator[Path]:
    """`wanted` if it is new or empty, else a new folder in it; nothing there is ever overwritten.

    When the body fails before anything was written, the folder is taken away again.
    """
    folder, is_new = _make_folder(wanted)
    try:
        yield folder
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):  # not empty: what was made stays
                folder.rmdir()
        raise


def _make_folder(wanted: Path) -> tuple[Path, bool]:
    try:
        try:
            wanted.mkdir(parents=True)
        except FileExistsError:
            if any(wanted.iterdir()):
                return _make_numbered(wanted), True
            return wanted, False
    except OSError as exc:
        raise Failed(f"can't use {wanted} as the folder: {exc.strerror}") from exc
    return wanted, True


def _make_numbered(parent: Path) -> Path:
    for number in itertools.count(2):
        folder = parent / f"run-{number}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("there are more numbers")


def wait_for_recording(
    client: Odyssey, stream_id: str, *, seconds: float, interval: float, tick: Callable[[], object]
) -> Recording:
    """The recording once all its files are there; once the video is, when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        recording = None
        with contextlib.suppress(OdysseyNotFoundError):
            recording = client.recordings.get(stream_id)
        if recording is not None and all(getattr(recording, field) for field in FILES):
            return recording
        if time.monotonic() > deadline:
            if recording is not None and recording.video_url:
                return recording
            raise Failed(
                f"the recording was not ready within {seconds:g} s; "
                f"look later: odyssey recordings get {stream_id}"
            )
        tick()
        time.sleep(interval)


def fetch_files(recording: Recording, folder: Path) -> dict[str, Path | None]:
    """Fetches what the recording has; the name without `_url` → path, None where there is none."""
    paths: dict[str, Path | None] = {}
    for field, name in FILES.items():
        url = getattr(recording, field)
        paths[field.removesuffix("_url")] = None if url is None else _fetch(url, folder / name)
    return paths


def _fetch(url: str, path: Path) -> Path:
    """Fetches into `NAME.part` and renames: a file under its own name is complete."""
    import requests

    partial = path.with_name(path.name + ".part")
    try:
        with (
            requests.get(
                url,
                stream=True,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                auth=_without_authorization,
            ) as answer,
            partial.open("xb") as file,
        ):
            if not answer.ok:
                raise Failed(f"could not fetch {path.name}: HTTP {answer.status_code}")
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
        partial.rename(path)
    except requests.RequestException as exc:
        # Its own text shows the signed address.
        raise Failed(f"could not fetch {path.name}: {type(exc).__name__}") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def _without_authorization(request: PreparedRequest) -> PreparedRequest:
    """Keeps requests from adding what a .netrc has: signed addresses refuse it."""
    return request


def read_events(path: Path) -> list[dict[str, Any]]:
    """The recording's events log."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]
