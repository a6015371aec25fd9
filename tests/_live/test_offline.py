"""A machine without any network but loopback: the emulator and the client still meet."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

SCRIPT = """
from odyssey import Odyssey
from odyssey.emulator import Emulator
with Emulator() as emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
    client.connect()
    with client.stream("A cat") as stream:
        print(len(stream.frames.take(5)))
"""


def in_a_namespace(*command: str) -> list[str]:
    """In a network namespace of its own, where only the loopback interface is up."""
    return ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"',
            "sh", *command]  # fmt: skip


def can_unshare() -> bool:
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run(in_a_namespace("true"), capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="no network namespaces here")
def test_streaming_with_only_loopback() -> None:
    done = subprocess.run(
        in_a_namespace(sys.executable, "-c", SCRIPT),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "5", done.stderr
