"""Ending a peer while it gathers candidates: aiortc knows nothing of sockets it has yet to open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine

import pytest

from odyssey._rtc.peer import Peer
from odyssey._rtc.spectator import Spectator
from tests._rtc.test_peer import Nobody
from tests.fuzz.test_connection import Nobody as NoAudience
from tests.fuzz.test_connection import offer_sdp
from tests.support.helpers import open_sockets

#: More than gathering takes on a machine with some addresses.
TURNS = 40


async def ended(
    work: Coroutine[None, None, object], turns: int, cancelled: bool, peer: Peer | Spectator
) -> None:
    """Ends `peer` when its `work` has had so many turns of the loop."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    if cancelled:
        task.cancel()
    await peer.close()
    with contextlib.suppress(BaseException):
        await task


@pytest.mark.parametrize("cancelled", [True, False])
def test_no_socket_is_left_whenever_an_answer_is_ended(cancelled: bool) -> None:
    offer = offer_sdp()

    async def scenario() -> None:
        before = open_sockets()
        for turns in range(TURNS):
            peer = Peer([], Nobody())
            await ended(peer.answer(offer), turns, cancelled, peer)
            assert open_sockets() <= before, f"after {turns} turns"

    asyncio.run(scenario())


@pytest.mark.parametrize("cancelled", [True, False])
def test_no_socket_is_left_whenever_a_spectators_offer_is_ended(cancelled: bool) -> None:
    async def scenario() -> None:
        before = open_sockets()
        for turns in range(TURNS):
            spectator = Spectator(NoAudience())
            await ended(spectator.offer([]), turns, cancelled, spectator)
            assert open_sockets() <= before, f"after {turns} turns"

    asyncio.run(scenario())
