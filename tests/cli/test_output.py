"""What commands print of a service, a neighbour or a file that wants more than to be read."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from odyssey import BroadcastInfo
from odyssey._video.writing.saver import Saver
from odyssey.cli._app import run
from odyssey.cli._output import Failed, Screen
from odyssey.cli._service import Service
from odyssey.cli.emulator import _how_to_use
from odyssey.cli.stream import Options, Run
from tests.cli.conftest import posix_only
from tests.support.servers import Reply, Request, TinyServer

#: Sets the terminal's title, clears it, writes backwards, and begins a line of its own.
STEERING = "a\x1b]0;owned\x07\x9b2J\x1b[2J\u202ecat\u2066\r\nError: pay"
SHELL = "t'; touch owned; echo $(id) `id` \\"
JOB = {"job_id": STEERING, "status": "failed", "created_at": STEERING, "error_message": STEERING}


def answer(request: Request) -> Reply | None:
    path = request.path.partition("?")[0]
    if path == "/auth/token":
        return None
    if path == "/stream-recordings":
        info = {"stream_id": STEERING, "width": 8, "height": 8, "started_at": STEERING}
        return Reply({"recordings": [info], "total": 1, "limit": 50, "offset": 0})
    if path == "/recordings/known":
        host = request.headers["Host"]
        return Reply({"stream_id": STEERING, "events_url": f"http://{host}/events"})
    if path == "/events":
        return Reply({"timestamp_ms": 5, "type": STEERING, "prompt": STEERING})
    if path == "/simulation-jobs" and request.method == "GET":
        return Reply({"jobs": [JOB], "total": 1, "limit": 20, "offset": 0})
    if path == "/simulation-jobs" or path == "/simulation-jobs/known":
        return Reply(JOB)
    return Reply({"detail": STEERING * 100_000}, 400)


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def command(*args: str) -> int:
        with TinyServer(answer) as server:
            monkeypatch.setenv("ODYSSEY_API_KEY", "ody_0123456789abcdef")
            monkeypatch.setenv("ODYSSEY_API_URL", server.url)
            return run(args)

    return command


@pytest.mark.parametrize(
    ("code", "args"),
    [
        (0, ("recordings", "list")),
        (0, ("recordings", "list", "--json")),
        (0, ("recordings", "get", "known")),
        (0, ("recordings", "events", "known")),
        (0, ("simulate", "list")),
        (0, ("simulate", "status", "known")),
        (0, ("simulate", "submit", "--prompt", "A cat")),
        (1, ("simulate", "wait", "known")),
        (1, ("simulate", "cancel", "unknown")),
        (1, ("recordings", "get", "unknown")),
        (1, ("recordings", "download", "unknown")),
        (1, ("recordings", "events", "unknown")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_nothing_that_steers_a_terminal_is_printed(
    code: int,
    args: tuple[str, ...],
    hostile: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hostile(*args) == code
    for text in capsys.readouterr():
        assert all(line.isprintable() for line in text.split("\n"))
        assert not any(line.startswith("Error: pay") for line in text.split("\n"))
        assert len(text) < 3000


def printed(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The words of each line as a shell reads them, without what says what it is for."""
    lines = capsys.readouterr().out.splitlines()
    return [shlex.split(line.removeprefix("Its recording: ")) for line in lines]


@posix_only
def test_commands_to_be_copied_are_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(to_stderr=False)
    streaming = Run(Options("A cat", None, False, None, [], True), screen, Saver(None))
    streaming._news.put(BroadcastInfo(None, f"http://host/{SHELL}", SHELL))
    streaming._print_news()
    export, watch = printed(capsys)[1:]
    assert export == ["export", f"ODYSSEY_SPECTATOR_TOKEN={SHELL}"]
    assert watch == ["odyssey", "watch", f"http://host/{SHELL}"]

    streaming.stream_id = SHELL
    streaming.tell(Service(True, Path(SHELL)))
    (download,) = printed(capsys)
    assert download == ["odyssey", "recordings", "download", SHELL, "--data-dir", SHELL]

    lines = _how_to_use(f"http://{SHELL}", SHELL).splitlines()
    assert shlex.split(lines[2]) == ["export", f"ODYSSEY_API_URL=http://{SHELL}"]
    assert shlex.split(lines[3]) == ["export", f"ODYSSEY_API_KEY={SHELL}"]


def test_a_failure_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Failed(STEERING).show()
    assert capsys.readouterr()[1].count("\n") == 1
