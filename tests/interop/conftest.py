"""The browser, the pages, and what has to be installed for both."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from odyssey.emulator import Emulator

from .browser import Page, start_browser

_WEB = Path(__file__).parent / "web"
_INSTALL_SECONDS = 300


def _program(*names: str) -> str:
    """The first of these programs that is there. On CI they have to be; elsewhere one may skip."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    missing = f"{names[0]} is not installed (Debian: apt-get install chromium chromium-driver npm)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages and the web SDK from its registry, bundled."""
    npm = _program("npm")
    folder = tmp_path_factory.mktemp("web")
    shutil.copytree(_WEB, folder, dirs_exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    _call([npm, "install", *quiet], folder)
    esbuild = str(folder / "node_modules" / ".bin" / "esbuild")
    sources = [path.name for path in sorted(folder.glob("*.js*")) if path.suffix != ".json"]
    flags = ["--bundle", "--format=iife", "--external:ws", "--log-level=error"]
    flags += ["--define:import.meta.env={}", "--jsx=automatic"]
    _call([esbuild, *sources, *flags, "--outdir=bundles"], folder)
    return folder


def _call(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}\n{done.stderr}"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output for the tests."""


@pytest.fixture(scope="session")
def pages(bundle: Path) -> Iterator[str]:
    """The address of the pages: another origin than the emulator's."""
    handler = functools.partial(_Quiet, directory=str(bundle))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="interop-pages")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all tests; each of them loads its own page."""
    chromium = _program("chromium", "chromium-browser", "google-chrome")
    driver = start_browser(tmp_path_factory.mktemp("chromium"), chromium, _program("chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture
def blank(driver: Any) -> Iterator[Page]:
    """The browser's page, empty before and after."""
    yield Page(driver)
    driver.get("about:blank")


@pytest.fixture
def page(blank: Page, pages: str, emulator: Emulator) -> Page:
    """A page with the web SDK that talks to the emulator; `client` is made there with its key."""
    blank.open(f"{pages}/sdk.html", emulator.url)
    blank.run("window.client = new odyssey.Odyssey({ apiKey: args[0] })", emulator.api_key)
    return blank
