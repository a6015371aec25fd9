"""The pages, and what has to be installed for them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from odyssey.emulator import Emulator
from tests.interop.page import Page
from tests.support.chromium import find_program

_WEB = Path(__file__).parent / "web"
_INSTALL_SECONDS = 300


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages and the web SDK from its registry, bundled."""
    npm = find_program("npm")
    folder = tmp_path_factory.mktemp("web")
    shutil.copytree(_WEB, folder, dirs_exist_ok=True)
    _call([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], folder)
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


@pytest.fixture(scope="session")
def pages(bundle: Path) -> Iterator[str]:
    """The address of the pages: another origin than the emulator's.

    Served by a process of its own: the browser keeps spare connections open, which would look like
    sockets that a test left behind.
    """
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=bundle, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        port = re.search(r" port (\d+) ", process.stdout.readline())
        assert port is not None
        yield f"http://127.0.0.1:{port[1]}"
        process.terminate()


@pytest.fixture(params=[None, "other-dialect"])
def dialect(request: pytest.FixtureRequest, emulator: Emulator) -> str | None:
    """The words of the emulator's answers: its own, or those of the fault with that name."""
    name: str | None = request.param
    if name is not None:
        emulator.faults.switch_on(name)
    return name


@pytest.fixture
def blank(driver: Any) -> Iterator[Page]:
    """The browser's page, empty before and after."""
    yield Page(driver)
    driver.get("about:blank")


@pytest.fixture
def open_sdk(blank: Page, pages: str) -> Callable[..., Page]:
    """Loads the page with the web SDK, and makes `client` there with a key: the emulator's own, if
    none is given.
    """

    def open_(emulator: Emulator, api_key: str | None = None) -> Page:
        blank.open(f"{pages}/sdk.html", emulator.url)
        key = emulator.api_key if api_key is None else api_key
        blank.run("window.client = new odyssey.Odyssey({ apiKey: args[0] })", key)
        return blank

    return open_


@pytest.fixture
def page(open_sdk: Callable[..., Page], emulator: Emulator) -> Page:
    """A page with the web SDK that talks to the emulator."""
    return open_sdk(emulator)
