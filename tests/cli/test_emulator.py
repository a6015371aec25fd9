"""`odyssey emulator`, run as a user runs it."""

from __future__ import annotations

import ast
import json
import re
import signal
import socket
from pathlib import Path

import pytest

from odyssey import Odyssey, OdysseyAuthError, OdysseyConnectionError
from odyssey.cli._service import warn_if_exposed
from odyssey.cli.emulator import SNIPPET
from odyssey.emulator.faults import CATALOGUE
from tests.cli.conftest import CommandLine, Running, posix_only

pytestmark = pytest.mark.live


def _started(running: Running) -> tuple[str, str]:
    """The address and the key that `odyssey emulator --json` prints."""
    line = json.loads(running.wait_for("\n"))
    assert set(line) == {"url", "api_key"}
    return line["url"], line["api_key"]


@posix_only
def test_prints_how_to_use_it_and_serves(cli: CommandLine) -> None:
    running = cli.start("emulator")
    text = running.wait_for(SNIPPET)
    values = dict(re.findall(r"^export (\w+)=(\S+)$", text, re.MULTILINE))
    assert set(values) == {"ODYSSEY_API_URL", "ODYSSEY_API_KEY"}
    with Odyssey(values["ODYSSEY_API_KEY"], api_url=values["ODYSSEY_API_URL"]) as client:
        client.connect()
        with client.stream("A cat", portrait=False) as stream:
            assert stream.frames.stack(3).shape == (3, 704, 1280, 3)
    assert running.end(signal.SIGTERM) == 0


def test_the_snippet_is_three_lines_of_python() -> None:
    assert len(SNIPPET.splitlines()) == 3
    ast.parse(SNIPPET)


@posix_only
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_it_also_under_a_stream(
    cli: CommandLine, number: signal.Signals, code: int
) -> None:
    running = cli.start("emulator", "--json")
    url, key = _started(running)
    with Odyssey(key, api_url=url) as client:
        client.connect()
        with client.stream("A cat"):
            client.frames.get()
            assert running.end(number) == code
            client.disconnect()
    assert "Traceback" not in running.errors


@pytest.mark.slow
@posix_only
def test_a_folder_keeps_recordings(cli: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    running = cli.start("emulator", "--json", "--data-dir", str(folder), "--codec", "h264")
    url, key = _started(running)
    with Odyssey(key, api_url=url) as client:
        client.connect()
        with client.stream("A cat", portrait=False) as stream:
            stream.frames.take(3)
    # Right after the end: what has been recorded is still written.
    assert running.end(signal.SIGTERM) == 0
    again = cli.start("emulator", "--json", "--data-dir", str(folder))
    url, key = _started(again)
    with Odyssey(key, api_url=url) as client:
        assert client.recordings.get(stream.id).frame_count
    refused = cli.run("emulator", "--data-dir", str(folder), code=1)
    assert len(refused.stderr.splitlines()) == 1
    assert again.end(signal.SIGTERM) == 0


@posix_only
def test_a_port_and_a_key_of_ones_own(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    key = "ody_" + "k" * 20
    running = cli.start("emulator", "--json", "--port", str(port), "--api-key", key)
    assert _started(running) == (f"http://127.0.0.1:{port}", key)
    assert running.end(signal.SIGTERM) == 0


def test_a_port_in_use_is_one_line(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = cli.run("emulator", "--port", str(port), code=1)
    assert (
        result.stderr == f"Error: port {port} of 127.0.0.1 is in use; choose another with --port\n"
    )


@pytest.mark.parametrize(
    "args", [["--port", "65536"], ["--codec", "av1"], ["--api-key", "short"], ["surplus"]]
)
def test_wrong_usage(cli: CommandLine, args: list[str]) -> None:
    assert "Usage: odyssey emulator" in cli.run("emulator", *args, code=2).stderr


@pytest.mark.slow
@posix_only
def test_faults_from_the_start(cli: CommandLine) -> None:
    running = cli.start(
        "emulator",
        "--json",
        "--fault",
        "auth-403:times=1",
        "--fault",
        "socket-cut:after=0.3,code=1011",
    )
    url, key = _started(running)
    with Odyssey(key, api_url=url) as client:
        with pytest.raises(OdysseyAuthError):
            client.connect()
        client.connect().start_stream("A cat")
        with pytest.raises(OdysseyConnectionError, match="code 1011"):
            list(client.frames)
    assert running.end(signal.SIGTERM) == 0


@pytest.mark.slow
@posix_only
def test_it_says_which_faults_are_on(cli: CommandLine) -> None:
    running = cli.start("emulator", "--fault", "queue", "--fault", "socket-cut:keep_media=true")
    text = running.wait_for("Faults that are on")
    assert "queue n=3; socket-cut after=2 code=none keep_media=true times=none" in text
    assert running.end(signal.SIGTERM) == 0


def test_the_list_of_faults(cli: CommandLine) -> None:
    listed = json.loads(cli.run("emulator", "--list-faults", "--json").stdout)
    assert [fault["name"] for fault in listed] == list(CATALOGUE)
    text = cli.run("emulator", "--list-faults").stdout
    assert max(len(line) for line in text.splitlines()) <= 120
    for name, fault in CATALOGUE.items():
        assert re.search(rf"^{name} +{re.escape(fault.description)}$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("queues", "no fault is named 'queues'; there are ack-late"),
        ("queue:3", "expected parameter=value, got '3'"),
        ("socket-cut:keep_media=maybe", "expected true or false"),
        ("socket-cut:after=none", "expected a number from 0"),
    ],
)
def test_faults_that_make_no_sense(cli: CommandLine, fault: str, says: str) -> None:
    assert says in cli.run("emulator", "--fault", fault, code=2).stderr


def test_a_host_that_is_not_ours(cli: CommandLine) -> None:
    result = cli.run("emulator", "--host", "203.0.113.1", code=1)
    assert len(result.stderr.splitlines()) == 1


@posix_only
@pytest.mark.parametrize("command", [["emulator"], ["viewer", "--emulator"]])
def test_a_host_that_others_reach_is_said(cli: CommandLine, command: list[str]) -> None:
    running = cli.start(*command, "--json", "--host", "0.0.0.0")
    assert json.loads(running.wait_for("\n"))["url"].startswith("http://127.0.0.1:")
    assert running.errors.startswith("Warning: other machines can reach 0.0.0.0. ")
    assert "encrypted" in running.errors
    assert running.end(signal.SIGTERM) == 0
    assert len(running.errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        *[("127.0.0.1", False), ("127.8.8.8", False), ("localhost", False), ("::1", False)],
        *[("", True), ("0.0.0.0", True), ("::", True), ("192.0.2.1", True), ("fe80::1", True)],
    ],
)
def test_which_hosts_others_reach(
    host: str, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_if_exposed(host, "They may.")
    assert ("They may." in capsys.readouterr().err) is warned
