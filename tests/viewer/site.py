"""The viewer as somebody sees it, in a real browser."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.chromium import picture
from tests.support.helpers import wait_until


class Site:
    """The viewer's pages, as the browser shows them. Elements are named by CSS selectors."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self.url = url.rstrip("/")

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    @property
    def path(self) -> str:
        return str(self.driver.current_url).removeprefix(self.url)

    def all(self, selector: str) -> list[WebElement]:
        """Those that are shown, from the top."""
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [element for element in found if element.is_displayed()]

    def one(self, selector: str) -> WebElement:
        """The first one, once it is shown."""
        return wait_until(lambda: self.all(selector), 10, f"{selector} on the page")[0]

    def click(self, selector: str) -> None:
        self.one(selector).click()

    def follow(self, text: str) -> None:
        """Clicks the link with that text."""
        wait_until(lambda: self.driver.find_elements(By.LINK_TEXT, text), 10, f"a link {text!r}")
        self.driver.find_element(By.LINK_TEXT, text).click()

    def type(self, selector: str, text: str, *, enter: bool = False) -> None:
        self.one(selector).send_keys(text + (Keys.ENTER if enter else ""))

    def texts(self, selector: str) -> list[str]:
        return [str(text) for text in self.run(_TEXTS, selector)]

    def wait_for_text(self, selector: str, text: str, seconds: float = 15.0) -> None:
        """Until an element shows the text."""
        wait_until(
            lambda: any(text in shown for shown in self.texts(selector)),
            seconds,
            f"{text!r} in {selector}",
        )

    def run(self, script: str, *args: object) -> Any:
        """What JavaScript returns."""
        return self.driver.execute_script(script, *args)

    def click_in_the_middle(self, selector: str) -> None:
        """With the mouse, wherever that is."""
        ActionChains(self.driver).move_to_element(self.one(selector)).click().perform()

    def save(self, path: Path) -> None:
        """A screenshot of the window, for whoever looks into a failure."""
        self.driver.save_screenshot(str(path))

    def colours(self, selector: str) -> int:
        """How many colours the screen shows of the element; one where nothing is drawn."""
        image = Image.open(io.BytesIO(self.one(selector).screenshot_as_png)).convert("RGB")
        return len(image.getcolors(image.width * image.height) or [])

    def picture(self, selector: str) -> npt.NDArray[np.uint8]:
        """What an <img> or <video> shows, in its own size, (height, width, 3) uint8 RGB."""
        return picture(self.run(_PICTURE, self.one(selector)))

    def problems(self) -> list[str]:
        """What the browser complained of: scripts that failed, what the page's policy refused."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries]


_TEXTS = """
return [...document.querySelectorAll(arguments[0])]
  .filter((element) => element.checkVisibility()).map((element) => element.innerText);
"""

_PICTURE = """
const source = arguments[0], canvas = document.createElement("canvas");
canvas.width = source.naturalWidth || source.videoWidth;
canvas.height = source.naturalHeight || source.videoHeight;
canvas.getContext("2d").drawImage(source, 0, 0);
return canvas.toDataURL("image/png");
"""
