"""A picture from a file input starts a stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By

from odyssey.emulator import Emulator
from tests.interop.page import Page, WebError
from tests.support.helpers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timing]

_START = """
const [image] = document.querySelector("input[type=file]").files;
return await client.startStream({ prompt: "It moves", portrait: args[0], image });
"""
_SIMULATE = """
const [image] = document.querySelector("input[type=file]").files;
const start = { prompt: "It moves", image };
const script = [{ timestamp_ms: 0, start }, { timestamp_ms: 500, end: {} }];
return (await client.simulate({ script, portrait: false })).job_id;
"""
_FIRST_VIDEO = """
const job = await client.getSimulateStatus(args[0]);
if (job.status === "failed") throw new Error(job.error_message);
return job.status === "completed" ? job.streams[0].video_url : null;
"""
_ORANGE = (230, 120, 20)


@pytest.fixture(params=["png", "jpg", "webp"])
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Orange with some noise, larger than a data channel's message, in no size of the service's."""
    noise = np.random.default_rng(5).integers(-20, 20, (900, 1400, 3))
    path = tmp_path / f"orange.{request.param}"
    pixels = np.clip(np.array(_ORANGE) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    assert path.stat().st_size > 65536
    return path


def choose(page: Page, picture: Path) -> None:
    page.driver.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(picture))


def is_orange(page: Page) -> bool:
    height = page.picture().shape[0]
    middle = page.picture()[height // 3 : -height // 3]
    return bool(np.all(np.abs(middle.mean((0, 1)) - _ORANGE) < 40))


@pytest.mark.parametrize("portrait", [True, False])
def test_the_stream_shows_the_picture(page: Page, picture: Path, portrait: bool) -> None:
    choose(page, picture)
    page.connect()
    page.run(_START, portrait)
    page.frame_number()
    wait_until(lambda: is_orange(page), what="the picture is not orange")


def test_a_simulation_starts_from_it(page: Page, picture: Path) -> None:
    choose(page, picture)
    job = page.run(_SIMULATE)
    url = wait_until(lambda: page.run(_FIRST_VIDEO, job), 20)
    page.run("await play(args[0])", url)
    wait_until(lambda: is_orange(page), what="the picture is not orange")


def test_a_model_without_image_to_video(open_sdk: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.new("RGB", (64, 64)).save(path)
    with Emulator(image_to_video=False) as emulator:
        page = open_sdk(emulator)
        choose(page, path)
        page.connect()
        with pytest.raises(WebError, match="Image-to-video is not supported"):
            page.run(_START, True)
        page.run("client.disconnect()")
