"""Programs on a machine without any network but loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest


def _in_a_namespace(*command: str) -> list[str]:
    """In a network namespace of its own, where only the loopback interface is up."""
    return ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"',
            "sh", *command]  # fmt: skip


def run_offline(script: str) -> str:
    """What the program prints; skips the test where it can't be run like this."""
    if not (shutil.which("unshare") and shutil.which("ip")) or _run("true").returncode:
        pytest.skip("no network namespaces here")
    done = _run(sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _in_a_namespace(*command), capture_output=True, text=True, timeout=60, check=False
    )
