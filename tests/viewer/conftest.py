from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from odyssey import Odyssey
from odyssey.emulator import Emulator
from odyssey.viewer import Viewer
from tests.cli.conftest import CommandLine, Running, clean_environment, cli

__all__ = ["cli"]  # a fixture

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
def address(viewer: Running) -> str:
    """The address that it prints, with the secret."""
    return str(json.loads(viewer.wait_for("\n"))["url"])


@pytest.fixture
def url(address: str) -> str:
    """The viewer's address, without a slash at the end, and without the secret."""
    return address.partition("/?")[0]


@pytest.fixture
def inside(address: str) -> Iterator[requests.Session]:
    """A browser that has been let in."""
    with entered(address) as session:
        yield session


@pytest.fixture
def page(client: Odyssey) -> Iterator[Viewer]:
    """The viewer, in this process."""
    with Viewer(client) as viewer:
        yield viewer


def entered(address: str) -> requests.Session:
    """What has opened the address, and has the cookie."""
    session = requests.Session()
    session.trust_env = False
    session.get(address, timeout=20).raise_for_status()
    return session


@pytest.fixture
def site(driver: Chrome, address: str, url: str) -> Iterator[Site]:
    """The viewer in the browser; fails a test whose page made the browser complain."""
    from tests.viewer.site import Site

    site = Site(driver, url)
    driver.get(address)
    site.problems()  # of earlier pages
    yield site
    problems = site.problems()
    driver.get("about:blank")
    assert problems == []
