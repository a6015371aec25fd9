"""Live video in the browser, through the web SDK."""

from __future__ import annotations

from odyssey.emulator import Emulator

from ..helpers import wait_until
from .browser import Page

_CONNECT = """
window.media = await client.connect(noting());
await play(media);
"""


def test_a_stream_from_start_to_end(page: Page, emulator: Emulator) -> None:
    page.run(_CONNECT)
    stream_id = page.run("return await client.startStream({ prompt: 'A fox', portrait: true })")
    first = page.frame_number()
    later = wait_until(lambda: (n := page.frame_number()) > first and n)
    assert later > first
    assert page.picture().shape == (1280, 704, 3)
    assert page.run("return await client.interact({ prompt: 'Night falls' })") == "Night falls"
    assert page.run("return await client.interact({ prompt: 'It snows' })") == "It snows"
    page.run("await client.endStream()")
    page.run("client.disconnect()")
    assert page.events("onStreamStarted") == [[stream_id]]
