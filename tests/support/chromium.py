"""A real browser, driven by WebDriver."""

from __future__ import annotations

import base64
import io
import os
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

#: Headless, in a container, without a look at any network of its own.
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",  # a machine without a network
    "--window-size=1400,1400",
)


def picture(data_url: str) -> npt.NDArray[np.uint8]:
    """What a canvas gave as PNG: (height, width, 3) uint8 RGB."""
    png = base64.b64decode(data_url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def find_program(*names: str) -> str:
    """The first of these programs that is there. On CI they have to be; elsewhere one may skip."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    missing = f"{names[0]} is not installed (Debian: apt-get install chromium chromium-driver npm)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def start_chromium(profile: Path) -> Chrome:
    """A browser with an empty profile in the folder `profile`."""
    options = ChromeOptions()
    options.binary_location = find_program("chromium", "chromium-browser", "google-chrome")
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    return Chrome(options=options, service=Service(find_program("chromedriver")))
