"""A React page with `useOdyssey`: it lists recordings, plays one, and streams, with real clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By

from odyssey.emulator import Emulator
from tests.interop.page import Page
from tests.interop.test_recordings import record
from tests.support.helpers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timing]


class ReactPage:
    """The page, as its user sees it."""

    def __init__(self, page: Page, pages: str, emulator: Emulator) -> None:
        self.page = page
        self._address = f"{pages}/react.html"
        self._emulator = emulator

    def open(self, api_key: str | None = None) -> None:
        # A change of the part behind # alone would not load the page again.
        self.page.driver.get("about:blank")
        key = self._emulator.api_key if api_key is None else api_key
        self.page.open(f"{self._address}#{key}", self._emulator.url)

    def texts(self, selector: str) -> list[str]:
        return [e.text for e in self.page.driver.find_elements(By.CSS_SELECTOR, selector)]

    def click(self, selector: str) -> None:
        self.page.driver.find_element(By.CSS_SELECTOR, selector).click()


@pytest.fixture
def react(blank: Page, pages: str, emulator: Emulator) -> ReactPage:
    return ReactPage(blank, pages, emulator)


def test_recordings_are_listed_and_one_plays(
    react: ReactPage, emulator: Emulator, tmp_path: Path
) -> None:
    for prompt in ("A fox", "A cat"):
        record(emulator, prompt, frames=24)
    react.open()
    entries = wait_until(lambda: react.texts("li button"))
    assert len(entries) == 2
    assert all("s, 704x1280" in entry for entry in entries)
    react.click("li:last-child button")
    first = react.page.frame_number()
    wait_until(lambda: react.page.frame_number() > first)
    react.page.save(tmp_path / "page.png")
    shown = np.asarray(Image.open(tmp_path / "page.png").convert("L"))
    assert shown.std() > 20
    assert react.texts("[role=alert]") == []


def test_live(react: ReactPage) -> None:
    react.open()
    assert wait_until(lambda: react.texts("#status")) == ["disconnected"]
    react.click("#go")
    wait_until(lambda: react.texts("#status") == ["connected"])
    first = react.page.frame_number()
    wait_until(lambda: react.page.frame_number() > first)
    before = react.page.picture().astype(int)
    assert before.shape == (704, 1280, 3)
    react.click("#steer")
    wait_until(lambda: np.abs(react.page.picture() - before).mean() > 25)
    react.click("#leave")
    wait_until(lambda: react.texts("#status") == ["disconnected"])
    wait_until(lambda: _listed_after_refreshing(react))


def _listed_after_refreshing(react: ReactPage) -> bool:
    """The recording is ready a moment after the stream's end."""
    react.click("#refresh")
    return len(react.texts("li button")) == 1


def test_a_wrong_key_is_shown(react: ReactPage) -> None:
    react.open("ody_wrongwrongwrongwrong")
    assert wait_until(lambda: react.texts("[role=alert]")) == ["Invalid API key"]
