"""REST: tokens, sessions, paging, errors, browsers."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from odyssey.emulator import Emulator, Limits
from odyssey.emulator.recordings.store import Store
from odyssey.emulator.tokens import Keys, SessionTokens
from tests.emulator.raw_client import Rest

pytestmark = pytest.mark.live

Make = Callable[..., Emulator]
GOOD_FORM = "ody_" + "x" * 24


def fill(folder: Path, count: int, account: str = "owner") -> list[str]:
    """Recordings without files; their ids, newest first."""
    store = Store(folder)
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(count)]
    for number, id_ in enumerate(ids):
        at = f"2024-01-01T00:{number // 60:02d}:{number % 60:02d}.000000+00:00"
        store.begin(id_, account, 704, 1280, at)
        store.finish(id_, at, 24, 1.0)
        store.folder_of(id_).mkdir()
    store.close()
    return ids[::-1]


def test_token_of_the_key(emulator: Emulator, rest: Rest) -> None:
    answer = rest.request("POST", "/auth/token", json={"api_key": emulator.api_key}, token=False)
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 3600
    assert rest.get("/regions").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"api_key": GOOD_FORM}, 401),
        ({"api_key": "nonsense"}, 422),
        ({"api_key": "ody_short"}, 422),
        ({"api_key": 5}, 422),
        ({}, 422),
        ([], 422),
    ],
)
def test_refused_keys(rest: Rest, body: object, status: int) -> None:
    answer = rest.request("POST", "/auth/token", json=body, token=False)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


def test_a_refused_key_says_why(emulator: Emulator, rest: Rest) -> None:
    key = emulator.add_key()
    emulator.refuse_key(key, "waiting list")
    answer = rest.request("POST", "/auth/token", json={"api_key": key}, token=False)
    assert (answer.status_code, answer.json()) == (403, {"detail": "waiting list"})


def test_body_that_is_not_json(rest: Rest) -> None:
    answer = rest.request("POST", "/auth/token", data=b"\xff{", token=False)
    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["/regions", "/stream-recordings", "/recordings/x"])
def test_no_token(rest: Rest, path: str) -> None:
    rest.token = "wrong"
    assert rest.get(path).status_code == 401
    assert rest.request("GET", path, token=False).status_code == 401


def test_a_token_expires(make_emulator: Make) -> None:
    emulator = make_emulator(limits=Limits(bearer_token_seconds=0.2))
    with Rest(emulator) as rest:
        assert rest.get("/regions").status_code == 200
        deadline = time.monotonic() + 2
        while rest.get("/regions").status_code == 200:
            assert time.monotonic() < deadline


def test_unknown_paths_and_methods_answer_json(rest: Rest) -> None:
    assert rest.get("/nothing").json() == {"detail": "Not Found"}
    answer = rest.request("DELETE", "/regions")
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})


def test_regions_can_be_pinged(rest: Rest) -> None:
    (region,) = rest.get("/regions").json()["regions"]
    assert requests.get(region["ping_url"], timeout=5).ok


def test_session_and_its_token(rest: Rest) -> None:
    session = rest.provision()
    assert session["capabilities"] == {"image_to_video": True}
    assert session["expires_in"] == 600
    payload = session["session_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["session_id"] == session["session_id"]
    config = session["signalling_url"].replace("ws", "http", 1) + "/config"
    assert requests.get(config, timeout=5).json() == {"iceServers": []}


def test_session_token_of_an_unknown_or_foreign_session(emulator: Emulator, rest: Rest) -> None:
    other = emulator.add_key()
    with Rest(emulator, other) as stranger:
        session_id = stranger.request_session()["session_id"]
    for wrong in ("no-such", session_id, None):
        answer = rest.request("POST", "/sessions/token", json={"session_id": wrong})
        assert answer.status_code == 404


def test_a_model_without_pictures(make_emulator: Make) -> None:
    with Rest(make_emulator(image_to_video=False)) as rest:
        assert rest.request_session()["capabilities"] == {"image_to_video": False}


def test_pages_newest_first_and_own_ones_only(make_emulator: Make, tmp_path: Path) -> None:
    ids = fill(tmp_path, 120)
    emulator = make_emulator(tmp_path)
    with Rest(emulator) as rest:
        first = rest.get("/stream-recordings").json()
        assert [row["stream_id"] for row in first["recordings"]] == ids[:50]
        assert (first["total"], first["limit"], first["offset"]) == (120, 50, 0)
        last = rest.get("/stream-recordings?limit=100&offset=100").json()
        assert [row["stream_id"] for row in last["recordings"]] == ids[100:]
        assert rest.get("/stream-recordings?offset=500").json()["recordings"] == []
        assert rest.get(f"/recordings/{ids[0]}").json()["video_url"] is None
    with Rest(emulator, emulator.add_key()) as stranger:
        assert stranger.get("/stream-recordings").json()["total"] == 0
        assert stranger.get(f"/recordings/{ids[0]}").status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "offset=-1", "limit=1.5"])
def test_bad_pages(rest: Rest, query: str) -> None:
    assert rest.get(f"/stream-recordings?{query}").status_code == 422


def test_telemetry_is_taken(rest: Rest) -> None:
    assert rest.request("POST", "/telemetry", json={"events": [{"x": 1}]}).ok


def test_a_browser_may_use_it(emulator: Emulator) -> None:
    preflight = requests.options(
        emulator.url + "/auth/token",
        headers={
            "Origin": "http://page.test",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
        timeout=5,
    )
    assert preflight.ok
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
    for path in ("/regions", "/nothing", "/files/a/b"):
        answer = requests.get(emulator.url + path, timeout=5)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_the_caller_may_have_a_loop(make_emulator: Make) -> None:
    emulator = make_emulator()
    with Rest(emulator) as rest:
        assert (await asyncio.to_thread(rest.get, "/regions")).ok


def test_session_tokens_that_are_forged_or_broken() -> None:
    tokens = SessionTokens(b"secret")
    good = tokens.issue("s1", 10)
    assert tokens.session_id(good) == "s1"
    assert tokens.session_id(SessionTokens(b"other").issue("s1", 10)) is None
    assert tokens.session_id(tokens.issue("s1", -1)) is None
    for broken in ("", "a.b", "a.b.c", good + "x", good[:-1], "é.é.é"):
        assert tokens.session_id(broken) is None


def test_keys() -> None:
    keys = Keys()
    assert keys.account(keys.primary) == "owner"
    assert keys.primary not in repr(keys)
    assert keys.add(GOOD_FORM) == GOOD_FORM
    assert keys.account(GOOD_FORM) not in (None, "owner")
    with pytest.raises(ValueError, match="ody_"):
        keys.add("white space")
    with pytest.raises(ValueError, match="ody_"):
        Emulator(api_key="nonsense")
