"""Prompts that the service rewrites, and asking it not to."""

from __future__ import annotations

import json

import pytest

from odyssey import Odyssey, OdysseyAuthError, OdysseyStreamError
from odyssey._rtc.peer import Peer
from odyssey.emulator import Emulator
from tests.support.servers import Reply, Request, TinyServer

pytestmark = pytest.mark.live

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


@pytest.mark.parametrize("bypass", [None, False, True])
def test_what_the_caller_gave_is_sent_and_nothing_else(bypass: bool | None) -> None:
    def answer(request: Request) -> Reply | None:
        job = Reply({"job_id": "j", "status": "pending"})
        return job if request.path == "/simulation-jobs" else None

    with TinyServer(answer) as service, Odyssey("ody_key", api_url=service.url) as client:
        client.simulate(script=SCRIPT, bypass_prompt_expansion=bypass)
        (request,) = service.asked("/simulation-jobs")
    assert json.loads(request.body).get("bypass_vlm_expansion") is bypass


@pytest.mark.parametrize("bypass", [None, False, True])
def test_a_start_says_what_the_caller_gave(
    connected: Odyssey, bypass: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    send = Peer.send

    def noted(peer: Peer, text: str) -> None:
        sent.append(text)
        send(peer, text)

    monkeypatch.setattr(Peer, "send", noted)
    assert connected.start_stream("A cat", bypass_prompt_expansion=bypass)
    (start,) = (json.loads(text) for text in sent)
    assert start.get("bypass_vlm_expansion") is bypass
