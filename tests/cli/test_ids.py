"""Ids of a service that isn't to be trusted: they are names of files, or the file fails alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.cli.conftest import CommandLine
from tests.support.servers import Reply, Request, TinyServer

GOOD = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"]
#: Names of files for themselves, once they are quoted.
QUOTED = ["../../up", "/of-nobody/x", "..\\..\\up", "C:x", "a\nb\x1b[2J", "%2e%2e", "x.", "x "]
REFUSED = ["x" * 300, "\U0001f600" * 20, "CON", "nul.mp4", "com1", "-rf", "", ".", "..", " "]
IDS = [GOOD[0], *QUOTED, *REFUSED, GOOD[1]]


def stream(stream_id: str, index: int, url: str) -> dict[str, object]:
    times = {"started_at": "2026-11-29T00:00:00Z", "ended_at": "2026-11-29T00:00:05Z"}
    size = {"width": 64, "height": 48}
    return {"stream_id": stream_id, "script_index": index, "video_url": url, **size, **times}


def answer(request: Request) -> Reply | None:
    path = request.path.partition("?")[0]
    url = f"http://{request.headers['Host']}/file"
    streams = [stream(stream_id, index, url) for index, stream_id in enumerate(IDS)]
    if path == "/stream-recordings":
        return Reply({"recordings": streams, "total": len(IDS), "limit": 100, "offset": 0})
    if path == "/simulation-jobs/job":
        times = {"created_at": "2026-11-29T00:00:00Z"}
        return Reply({"job_id": "job", "status": "completed", "streams": streams, **times})
    if path.startswith("/recordings/"):
        return Reply({"stream_id": unquote(path.split("/")[-1]), "video_url": url})
    return Reply(b"video") if path == "/file" else None


@pytest.fixture
def hostile(cli: CommandLine) -> Iterator[CommandLine]:
    with TinyServer(answer) as server:
        cli.env |= {"ODYSSEY_API_URL": server.url, "ODYSSEY_API_KEY": "ody_0123456789abcdef"}
        yield cli


def check(folder: Path, outcomes: dict[str, str]) -> None:
    """Whether all that are good are there, each in the folder, and the others failed alone."""
    failed = {id_ for id_, outcome in outcomes.items() if outcome == "failed"}
    assert failed == set(REFUSED)
    assert set(outcomes) == set(IDS)
    files = [path for path in folder.parent.rglob("*") if path.is_file()]
    assert {path.parent for path in files} == {folder}
    assert len(files) == len(IDS) - len(REFUSED)
    assert {f"{id_}.mp4" for id_ in GOOD} <= {path.name for path in files}
    assert all(set("/\\:\n\x1b ").isdisjoint(path.name) for path in files)


def test_recordings_download_all(hostile: CommandLine) -> None:
    result = hostile.run("recordings", "download", "--all", "--to", "in", "--json", code=1)
    done = json.loads(result.stdout)
    check(hostile.folder / "in", {item["stream_id"]: item["outcome"] for item in done})
    assert all((item["path"] is None) == (item["outcome"] == "failed") for item in done)
    assert f"{len(REFUSED)} of {len(IDS)} files" in result.stderr


def test_simulations_download(hostile: CommandLine) -> None:
    args = ("simulate", "wait", "job", "--download", "in", "--json")
    done = json.loads(hostile.run(*args, code=1).stdout)["downloads"]
    check(hostile.folder / "in", {item["stream_id"]: item["outcome"] for item in done})


def test_as_text(hostile: CommandLine) -> None:
    """What a terminal gets has no control character of an id."""
    text = hostile.run("recordings", "download", "--all", "--to", "in", code=1).stdout
    assert "\x1b" not in text
    assert text.count("failed: stream_id") == len(REFUSED)
