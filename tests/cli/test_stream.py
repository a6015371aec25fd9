"""`odyssey stream` and `odyssey watch`, run as a user runs them."""

from __future__ import annotations

import json
import queue
import signal
from pathlib import Path

import av
import pytest

from odyssey import BroadcastInfo, Odyssey
from odyssey.cli import main
from odyssey.emulator import Emulator
from odyssey.emulator.faults import SessionTimeout, StreamRefused
from tests.cli.conftest import CommandLine, posix_only
from tests.support.helpers import wait_until

pytestmark = pytest.mark.live


def _frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.timing
def test_steers_and_saves(cli: CommandLine, emulator: Emulator) -> None:
    cli.use(emulator)
    result = cli.run(
        *("stream", "A cat", "--landscape", "--seconds", "2", "--json"),
        *("--interact", "1:It yawns", "--interact", "0.5:It\x1b stretches", "--save", "cat.mp4"),
    )
    summary = json.loads(result.stdout)
    assert [step["applied"] for step in summary["prompts"]] == ["It\x1b stretches", "It yawns"]
    assert 1 <= summary["prompts"][1]["at_seconds"] < 1.9
    (saved,) = summary["saved"]
    assert saved["path"] == "cat.mp4"
    assert 1500 < saved["duration_ms"] < 2000
    assert _frames_of(cli.folder / "cat.mp4") == saved["frames"]
    assert (summary["width"], summary["height"]) == (1280, 704)
    assert f"odyssey recordings download {summary['stream_id']}" in result.stderr
    # Not a terminal: lines, without control characters.
    assert all(c.isprintable() or c == "\n" for c in result.stderr)
    assert emulator.connections[0].client_disconnecting
    assert emulator.api_key not in result.stdout + result.stderr


@pytest.mark.slow
def test_without_a_key_on_an_emulator_of_its_own(cli: CommandLine) -> None:
    data = ("--data-dir", "data")
    cli.run("stream", "A cat", "--seconds", "0.5", "--save", "cats", *data)
    assert (cli.folder / "cats" / "00000.png").exists()
    listed = json.loads(cli.run("recordings", "list", "--json", *data).stdout)
    (recording,) = listed["recordings"]
    cli.run("recordings", "download", recording["stream_id"], *data)
    assert _frames_of(cli.folder / f"{recording['stream_id']}.mp4") > 0


@posix_only
def test_ctrl_c_ends_the_stream_and_completes_the_file(
    cli: CommandLine, emulator: Emulator
) -> None:
    cli.use(emulator)
    running = cli.start("stream", "A cat", "--save", "cat.mp4", "--json")
    wait_until(lambda: " frames " in running.errors, 60)
    assert running.end(signal.SIGINT, 30) == 130
    assert "Traceback" not in running.errors
    (saved,) = json.loads(running.output)["saved"]
    assert _frames_of(cli.folder / "cat.mp4") == saved["frames"] > 0
    assert not (cli.folder / "cat.mp4.part").exists()
    wait_until(lambda: emulator.connections[0].state == "closed")
    assert emulator.connections[0].client_disconnecting


@pytest.mark.slow
def test_the_services_limit_keeps_what_was_saved(cli: CommandLine, emulator: Emulator) -> None:
    emulator.faults.inject(SessionTimeout(after=1))
    cli.use(emulator)
    result = cli.run("stream", "A cat", "--save", "cat.mp4", code=1)
    assert "Saved cat.mp4" in result.stdout
    assert "credit lease expired" in result.stderr
    assert _frames_of(cli.folder / "cat.mp4") > 0


@pytest.mark.slow
def test_a_refused_prompt_does_not_end_the_stream(cli: CommandLine, emulator: Emulator) -> None:
    emulator.faults.inject(StreamRefused(reason="moderation", on="update"), times=1)
    cli.use(emulator)
    args = ("stream", "A cat", "--seconds", "1.5", "--interact", "0.2:No", "--interact", "1:Yes")
    result = cli.run(*args, "--json", code=1)
    first, second = json.loads(result.stdout)["prompts"]
    assert "moderation" in first["error"]
    assert second["applied"] == "Yes"
    assert "1 of the prompts had no effect" in result.stderr


@pytest.mark.slow
def test_watching_needs_a_token_that_nobody_sees(
    cli: CommandLine, emulator: Emulator, client: Odyssey
) -> None:
    announced: queue.Queue[BroadcastInfo] = queue.Queue()
    client.connect(on_broadcast_ready=announced.put)
    with client.stream("A cat", broadcast=True):
        info = announced.get(timeout=30)
        args = ("watch", info.webrtc_url, "--seconds", "0.5", "--json", "--save", "cat.mp4")
        missing = cli.run(*args, code=2)
        assert "ODYSSEY_SPECTATOR_TOKEN" in missing.stderr
        refused = cli.run(*args, "--token", "none", code=1)
        assert len(refused.stderr.splitlines()) == 1
        by_pipe = cli.run(*args, "--token", "-", stdin=info.spectator_token + "\n")
        cli.env["ODYSSEY_SPECTATOR_TOKEN"] = info.spectator_token
        by_environment = cli.run(*args)
    for result in (by_pipe, by_environment):
        summary = json.loads(result.stdout)
        assert summary["frames"] > summary["saved"][0]["frames"] > 0
        assert info.spectator_token not in result.stdout + result.stderr
    assert _frames_of(cli.folder / "cat.mp4") == summary["saved"][0]["frames"]


def test_a_broadcast_says_how_to_watch(cli: CommandLine, emulator: Emulator) -> None:
    cli.use(emulator)
    running = cli.start("stream", "A cat", "--broadcast", "--seconds", "30")
    text = running.wait_for("odyssey watch http")
    assert f"odyssey watch {emulator.url}/" in text
    assert "export ODYSSEY_SPECTATOR_TOKEN=" in text
    running.end(signal.SIGTERM, 30)


@pytest.mark.parametrize(
    "args",
    [
        ["stream"],
        ["stream", " "],
        ["stream", "A cat", "--seconds", "0"],
        ["stream", "A cat", "--seconds", "inf"],
        ["stream", "A cat", "--interact", "It yawns"],
        ["stream", "A cat", "--interact", "x:It yawns"],
        ["stream", "A cat", "--interact", "nan:It yawns"],
        ["stream", "A cat", "--interact", "1: "],
        ["stream", "A cat", "--interact", "5:It yawns", "--seconds", "5"],
        ["stream", "A cat", "--image", "/no/such/file"],
        ["stream", "A cat", "--save", "cat.avi"],
        ["watch"],
        ["watch", "http://127.0.0.1:1/x", "--token", ""],
        ["doctor", "surplus"],
        ["recordings", "download"],
        ["recordings", "download", "x", "--all"],
        ["recordings", "download", "x", "--artifact", "sound"],
        ["simulate", "submit"],
        ["simulate", "submit", "/no/such/file"],
        ["simulate", "submit", "--prompt", "A cat", "--emulator"],
        ["simulate", "submit", "-", "--interact", "1:It yawns"],
        ["simulate", "list", "--status", "lost"],
    ],
)
def test_wrong_usage(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2
    assert f"Usage: odyssey {args[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["stream", "A cat"],
        ["recordings", "list"],
        ["recordings", "get", "x"],
        ["recordings", "download", "x"],
        ["recordings", "events", "x"],
        ["simulate", "submit", "--prompt", "A cat"],
        ["simulate", "status", "x"],
        ["simulate", "wait", "x"],
        ["simulate", "list"],
        ["simulate", "cancel", "x"],
        ["viewer", "--no-open"],
    ],
)
def test_without_a_key_it_says_how_to_go_on(
    args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "ODYSSEY_API_KEY" in said.err
    assert "--emulator" in said.err
    assert len(said.err.splitlines()) == 1
