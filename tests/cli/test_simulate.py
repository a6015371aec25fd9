"""`odyssey simulate`, run as a user runs it."""

from __future__ import annotations

import json
import signal

import av
import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator
from odyssey.emulator.faults import SimulationFails, SimulationStuck
from tests.cli.conftest import CommandLine, posix_only
from tests.support.helpers import wait_until
from tests.support.scripts import script


def test_submits_waits_and_downloads(cli: CommandLine, emulator: Emulator) -> None:
    cli.use(emulator)
    scripts = [script(300, prompt="A cat"), script(400, (200, "It yawns"))]
    (cli.folder / "scripts.json").write_text(json.dumps(scripts), "utf-8")
    args = ("simulate", "submit", "scripts.json", "--download", "videos", "--landscape", "--json")
    job = json.loads(cli.run(*args).stdout)
    assert job["status"] == "completed"
    assert [item["outcome"] for item in job["downloads"]] == ["downloaded"] * 2
    for item, stream in zip(job["downloads"], job["streams"], strict=True):
        assert item["stream_id"] == stream["stream_id"]
        with av.open(str(cli.folder / item["path"])) as container:
            assert container.streams.video[0].width == 1280
    text = cli.run("simulate", "status", job["job_id"]).stdout
    fields = dict(line.split(None, 1) for line in text.splitlines())
    assert fields["status"] == "completed"
    assert fields["streams"].split() == [stream["stream_id"] for stream in job["streams"]]


@pytest.mark.slow
def test_a_script_of_options_or_of_stdin(cli: CommandLine, emulator: Emulator) -> None:
    cli.use(emulator)
    options = ("--prompt", "A cat", "--interact", "0.2:It yawns", "--seconds", "0.5")
    done = json.loads(cli.run("simulate", "submit", *options, "--wait", "--json").stdout)
    log = json.loads(
        cli.run("recordings", "events", done["streams"][0]["stream_id"], "--json").stdout
    )
    assert [(event["timestamp_ms"], event.get("prompt")) for event in log] == [
        (0, "A cat"),
        (200, "It yawns"),
        (500, None),
    ]
    text = json.dumps({"script": script(300)})
    result = cli.run("simulate", "submit", "-", "--wait", stdin=text)
    assert "Rendered: odyssey recordings download " in result.stdout


def test_a_wrong_script_names_what_is_wrong(cli: CommandLine, emulator: Emulator) -> None:
    cli.use(emulator)
    broken = [*script(300)[:1], {"timestamp_ms": 100, "interact": {}}, *script(300)[1:]]
    for text, said in (
        (json.dumps(broken), "script[1]"),
        (json.dumps([script(300), broken]), "scripts[1][1]"),
        ('[{"timestamp_ms": 0,]', "stdin is no JSON: line 1, column 21"),
        ('"text"', "script must be a list"),
    ):
        result = cli.run("simulate", "submit", "-", code=1, stdin=text)
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert json.loads(cli.run("simulate", "list", "--json").stdout)["jobs"] == []


def test_lists_and_cancels(cli: CommandLine, emulator: Emulator, client: Odyssey) -> None:
    emulator.faults.inject(SimulationStuck(state="pending"))
    cli.use(emulator)
    job = json.loads(
        cli.run("simulate", "submit", "-", "--json", stdin=json.dumps(script())).stdout
    )
    listed = cli.run("simulate", "list", "--active")
    assert listed.stdout.split()[:2] == [job["job_id"], "pending"]
    assert listed.stderr == "1 of 1 job\n"
    assert cli.run("simulate", "cancel", job["job_id"]).stdout.split()[1] == "cancelled"
    assert cli.run("simulate", "list", "--active").stdout == ""
    waited = cli.run("simulate", "wait", job["job_id"], code=1)
    assert "was cancelled" in waited.stderr


@pytest.mark.slow
def test_a_status_that_is_not_known(cli: CommandLine, emulator: Emulator, client: Odyssey) -> None:
    emulator.faults.inject(SimulationStuck(state="processing"))
    emulator.faults.switch_on("other-dialect", status="uploading")
    cli.use(emulator)
    job_id = client.simulations.submit(script=script(250)).job_id
    wait_until(lambda: client.simulations.get(job_id).status == "uploading")
    assert cli.run("simulate", "list").stdout.split()[:2] == [job_id, "uploading"]
    emulator.faults.clear(SimulationStuck)
    job = json.loads(cli.run("simulate", "wait", job_id, "--json").stdout)
    assert (job["status"], job["priority"], job["api_version"]) == ("completed", None, 2)


def test_a_job_that_fails(cli: CommandLine, emulator: Emulator) -> None:
    emulator.faults.inject(SimulationFails(message="out of paint"))
    cli.use(emulator)
    result = cli.run("simulate", "submit", "--prompt", "A cat", "--wait", code=1)
    assert "out of paint" in result.stderr


@posix_only
def test_whoever_stops_waiting_learns_that_it_goes_on(cli: CommandLine, emulator: Emulator) -> None:
    emulator.faults.inject(SimulationStuck(state="processing"))
    cli.use(emulator)
    running = cli.start("simulate", "submit", "--prompt", "A cat", "--wait")
    running.wait_for("processing")
    assert running.end(signal.SIGINT) == 130
    assert "The job goes on: odyssey simulate wait " in running.output
