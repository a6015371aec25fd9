"""The demo's folder and what is fetched into it."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey.cli._output import Failed
from odyssey.errors import OdysseyTimeoutError

if TYPE_CHECKING:
    from odyssey import Odyssey, Recording

#: Artifact of a recording → name of the file.
FILES = {
    "video": "video.mp4",
    "events": "events.jsonl",
    "thumbnail": "thumbnail.jpg",
    "preview": "preview.mp4",
}


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


def wait_for_recording(client: Odyssey, stream_id: str, *, seconds: float) -> Recording:
    """The recording once all its files are there; once the video is, when the time is over."""
    try:
        return client.recordings.wait(stream_id, seconds, 0.1, tuple(FILES))
    except OdysseyTimeoutError:
        return client.recordings.wait(stream_id, timeout=1)


def fetch_files(client: Odyssey, recording: Recording, folder: Path) -> dict[str, Path | None]:
    """Fetches what the recording has; artifact → path, None where there is none."""
    return {
        artifact: client.recordings.download(recording, folder / name, artifact)
        if getattr(recording, f"{artifact}_url")
        else None
        for artifact, name in FILES.items()
    }


def read_events(path: Path) -> list[dict[str, Any]]:
    """Reads the recording's events log."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]
