"""Prompts that the service rewrites, and asking it not to."""

from __future__ import annotations

import pytest

from odyssey import Odyssey, OdysseyAuthError, OdysseyStreamError
from odyssey.emulator import Emulator

SCRIPT = [
    {"timestamp_ms": 0, "start": {"prompt": "A cat"}},
    {"timestamp_ms": 500, "end": {}},
]


def test_the_bypass_keeps_the_prompt_as_it_is() -> None:
    with (
        Emulator(rewrite_prompts=True) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url) as client,
    ):
        client.connect()
        with client.stream("A cat") as stream:
            assert stream.applied_prompt not in (None, "A cat")
        with client.stream("A cat", bypass_prompt_expansion=True) as stream:
            assert stream.applied_prompt == "A cat"


def test_the_bypass_needs_the_privilege() -> None:
    with (
        Emulator(bypass_expansion=False) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url) as client,
    ):
        client.connect()
        with pytest.raises(OdysseyStreamError, match="bypass") as caught:
            client.start_stream("A cat", bypass_prompt_expansion=True)
        assert caught.value.reason == "forbidden"
        with pytest.raises(OdysseyAuthError, match="bypass"):
            client.simulate(script=SCRIPT, bypass_prompt_expansion=True)
        assert client.start_stream("A cat", bypass_prompt_expansion=False)
        assert client.simulate(script=SCRIPT).job_id
