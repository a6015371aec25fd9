"""`odyssey doctor`: what it finds where all is well, and with one thing broken at a time."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aioice import stun

from odyssey.cli import main
from odyssey.cli.doctor.stun import ask, udp_address
from odyssey.emulator import Emulator
from odyssey.emulator.faults import HttpStatus, IceServers, SilentIceServer
from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.live

CHECKS = ["versions", "codecs", "key", "REST", "regions", "session", "UDP", "signaling"]


@pytest.fixture
def examine(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs `odyssey doctor --json`; returns the exit code and the findings by their check."""
    monkeypatch.setenv("ODYSSEY_API_KEY", emulator.api_key)
    monkeypatch.setenv("ODYSSEY_API_URL", emulator.url)

    def run(*args: str) -> tuple[int, dict[str, dict[str, Any]]]:
        code = main(["doctor", "--json", *args])
        said = capsys.readouterr()
        assert emulator.api_key not in said.out + said.err
        findings = json.loads(said.out)
        assert [finding["check"] for finding in findings] == CHECKS
        return code, {finding["check"]: finding for finding in findings}

    return run


def _outcomes(findings: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: finding["outcome"] for name, finding in findings.items()}


@pytest.fixture
def stun_server() -> Iterator[int]:
    """Answers binding requests; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    data, address = server.recvfrom(2048)
                    request = stun.parse_message(data)
                except (TimeoutError, ValueError):
                    continue
                answer = stun.Message(
                    stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id
                )
                answer.attributes["XOR-MAPPED-ADDRESS"] = address
                server.sendto(bytes(answer), address)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join(5)


def test_all_is_well(examine: Any, emulator: Emulator, stun_server: int) -> None:
    emulator.faults.inject(IceServers(servers=[{"urls": f"stun:127.0.0.1:{stun_server}"}]))
    code, findings = examine()
    assert (code, set(_outcomes(findings).values())) == (0, {"ok"})
    assert f"127.0.0.1:{stun_server} " in findings["UDP"]["seen"]
    # The session was released at once.
    assert emulator.connections[0].client_disconnecting


def test_no_session_is_taken_if_that_is_not_wanted(examine: Any, emulator: Emulator) -> None:
    code, findings = examine("--no-connect")
    assert code == 0
    skipped = [name for name, outcome in _outcomes(findings).items() if outcome == "skipped"]
    assert skipped == ["session", "UDP", "signaling"]
    assert emulator.connections == []


@pytest.mark.slow
def test_what_is_not_needed_fails_without_an_exit_code(examine: Any, emulator: Emulator) -> None:
    emulator.faults.inject(SilentIceServer(kind="stun"))
    emulator.faults.inject(HttpStatus(method="GET", path="/regions", status=500))
    code, findings = examine()
    assert code == 0
    assert findings["UDP"]["outcome"] == findings["regions"]["outcome"] == "failed"
    assert "UDP" in findings["UDP"]["advice"]
    assert findings["signaling"]["outcome"] == "ok"


def test_no_streamer(examine: Any, emulator: Emulator) -> None:
    emulator.faults.inject(HttpStatus(method="POST", path="/sessions/request", status=403))
    code, findings = examine()
    assert code == 1
    assert findings["session"]["outcome"] == "failed"
    assert findings["signaling"]["outcome"] == "skipped"


@pytest.mark.parametrize(
    ("key", "failed"),
    [("", "key"), ("with space", "key"), ("ody_" + "x" * 32, "REST")],
    ids=["none", "malformed", "refused"],
)
def test_a_key_that_is_no_use(
    examine: Any, monkeypatch: pytest.MonkeyPatch, key: str, failed: str
) -> None:
    monkeypatch.setenv("ODYSSEY_API_KEY", key)
    code, findings = examine()
    assert code == 1
    assert findings[failed]["advice"]
    following = list(_outcomes(findings).values())[CHECKS.index(failed) :]
    assert following == ["failed", *["skipped"] * (len(following) - 1)]
    assert not key or key not in str(findings)


def test_on_an_emulator_of_its_own(cli: CommandLine) -> None:
    lines = cli.run("doctor", "--emulator").stdout.splitlines()
    assert [line.split()[1] for line in lines] == CHECKS
    assert {line.split()[0] for line in lines} == {"ok", "skipped"}


def test_addresses_of_ice_servers() -> None:
    assert udp_address("stun:a.example") == ("a.example", 3478)
    assert udp_address("turn:a.example:99?transport=udp") == ("a.example", 99)
    assert udp_address("stun:[::1]:99") == ("::1", 99)
    for url in ("turns:a.example", "turn:a.example?transport=tcp", "http://a.example", "stun:"):
        assert udp_address(url) is None


@pytest.mark.slow
def test_a_closed_port_does_not_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert ask("127.0.0.1", port) is None
