"""Who is let into the viewer: who has its address, and nobody else on the machine."""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path

import pytest
import requests

from odyssey.emulator import Emulator
from odyssey.viewer import Viewer, guard
from odyssey.viewer.neighbours import is_another_users
from tests.cli.conftest import CommandLine, posix_only
from tests.support.helpers import wait_until
from tests.support.terminals import Terminal
from tests.viewer.conftest import entered

PATHS = ["/", "/recordings", "/recordings/x", "/recordings/x/video", "/live", "/live/state"]
PATHS += ["/live/video", "/nothing", "/?token=", "/?token=wrong", "/?token=\N{KELVIN SIGN}"]


def secret_of(page: Viewer) -> str:
    return page.url.partition("=")[2]


def origin_of(page: Viewer) -> str:
    return page.url.partition("/?")[0]


def test_without_the_secret_nothing_is_answered(page: Viewer) -> None:
    for path, cookie in itertools.product(PATHS, ["", "wrong", "é", "s" * 43]):
        headers = {"Cookie": f"odyssey-viewer-{page.port}={cookie}".encode()}
        answer = requests.get(origin_of(page) + path, headers=headers, timeout=10)
        assert answer.status_code == 403, path
        assert "Open the address that it printed" in answer.text
        assert secret_of(page) not in answer.text
        assert "viewer-token" not in answer.text  # with which a page may post
        assert "Set-Cookie" not in answer.headers
    for path in ("start", "interact", "end"):
        answer = requests.post(f"{origin_of(page)}/live/{path}", {"prompt": "A fox"}, timeout=10)
        assert answer.status_code == 403
        assert "Open the address" in answer.json()["error"]


def test_the_secret_is_for_pages_and_not_for_posts(page: Viewer) -> None:
    answer = requests.post(f"{origin_of(page)}/live/start?token={secret_of(page)}", timeout=10)
    assert answer.status_code == 403


def test_the_address_is_answered_with_a_cookie(page: Viewer) -> None:
    first = requests.get(page.url, allow_redirects=False, timeout=10)
    assert first.status_code == 303
    name, *attributes = first.headers["Set-Cookie"].replace(" ", "").split(";")
    assert name == f"odyssey-viewer-{page.port}={secret_of(page)}"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    with entered(page.url) as inside:
        opened = inside.get(page.url, timeout=10)
        assert secret_of(page) not in opened.url  # nor in the history, and in a bookmark of it
        assert opened.ok
        assert secret_of(page) not in opened.text
        assert inside.get(f"{origin_of(page)}/live/state", timeout=10).json()["phase"] == "idle"
        inside.headers["Cookie"] = ""
        assert inside.get(f"{origin_of(page)}/live/state", timeout=10).status_code == 403


def test_it_leads_to_the_page_that_was_asked_for(page: Viewer) -> None:
    for path, leads_to in {
        "/live?token=S": "/live",
        "/recordings?page=2&token=S": "/recordings?page=2",
        "/recordings/a%20b?fresh=1&token=S": "/recordings/a%20b?fresh=1",
        "//elsewhere.test/?token=S": "/recordings",
        "/nothing?token=S": "/recordings",
    }.items():
        address = origin_of(page) + path.replace("S", secret_of(page))
        answer = requests.get(address, allow_redirects=False, timeout=10)
        assert answer.headers["Location"] == leads_to


def test_two_viewers_of_one_browser(page: Viewer) -> None:
    with Viewer(page._live._client) as other, entered(page.url) as inside:
        state = f"{origin_of(other)}/live/state"
        assert inside.get(state, timeout=10).status_code == 403
        inside.get(other.url, timeout=10)
        for one in (page, other):
            assert inside.get(f"{origin_of(one)}/live/state", timeout=10).ok


def test_a_link_on_another_site_lets_in_as_well(page: Viewer) -> None:
    """A redirect would come without the cookie, as the other site began it."""
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = requests.get(page.url, headers=followed, timeout=10)
    assert answer.status_code == 200
    assert answer.history == []
    assert answer.headers["Refresh"] == "0; url=/"
    assert answer.cookies
    assert secret_of(page) not in answer.text
    loaded = followed | {"Sec-Fetch-Mode": "no-cors"}
    assert requests.get(page.url, headers=loaded, timeout=10).status_code == 403


def test_an_invitation_works_once(page: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    address = page.browser_url()
    assert secret_of(page) not in address
    assert requests.get(address, timeout=10).ok
    assert requests.get(address, timeout=10).status_code == 403
    late = page.browser_url()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + guard.INVITATION_SECONDS + 1)
    assert requests.get(late, timeout=10).status_code == 403


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a connection is")
def test_an_invitation_is_for_one_user(page: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault: another user has read it in the list of processes."""
    address, uid = page.browser_url(), os.getuid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: uid + 1)
        assert requests.get(address, timeout=10).status_code == 403
    assert requests.get(address, timeout=10).ok  # the attempt has not used it up


def test_whose_a_connection_is_where_nobody_tells() -> None:
    assert not is_another_users(0, 0)


@posix_only
def test_the_browser_is_started_with_an_invitation(
    cli: CommandLine, emulator: Emulator, tmp_path: Path
) -> None:
    """Its address is in the list of processes, which every user can read."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o700)
    cli.env["BROWSER"] = str(browser)
    cli.use(emulator)
    command = [sys.executable, "-m", "odyssey", "viewer"]
    with Terminal(command, cli.env, cli.folder, 200) as terminal:
        wait_until(opened.exists, 30)
        terminal.wait_for("Ctrl-C ends it")
        printed = terminal.screen.partition("token=")[2].split()[0]
    assert len(printed) > 40
    given = opened.read_text()
    assert "/?token=" in given
    assert printed not in given
