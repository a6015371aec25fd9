"""`odyssey demo`, run as a user runs it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
import pytest
from PIL import Image

from odyssey.emulator import Emulator, Faults
from odyssey.emulator.faults import HttpStatus, RecordingDelay
from tests.cli.conftest import CommandLine, clean_environment, posix_only
from tests.support.helpers import wait_until

pytestmark = pytest.mark.live


@attrs.frozen
class Finished:
    """A run of the demo that is over."""

    folder: Path
    summary: dict[str, Any]
    log: str


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run with `--json`, which several tests look at."""
    work, temporary = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("temporary")
    line = CommandLine(work, clean_environment(temporary))
    result = line.run("demo", "--json", "--seconds", "3")
    return Finished(work, json.loads(result.stdout), result.stderr)


def test_names_the_files_it_leaves(finished: Finished) -> None:
    assert finished.summary["folder"] == "odyssey-demo"
    names = {path.name for path in (finished.folder / "odyssey-demo").iterdir()}
    assert names == {
        "video.mp4",
        "events.jsonl",
        "thumbnail.jpg",
        "preview.mp4",
        "contact-sheet.png",
    }
    assert {Path(path).name for path in finished.summary["files"].values()} == names


def test_videos_can_be_played(finished: Finished) -> None:
    files, recording = finished.summary["files"], finished.summary["recording"]
    with av.open(str(finished.folder / files["video"])) as container:
        frames = [(f.width, f.height, f.time) for f in container.decode(video=0)]
    assert {frame[:2] for frame in frames} == {(704, 1280)}
    assert len(frames) == recording["frame_count"]
    assert recording["duration_seconds"] == pytest.approx(frames[-1][2] - frames[0][2], abs=0.5)
    with av.open(str(finished.folder / files["preview"])) as container:
        preview = next(container.decode(video=0))
    assert max(preview.width, preview.height) < 704


def test_pictures_show_something(finished: Finished) -> None:
    files = finished.summary["files"]
    with Image.open(finished.folder / files["thumbnail"]) as thumbnail:
        assert thumbnail.format == "JPEG"
        assert np.asarray(thumbnail).std() > 10
    with Image.open(finished.folder / files["contact_sheet"]) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 1000
        assert np.asarray(sheet).std() > 10


def test_events_tell_the_story(finished: Finished) -> None:
    text = (finished.folder / finished.summary["files"]["events"]).read_text("utf-8")
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["type"] for event in events] == ["start", "interact", "interact", "end"]
    sent = [event["prompt"] for event in events if event["type"] == "interact"]
    assert sent == [prompt["prompt"] for prompt in finished.summary["prompts"]]


def test_numbers_are_those_of_a_live_stream(finished: Finished) -> None:
    summary = finished.summary
    frames = summary["frames"]
    assert 20 < frames["read"] <= frames["received"] <= summary["recording"]["frame_count"] + 24
    assert frames["dropped"] < 5
    assert 10 < summary["frames_per_second"] < 30
    latency = summary["decoded_to_array_ms"]
    assert 0 < latency["p50"] <= latency["p95"] < 1000
    assert len(summary["prompts"]) == 2
    for prompt in summary["prompts"]:
        assert prompt["applied"] == prompt["prompt"]
        assert 0 < prompt["acknowledged_ms"] < 2000
        assert 0 < prompt["first_frame_ms"] < 2000
    assert summary["service"] == "emulator"


def test_without_a_terminal_it_prints_plain_lines(finished: Finished) -> None:
    assert all(character.isprintable() or character == "\n" for character in finished.log)
    assert 1 <= finished.log.count("/s   704x1280") <= 8
    assert finished.log.count("acknowledged after") == 2
    assert "Files in odyssey-demo" in finished.log


@pytest.mark.slow
def test_landscape_in_h264_with_prompts_of_ones_own(cli: CommandLine) -> None:
    result = cli.run(
        *("demo", "--seconds", "1.5", "--landscape", "--codec", "h264", "--to", "a/b"),
        *("--prompt", "Ein Boot \u2603 \x1b[31m", "--interact", "Ein Sturm"),
    )
    assert "1280x704" in result.stdout
    assert "> Ein Sturm" in result.stdout
    assert "\x1b" not in result.stdout
    with Image.open(cli.folder / "a" / "b" / "contact-sheet.png") as sheet:
        assert sheet.width > sheet.height


@pytest.mark.slow
def test_never_writes_over_what_is_there(cli: CommandLine) -> None:
    there = cli.folder / "odyssey-demo"
    there.mkdir()
    (there / "video.mp4").write_bytes(b"mine")
    summary = json.loads(cli.run("demo", "--json", "--seconds", "1").stdout)
    assert (there / "video.mp4").read_bytes() == b"mine"
    assert summary["folder"] == str(Path("odyssey-demo", "run-2"))
    assert (there / "run-2" / "video.mp4").stat().st_size > 10_000


@pytest.mark.slow
def test_a_proxy_in_the_environment_does_not_matter(cli: CommandLine) -> None:
    cli.env |= {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    cli.run("demo", "--seconds", "1")


@pytest.mark.parametrize(
    "args",
    [
        ["--seconds", "0"],
        ["--seconds", "nan"],
        ["--prompt", " "],
        ["--interact", ""],
        ["--codec", "av1"],
        ["--live", "--codec", "vp8"],
        ["--no-such-option"],
        ["surplus"],
    ],
)
def test_wrong_usage(cli: CommandLine, args: list[str]) -> None:
    result = cli.run("demo", *args, code=2)
    assert "Usage: odyssey demo" in result.stderr
    assert list(cli.folder.iterdir()) == []


def test_live_needs_a_key(cli: CommandLine) -> None:
    result = cli.run("demo", "--live", code=1)
    assert "ODYSSEY_API_KEY" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(cli.folder.iterdir()) == []


@pytest.mark.slow
def test_live_with_a_key(cli: CommandLine, emulator: Emulator) -> None:
    cli.use(emulator)
    result = cli.run("demo", "--live", "--json", "--seconds", "1.5", "--interact", "Snow falls")
    summary = json.loads(result.stdout)
    assert summary["service"] == "live"
    assert summary["prompts"][0]["first_frame_ms"] is None
    assert (cli.folder / summary["files"]["video"]).stat().st_size > 10_000
    assert emulator.connections[0].client_disconnecting
    assert emulator.api_key not in result.stdout + result.stderr


def test_a_refused_key_is_one_line_and_leaves_no_folder(
    cli: CommandLine, emulator: Emulator
) -> None:
    cli.use(emulator)
    cli.env["ODYSSEY_API_KEY"] = "ody_" + "x" * 32
    result = cli.run("demo", "--live", code=1)
    assert len(result.stderr.splitlines()) == 1
    assert "x" * 32 not in result.stderr
    assert list(cli.folder.iterdir()) == []


@pytest.mark.slow
def test_a_file_that_can_not_be_fetched(cli: CommandLine) -> None:
    fault = HttpStatus(method="GET", path="/files/*/preview.mp4", status=500)
    with Emulator(faults=Faults(fault, RecordingDelay(seconds=0.5))) as emulator:
        cli.use(emulator)
        result = cli.run("demo", "--live", "--seconds", "1", "--to", "files", code=1)
    assert "could not read the preview of recording" in result.stderr
    assert "HTTP 500" in result.stderr
    names = {path.name for path in (cli.folder / "files").iterdir()}
    assert names == {"contact-sheet.png", "video.mp4", "events.jsonl", "thumbnail.jpg"}


@posix_only
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_releases_the_session(
    cli: CommandLine, emulator: Emulator, number: signal.Signals, code: int
) -> None:
    cli.use(emulator)
    running = cli.start("demo", "--live", "--seconds", "100")
    running.wait_for(" frames ")
    assert running.end(number) == code
    assert "Traceback" not in running.errors
    wait_until(lambda: emulator.connections[0].state == "closed")
    assert emulator.connections[0].client_disconnecting
    assert emulator.connections[0].stream_id is None
    assert not (cli.folder / "odyssey-demo").exists()


@pytest.mark.slow
@posix_only
def test_interrupted_on_the_emulator_nothing_is_left(cli: CommandLine) -> None:
    running = cli.start("demo", "--seconds", "100")
    running.wait_for(" frames ")
    assert running.end(signal.SIGINT) == 130
    assert "Traceback" not in running.errors


@pytest.mark.slow
@posix_only
def test_on_a_terminal_one_line_is_overwritten(cli: CommandLine) -> None:
    output, code = cli.on_a_terminal("demo", "--seconds", "2")
    assert code == 0
    assert output.count("\r ") > 5
    assert "\x1b" not in output
    lines = [line.rsplit("\r", 1)[-1] for line in output.replace("\r\n", "\n").split("\n")]
    assert sum("/s   704x1280" in line for line in lines) == 1
    assert "Summary" in lines


def test_without_the_emulators_extra(cli: CommandLine) -> None:
    cli.without("aiohttp")
    for args in (["demo"], ["emulator"]):
        result = cli.run(*args, code=1)
        assert 'pip install "odyssey-sync[emulator]"' in result.stderr
    assert list(cli.folder.iterdir()) == []
