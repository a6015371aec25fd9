"""Sessions for programs that have no key."""

from __future__ import annotations

import json
import time

import pytest

from odyssey import ClientCredentials, Odyssey, OdysseyAuthError, StreamerCapabilities
from odyssey.emulator import Emulator, Limits
from tests.support.helpers import wait_until


def test_another_program_streams_with_them(client: Odyssey, emulator: Emulator) -> None:
    credentials = client.create_client_credentials()
    assert credentials.expires_in == 600
    assert credentials.capabilities == StreamerCapabilities(image_to_video=True)
    text = json.dumps(credentials.to_dict())
    assert set(json.loads(text)) == {
        *("session_id", "signaling_url", "session_token", "expires_in", "capabilities")
    }
    assert credentials.session_token not in repr(credentials)

    received = ClientCredentials.from_dict(json.loads(text))
    assert received == credentials
    with Odyssey() as other:  # no key, and not even the service's address
        assert other.connect_with_credentials(received) is other
        assert other.current_session_id == credentials.session_id
        assert other.capabilities.image_to_video
        with other.stream("A cat") as stream:
            assert len(stream.frames.take(6)) == 6
    assert [c.session_id for c in emulator.connections] == [credentials.session_id]


def test_they_are_good_once(client: Odyssey, emulator: Emulator) -> None:
    credentials = client.create_client_credentials()
    with Odyssey(timeout=5) as first, Odyssey(timeout=5) as second:
        first.connect_with_credentials(credentials)
        with pytest.raises(Exception, match="signaling server refused"):
            second.connect_with_credentials(credentials)
        assert first.is_connected


def test_expired_ones_are_refused() -> None:
    limits = Limits(session_token_seconds=0.2)
    with (
        Emulator(limits=limits) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url) as client,
    ):
        credentials = client.create_client_credentials()
        over = time.monotonic() + 0.25
        wait_until(lambda: time.monotonic() > over)
        with Odyssey(timeout=5) as other:
            with pytest.raises(OdysseyAuthError, match=r"session token.*expired") as caught:
                other.connect_with_credentials(credentials)
            assert caught.value.status == 401
            assert credentials.session_token not in str(caught.value)
            assert not other.is_connected


def test_forged_ones_are_refused(client: Odyssey) -> None:
    data = client.create_client_credentials().to_dict()
    head, body, _ = data["session_token"].split(".")
    forged = ClientCredentials.from_dict(data | {"session_token": f"{head}.{body}.AAAA"})
    with Odyssey(timeout=5) as other, pytest.raises(OdysseyAuthError):
        other.connect_with_credentials(forged)


def test_making_them_needs_a_key() -> None:
    with Odyssey() as client, pytest.raises(ValueError, match="ODYSSEY_API_KEY"):
        client.create_client_credentials()


def test_only_credentials_are_credentials(client: Odyssey) -> None:
    data = client.create_client_credentials().to_dict()
    with pytest.raises(TypeError, match="from_dict"):
        client.connect_with_credentials(data)  # type: ignore[arg-type]
