from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from odyssey.emulator import Emulator
from tests.cli.conftest import CommandLine, Running, clean_environment

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.viewer.site import Site


@pytest.fixture
def viewer(emulator: Emulator, tmp_path: Path) -> Iterator[Running]:
    """`odyssey viewer`, in a process of its own, on the emulator."""
    (tmp_path / "temporary").mkdir()
    cli = CommandLine(tmp_path, clean_environment(tmp_path / "temporary"))
    cli.use(emulator)
    running = cli.start("viewer", "--json", "--no-open")
    yield running
    if running.process.poll() is None:
        assert running.end(signal.SIGTERM) == 0
    assert running.errors == ""


@pytest.fixture
def url(viewer: Running) -> str:
    """The viewer's address, without a slash at the end."""
    return str(json.loads(viewer.wait_for("\n"))["url"]).rstrip("/")


@pytest.fixture
def site(driver: Chrome, url: str) -> Iterator[Site]:
    """The viewer in the browser; fails a test whose page made the browser complain."""
    from tests.viewer.site import Site

    site = Site(driver, url)
    site.problems()  # of earlier pages
    yield site
    problems = site.problems()
    driver.get("about:blank")
    assert problems == []
