"""Credentials made by one SDK and used by the other."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from odyssey import ClientCredentials, Odyssey, OdysseyError
from odyssey.emulator import Emulator, read_frame_number
from tests.interop.page import Page, WebError
from tests.support.helpers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timing]

_CONNECT = """
window.client = new odyssey.Odyssey();
const credentials = odyssey.credentialsFromDict(JSON.parse(args[0]));
await play(await client.connectWithCredentials(credentials, noting()));
"""
_CREATE = "return JSON.stringify(odyssey.credentialsToDict(await client.createClientCredentials()))"


@pytest.fixture
def keyless(open_sdk: Callable[..., Page], emulator: Emulator) -> Page:
    """A page whose client has no key."""
    return open_sdk(emulator, "")


def test_python_makes_them_and_the_browser_connects(client: Odyssey, keyless: Page) -> None:
    credentials = client.create_client_credentials()
    keyless.run(_CONNECT, json.dumps(credentials.to_dict()))
    assert keyless.run("return client.currentSessionId") == credentials.session_id
    keyless.start("A fox")
    first = keyless.frame_number()
    wait_until(lambda: keyless.frame_number() > first)
    keyless.run("client.disconnect()")


def test_the_browser_makes_them_and_python_connects(page: Page, emulator: Emulator) -> None:
    credentials = ClientCredentials.from_dict(json.loads(page.run(_CREATE)))
    with Odyssey(api_url=emulator.url, timeout=15) as client:
        client.connect_with_credentials(credentials)
        assert client.current_session_id == credentials.session_id
        with client.stream("A fox", portrait=False) as stream:
            numbers = [read_frame_number(frame.data) for frame in stream.frames.take(5)]
    assert numbers == sorted(set(numbers), key=lambda n: n or 0)


def test_both_write_the_same_fields(client: Odyssey, page: Page) -> None:
    assert (
        client.create_client_credentials().to_dict().keys() == json.loads(page.run(_CREATE)).keys()
    )


def test_a_token_that_was_changed(client: Odyssey, keyless: Page, emulator: Emulator) -> None:
    fields = client.create_client_credentials().to_dict()
    header, payload, _ = fields["session_token"].split(".")
    forged = {**fields, "session_token": f"{header}.{payload}.AAAA"}
    # Not awaited: the web SDK tries five times more before it says so.
    keyless.run(
        f"(async (...args) => {{ {_CONNECT} }})(...args).catch(() => null)", json.dumps(forged)
    )
    wait_until(lambda: keyless.run("return client.currentStatus") == "connecting")
    assert keyless.events("onConnected") == []
    keyless.run("client.disconnect()")
    with Odyssey(api_url=emulator.url, timeout=15) as other, pytest.raises(OdysseyError):
        other.connect_with_credentials(ClientCredentials.from_dict(forged))


def test_a_token_that_is_none(keyless: Page) -> None:
    fields = {"signaling_url": "ws://127.0.0.1:1", "session_token": "none", "expires_in": 600}
    with pytest.raises(WebError, match="not a valid JWT"):
        keyless.run(_CONNECT, json.dumps(fields))


def test_without_a_key_nothing_can_be_made(keyless: Page) -> None:
    with pytest.raises(WebError, match="apiKey is required"):
        keyless.run(_CREATE)
