"""The fixtures for other people's tests, as these use them: in a pytest of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROGRAM = """
from odyssey import Odyssey

def main():
    with Odyssey() as client:
        client.connect()
        with client.stream("A cat", portrait=False) as stream:
            return stream.frames.stack(3).shape
"""

TESTS = """
import os
import threading

import pytest

from odyssey import ConcurrentLimitReachedError, Odyssey
from odyssey.emulator import Emulator, faults

import program


def test_a_program_that_knows_nothing_of_the_emulator(odyssey_emulator):
    assert isinstance(odyssey_emulator, Emulator)
    assert program.main() == (3, 704, 1280, 3)
    (connection,) = odyssey_emulator.connections
    assert connection.client_disconnecting


def test_a_program_that_is_refused(odyssey_emulator):
    odyssey_emulator.faults.inject(faults.UsageError(code="CONCURRENT_LIMIT_REACHED"), times=1)
    with pytest.raises(ConcurrentLimitReachedError):
        program.main()


def test_the_client(odyssey_client, odyssey_emulator):
    assert isinstance(odyssey_client, Odyssey)
    assert not odyssey_client.is_connected
    with odyssey_client.connect().stream("A cat") as stream:
        assert stream.frames.get().width == 704
    assert len(odyssey_emulator.connections) == 1


def test_afterwards_nothing_is_left():
    assert "ODYSSEY_API_KEY" not in os.environ
    assert "ODYSSEY_API_URL" not in os.environ
    assert not [t for t in threading.enumerate() if t.name.startswith("odyssey")]
"""


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=90, check=False
    )


def test_a_users_tests(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "test_program.py").write_text(TESTS)
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_fixtures_are_listed_with_what_they_are(tmp_path: Path) -> None:
    said = pytest_in(tmp_path, "--fixtures").stdout
    assert "odyssey_emulator" in said
    assert "Runs an `Emulator` in this process" in said
    assert "odyssey_client" in said


@pytest.mark.slow
def test_without_the_emulators_server_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import sys\nsys.modules['aiohttp'] = None\n")
    (tmp_path / "test_it.py").write_text("def test_it(odyssey_emulator): pass\n")
    done = pytest_in(tmp_path)
    assert done.returncode == 1
    assert "the emulator needs aiohttp: pip inst" in done.stdout


LOADED = """
import json, sys

def test_it():
    with open("loaded.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""


@pytest.mark.slow
def test_being_installed_loads_nothing_in_other_peoples_tests(tmp_path: Path) -> None:
    """Whoever patches ssl or sockets in a conftest comes before all that uses them."""
    (tmp_path / "test_it.py").write_text(LOADED)

    def loaded(*arguments: str) -> set[str]:
        done = pytest_in(tmp_path, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return set(json.loads((tmp_path / "loaded.json").read_text()))

    ours = loaded() - loaded("-p", "no:odyssey")
    assert {name for name in ours if name.startswith("odyssey")} == {
        "odyssey",
        "odyssey._runtime",
        "odyssey._runtime.lazy",
        "odyssey._version",
        "odyssey.errors",
        "odyssey.pytest_plugin",
    }
    assert {name for name in ours if "odyssey" not in name} == set()


@pytest.mark.parametrize("name", ["odyssey_client", "odyssey_emulator"])
def test_the_names_are_public(name: str) -> None:
    from odyssey import pytest_plugin

    assert name in pytest_plugin.__all__
