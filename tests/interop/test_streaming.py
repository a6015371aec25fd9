"""Live video in the browser, through the web SDK: what it plays, says and leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest

from odyssey.emulator import Emulator, faults
from tests.interop.page import Page
from tests.support.helpers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timing]

_CODEC_IN_USE = """
const pc = client.pc;
const report = [...(await pc.getStats()).values()];
const inbound = report.find((r) => r.type === "inbound-rtp" && r.kind === "video");
return report.find((r) => r.id === inbound.codecId).mimeType;
"""


def test_a_stream_from_start_to_end(page: Page, emulator: Emulator) -> None:
    page.connect()
    assert page.run("return [client.isConnected, client.currentStatus]") == [True, "connected"]
    stream_id = page.start("A fox")
    assert page.interact("Night falls") == "Night falls"
    assert page.interact("It snows") == "It snows"
    assert page.run("return client.lastAppliedPrompt") == "It snows"
    page.run("await client.endStream()")
    page.run("client.disconnect()")
    assert page.run("return client.currentStatus") == "disconnected"
    assert page.events("onStreamStarted") == [[stream_id]]
    assert page.events("onInteractAcknowledged") == [["Night falls"], ["It snows"]]
    assert page.events("onStreamEnded") == [[]]
    assert page.events("onConnected") == [["stream"]]
    statuses = [event[0] for event in page.events("onStatusChange")]
    assert list(dict.fromkeys(statuses)) == [
        "authenticating",
        "connecting",
        "connected",
        "disconnected",
    ]
    assert page.events("onError") == page.events("onStreamError") == []
    (connection,) = emulator.connections
    assert connection.prompts == ("A fox", "Night falls", "It snows")
    assert connection.streams == (stream_id,)


def test_leaving_says_so_and_frees_the_session(page: Page, emulator: Emulator) -> None:
    emulator.limits.concurrent_streams = 1
    page.connect()
    page.run("client.disconnect()")
    wait_until(lambda: emulator.connections[0].state == "closed")
    assert emulator.connections[0].client_disconnecting
    page.connect()
    assert page.start("The second one")


@pytest.mark.parametrize("codec", ["vp8", "h264"])
@pytest.mark.parametrize("portrait", [True, False])
def test_the_video_plays(
    open_sdk: Callable[..., Page], codec: Literal["vp8", "h264"], portrait: bool
) -> None:
    with Emulator(codec=codec) as emulator:
        page = open_sdk(emulator)
        page.connect()
        page.start("A fox in the snow", portrait=portrait)
        first = page.frame_number()
        wait_until(lambda: page.frame_number() > first + 5)
        height, width, _ = page.picture().shape
        assert (width, height) == ((704, 1280) if portrait else (1280, 704))
        assert page.run(_CODEC_IN_USE).lower() == f"video/{codec}"
        page.run("client.disconnect()")


def test_the_picture_changes_with_the_prompt(page: Page) -> None:
    page.connect()
    page.start("A sunny beach at noon")
    page.frame_number()
    before, same = page.picture(), page.picture()
    page.interact("A dark forest at night")
    usual = _difference(before, same)
    wait_until(lambda: _difference(before, page.picture()) > 3 * usual + 20)


def _difference(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def test_streams_one_after_another(page: Page) -> None:
    page.connect()
    ids = []
    for prompt in ("A cat", "A dog"):
        ids.append(page.start(prompt))
        first = page.frame_number()
        wait_until(lambda first=first: page.frame_number() != first)  # type: ignore[misc]
        page.run("await client.endStream()")
    assert page.events("onStreamStarted") == [[ids[0]], [ids[1]]]
    assert page.run("return client.isConnected")


def test_candidates_of_their_own(open_sdk: Callable[..., Page]) -> None:
    with Emulator(trickle=True) as emulator:
        page = open_sdk(emulator)
        page.connect()
        page.start("A cat")
        assert page.frame_number() >= 0
        page.run("client.disconnect()")


def test_prompts_applied_in_other_words(open_sdk: Callable[..., Page]) -> None:
    with Emulator(rewrite_prompts=True) as emulator:
        page = open_sdk(emulator)
        page.connect()
        page.start("A cat")
        assert page.run("return client.lastAppliedPrompt") == "Cinematic shot: A cat"
        assert page.interact("It yawns") == "Cinematic shot: It yawns"
        page.run("await client.endStream()")
        page.start("A dog", bypassPromptExpansion=True)
        assert page.run("return client.lastAppliedPrompt") == "A dog"
        page.run("client.disconnect()")


def test_it_waits_for_a_free_streamer(page: Page, emulator: Emulator) -> None:
    emulator.faults.inject(faults.QueueBusy(), times=2)
    page.connect()
    assert page.run("return client.isConnected")


def test_a_regions_answer_that_fails_is_no_matter(page: Page, emulator: Emulator) -> None:
    emulator.faults.inject(faults.HttpStatus(path="/regions", status=500), times=1)
    page.connect()
    assert page.run("return client.isConnected")
