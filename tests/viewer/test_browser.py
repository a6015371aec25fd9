"""`odyssey viewer` in a real browser, with real clicks."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import requests

from odyssey import Odyssey
from odyssey.emulator import Emulator, faults, read_frame_number
from tests.cli.conftest import Running
from tests.support.helpers import wait_until
from tests.viewer.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.timing, pytest.mark.timeout(180)]


def record(client: Odyssey, *prompts: str, frames: int = 1, portrait: bool = True) -> str:
    """A stream of these prompts, each for some frames; its id, once its recording is ready."""
    first, *others = prompts
    with client.stream(first, portrait=portrait) as stream:
        client.frames.take(frames)
        for prompt in others:
            stream.interact(prompt)
            client.frames.take(frames)
    client.recordings.wait(stream.id, interval=0.05)
    return stream.id


def start(site: Site, prompt: str) -> None:
    site.open("/live")
    site.type("#prompt", prompt)
    site.click("#send")
    site.wait_for_text("#phase", "live")


def frame_number(site: Site) -> int | None:
    """The number that the live picture carries."""
    if not site.run("return document.querySelector('#picture').naturalWidth"):
        return None
    return read_frame_number(site.picture("#picture"))


def test_a_browser_that_was_not_let_in(site: Site, address: str, tmp_path: Path) -> None:
    site.driver.delete_all_cookies()
    site.open("/live")
    site.wait_for_text("h1", "This viewer is locked")
    site.wait_for_text("[role=alert]", "Open the address that it printed")
    site.save(tmp_path / "locked.png")
    assert site.run("return getComputedStyle(document.body).margin") == "0px"  # it has its looks
    assert all("status of 403" in problem for problem in site.problems())
    # A link on a page of another site, which is not what a redirect to the cookie may come from.
    site.driver.get(f"data:text/html,<a href='{address}'>The viewer</a>")
    site.follow("The viewer")
    site.wait_for_text("h1", "Recordings")
    site.save(tmp_path / "let_in.png")
    assert site.path == "/recordings"
    assert site.run("return document.cookie") == ""
    site.open("/live")
    site.wait_for_text("#phase", "idle")


def test_the_grid_and_its_pages(site: Site, connected: Odyssey, tmp_path: Path) -> None:
    site.open("/")
    assert site.path == "/recordings"
    site.wait_for_text(".empty", "Nothing here yet")
    ids = [record(connected, f"A fox, number {n}", portrait=n != 12) for n in range(13)]

    site.open("/")
    assert site.texts(".count") == ["13"]
    assert len(site.all(".card")) == 12
    newest, *_ = connected.recordings.list(limit=1).recordings
    assert newest.stream_id == ids[-1]
    assert newest.started is not None
    local = newest.started.astimezone()
    assert site.texts(".card")[0].split("\n") == [
        f"{newest.duration_seconds:.1f} s",
        f"1280{chr(0xD7)}704",
        f"{local:%Y-%m-%d %H:%M}",
    ]
    site.run("scrollTo(0, document.body.scrollHeight)")  # thumbnails load when they come near
    loaded = "return [...document.images].filter((i) => i.complete && i.naturalWidth).length"
    wait_until(lambda: site.run(loaded) == 12)
    site.save(tmp_path / "grid.png")
    assert site.colours(".card img") > 1000

    site.follow("Older")
    site.wait_for_text(".pages", "Page 2 of 2")
    assert len(site.all(".card")) == 1
    site.follow("Newer")
    site.wait_for_text(".pages", "Page 1 of 2")
    site.click(".card")
    site.wait_for_text("h1", "A fox, number 12")
    assert site.path == f"/recordings/{ids[-1]}"


def test_a_recording_plays_and_its_events_are_places_in_it(
    site: Site, connected: Odyssey, tmp_path: Path
) -> None:
    stream_id = record(connected, "A fox", "It <b>snows</b>", frames=24)
    events = list(connected.recordings.events(stream_id))
    site.open(f"/recordings/{stream_id}")
    site.wait_for_text("h1", "A fox")
    rows = [row.split() for row in site.texts(".events li")]
    assert [row[2] for row in rows] == [event["type"] for event in events]
    assert rows[1] == [
        f"{events[1]['timestamp_ms'] / 1000:.1f}",
        *["s", "interact", "It", "<b>snows</b>"],
    ]

    wait_until(lambda: site.run("return document.querySelector('video').readyState") == 4)
    site.click_in_the_middle("video")
    wait_until(lambda: (read_frame_number(site.picture("video")) or 0) > 3)
    site.click_in_the_middle("video")
    assert site.run("return document.querySelector('video').paused")

    # The mark of the second prompt is where it was said; a click on it goes there.
    mark, line = site.all(".mark")[1].rect, site.one(".timeline").rect
    share = (mark["x"] + mark["width"] / 2 - line["x"]) / line["width"]
    seconds = events[1]["timestamp_ms"] / 1000
    duration = site.run("return document.querySelector('video').duration")
    assert share == pytest.approx(seconds / duration, abs=0.05)
    frames = list(connected.recordings.frames(stream_id))
    there = [
        read_frame_number(frame.data)
        for frame in frames
        if abs(frame.timestamp_ms - seconds * 1000) < 60
    ]
    for selector in (".mark", ".events button"):
        site.run("document.querySelector('video').currentTime = 0")
        site.all(selector)[1].click()
        wait_until(
            lambda: (
                site.run("return document.querySelector('video').currentTime")
                == pytest.approx(seconds, abs=0.01)
            )
        )
        wait_until(lambda: site.run("return !document.querySelector('video').seeking"))
        assert read_frame_number(site.picture("video")) in there
        wait_until(lambda: "interact" in site.one(".events [data-current]").text)
    site.save(tmp_path / "recording.png")
    assert site.colours("video") > 1000


def test_a_recording_is_downloaded(site: Site, connected: Odyssey, tmp_path: Path) -> None:
    stream_id = record(connected, "A fox")
    folder = tmp_path / "downloads"
    site.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
    )
    site.open(f"/recordings/{stream_id}")
    site.follow("Download")
    path = folder / f"{stream_id}.mp4"
    wait_until(path.exists)
    own = connected.recordings.download(stream_id, tmp_path / "own.mp4")
    assert path.read_bytes() == own.read_bytes()


def test_a_stream_is_started_steered_and_ended(
    site: Site, emulator: Emulator, tmp_path: Path
) -> None:
    site.open("/")
    site.follow("Live")
    site.click("#send")  # an empty prompt is not sent
    assert site.texts("#phase") == ["idle"]
    start(site, "A fox in a forest")
    first = wait_until(lambda: frame_number(site) or 0, 15, "a picture")
    wait_until(lambda: (frame_number(site) or 0) > first + 5, 15, "another picture")
    site.type("#prompt", "Rain sets in <b>hard</b>", enter=True)
    site.wait_for_text("#prompts li:nth-child(2)", "Rain sets in <b>hard</b>")
    for row in (1, 2):
        site.wait_for_text(f"#prompts li:nth-child({row}) em", "acknowledged after")
    assert site.run("return document.querySelector('#prompt').value") == ""
    site.save(tmp_path / "live.png")
    assert site.colours("#picture") > 1000
    (connection,) = emulator.connections
    assert connection.prompts == ("A fox in a forest", "Rain sets in <b>hard</b>")

    site.click("#end")
    site.wait_for_text("#phase", "idle")
    wait_until(lambda: emulator.connections[0].client_disconnecting)
    assert not site.all("#picture")
    assert site.colours(".screen") < 400  # black, and a line of text
    site.follow("See the recording")  # which is waited for
    site.wait_for_text("h1", "A fox in a forest")
    site.follow("Recordings")
    assert len(site.all(".card")) == 1


def test_a_landscape_stream_and_a_second_one(site: Site, emulator: Emulator) -> None:
    site.open("/live")
    site.click("#landscape")
    start_again = site.one("#prompt")
    start_again.send_keys("A boat")
    site.click("#send")
    site.wait_for_text("#phase", "live")
    wait_until(lambda: frame_number(site) is not None, 15, "a picture")
    assert site.picture("#picture").shape == (704, 1280, 3)
    site.click("#end")
    site.wait_for_text("#phase", "idle")
    start(site, "A cat")
    wait_until(lambda: frame_number(site) is not None, 15, "a picture")
    assert site.picture("#picture").shape == (1280, 704, 3)
    assert len(emulator.connections) == 2


def test_another_tab_shows_and_steers_the_same_stream(site: Site, emulator: Emulator) -> None:
    start(site, "A fox")
    site.driver.switch_to.new_window("tab")
    try:
        site.open("/live")
        site.wait_for_text("#phase", "live")
        wait_until(lambda: frame_number(site) is not None, 15, "a picture in the other tab")
        site.type("#prompt", "It snows", enter=True)
        wait_until(lambda: emulator.connections[0].prompts == ("A fox", "It snows"))
    finally:
        site.driver.close()
        site.driver.switch_to.window(site.driver.window_handles[0])
    site.wait_for_text("#prompts li:nth-child(2)", "acknowledged after")
    site.click("#end")
    site.wait_for_text("#phase", "idle")


def test_what_is_refused_is_said(site: Site, emulator: Emulator, inside: requests.Session) -> None:
    """Faults: no session is given; then a prompt is refused, and the next one is not."""
    emulator.faults.switch_on("usage-monthly-limit", times=1)
    site.open("/live")
    site.type("#prompt", "A fox", enter=True)
    site.wait_for_text("#error", "hours")
    site.wait_for_text("#phase", "idle")
    site.click("#send")  # the prompt is still there
    site.wait_for_text("#phase", "live")
    emulator.faults.switch_on("interact-refused", message="Not this", times=1)
    site.type("#prompt", "It explodes", enter=True)
    site.wait_for_text("#error", "Not this")
    site.wait_for_text("#prompts li:nth-child(2) em.bad", "Not this")
    state = f"{site.url}/live/state"  # the service says it to the stream, too, a little later
    wait_until(lambda: "Not this" in str(inside.get(state, timeout=10).json()["error"]))
    site.click("#send")
    site.wait_for_text("#prompts li:nth-child(3)", "acknowledged after")
    assert site.texts("#error") == []
    # The browser itself notes each answer that is an error.
    assert all("status of 502" in problem for problem in site.problems())


def test_a_stream_that_the_service_ends_or_loses(site: Site, emulator: Emulator) -> None:
    """Faults: the time of the stream is over; then its peer falls silent."""
    start(site, "A fox")
    emulator.faults.inject(faults.SessionTimeout(after=0), times=1)
    site.wait_for_text("#phase", "idle")
    site.wait_for_text("#error", "credit lease expired")
    start(site, "Another fox")
    emulator.faults.kill_peers()
    site.wait_for_text("#phase", "idle")
    site.wait_for_text("#error", "no video")
    start(site, "A third fox")
    assert site.texts("#error") == []


def test_a_viewer_that_has_ended(site: Site, viewer: Running) -> None:
    """Fault: the viewer is stopped while its page is open."""
    start(site, "A fox")
    assert viewer.end(signal.SIGTERM) == 0
    site.wait_for_text("#error", "The viewer does not answer")
    assert all("net::ERR_" in problem for problem in site.problems())


def test_an_unknown_recording(site: Site) -> None:
    site.open("/recordings/no-such-recording")
    site.wait_for_text("[role=alert]", "no-such-recording")
    site.follow("To the recordings")
    assert site.path == "/recordings"
    assert all("status of 404" in problem for problem in site.problems())


def test_a_narrow_window(site: Site, connected: Odyssey, tmp_path: Path) -> None:
    stream_id = record(connected, "A fox with a very-long-word-" + "x" * 80)
    size = site.driver.get_window_size()
    site.driver.set_window_size(400, 800)
    try:
        for path in ("/recordings", f"/recordings/{stream_id}", "/live"):
            site.open(path)
            site.one("h1")
            site.save(tmp_path / f"{path.count('/')}.png")
            wide = "return document.documentElement.scrollWidth - innerWidth"
            assert site.run(wide) <= 0, path
    finally:
        site.driver.set_window_size(size["width"], size["height"])
