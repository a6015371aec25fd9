"""A page in a real browser, with the web SDK loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from selenium.webdriver import Chrome

from odyssey.emulator import read_frame_number
from tests.support.chromium import picture
from tests.support.helpers import wait_until

_RUN = """
const done = arguments[arguments.length - 1];
const args = [...arguments].slice(0, -1);
(async () => { %s })().then(
  (value) => done({ value: value === undefined ? null : value }),
  (error) => done({ name: error?.name ?? "", message: error?.message ?? String(error),
                    text: String(error) }),
);
"""


class WebError(Exception):
    """What JavaScript threw: its `name`, its `message`, and what a console shows of it."""

    def __init__(self, name: str, message: str, text: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.text = text


class Page:
    """The browser's one page."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str, api_url: str | None = None) -> None:
        """Load a page that reads the service's address from `window.__ODYSSEY_API_URL__`."""
        script = f"window.__ODYSSEY_API_URL__ = {json.dumps(api_url)};"
        added = self.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": script}
        )
        try:
            self.driver.get(url)
        finally:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)

    def run(self, body: str, *args: object, timeout: float = 30.0) -> Any:
        """What the body of an async function returns, given `args`; raises WebError."""
        self.driver.set_script_timeout(timeout)
        answer = self.driver.execute_async_script(_RUN % body, *args)
        if "value" not in answer:
            raise WebError(answer["name"], answer["message"], answer["text"])
        return answer["value"]

    def connect(self) -> None:
        """Connects `client`, notes its events, and plays what comes."""
        self.run("await play(await client.connect(noting()))")

    def start(self, prompt: str, **options: object) -> str:
        """Starts a stream, as `startStream` would; its id."""
        return str(
            self.run("return await client.startStream(args[0])", {"prompt": prompt, **options})
        )

    def interact(self, prompt: str) -> str:
        """The prompt as acknowledged."""
        return str(self.run("return await client.interact({ prompt: args[0] })", prompt))

    def wait_for_event(self, name: str, seconds: float = 10.0) -> list[Any]:
        """What the first callback of that name was given, once it was called."""
        return wait_until(lambda: self.events(name), seconds, f"{name} was not called")[0]

    def events(self, name: str) -> list[list[Any]]:
        """What the callbacks of that name were given so far, oldest first."""
        return [event[1:] for event in self.run("return events") if event[0] == name]

    def picture(self) -> npt.NDArray[np.uint8]:
        """What the page's video shows now, (height, width, 3) uint8 RGB."""
        return picture(self.run("return picture()"))

    def frame_number(self) -> int:
        """The number that the video's pixels carry, once they carry one."""
        return wait_until(self._frame_numbers, 10, "a picture with a frame number")[0]

    def _frame_numbers(self) -> list[int]:
        """The number, or nothing: 0 is a number, too."""
        if not self.run("return document.querySelector('video').videoWidth"):
            return []
        number = read_frame_number(self.picture())
        return [] if number is None else [number]

    def save(self, path: Path) -> None:
        """A screenshot, as PNG."""
        self.driver.save_screenshot(str(path))
