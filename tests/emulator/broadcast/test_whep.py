"""Spectators of a broadcast stream, by hand: requests and aiortc, nothing of the SDK."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urljoin

import av
import pytest
import requests
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from odyssey.emulator import Emulator, faults, read_frame_number
from odyssey.emulator.broadcast import broadcast
from odyssey.emulator.broadcast.spectator_peer import SpectatorTrack
from odyssey.emulator.encoder import FrameEncoder
from tests.emulator.raw_client import Client, Message, Rest, connected, wait_until

pytestmark = pytest.mark.live

SDP = {"Content-Type": "application/sdp"}


class Viewer:
    """A spectator: the numbers of the frames it saw, and which of them were key frames."""

    def __init__(self, ready: Message) -> None:
        self.url = f"{ready['webrtc_url']}/whep"
        self.token = ready["spectator_token"]
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.numbers: list[int] = []
        self.keys: list[int] = []
        self.ended = asyncio.Event()
        self.answer = ""
        self.location = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.peer.on(
            "track", lambda track: self._tasks.append(asyncio.ensure_future(self._see(track)))
        )

    async def join(self, kinds: tuple[str, ...] = ("video", "audio")) -> requests.Response:
        for kind in kinds:
            self.peer.addTransceiver(kind, direction="recvonly")
        await self.peer.setLocalDescription(await self.peer.createOffer())
        reply = await post(self.url, self.token, self.peer.localDescription.sdp)
        self.answer = reply.text
        self.location = urljoin(self.url, reply.headers["Location"])
        await self.peer.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        return reply

    async def leave(self) -> int:
        reply = await asyncio.to_thread(requests.delete, self.location, timeout=5)
        return reply.status_code

    async def until(self, condition: Callable[[], Any], seconds: float = 5.0) -> None:
        await asyncio.to_thread(wait_until, condition, seconds)

    async def sees(self, count: int) -> None:
        await self.until(lambda: len(self.numbers) >= count)

    async def close(self) -> None:
        await self.peer.close()
        for task in self._tasks:
            task.cancel()

    async def _see(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                number = read_frame_number(frame.to_ndarray(format="rgb24"))
                assert number is not None
                self.numbers.append(number)
                if frame.key_frame:
                    self.keys.append(number)
        self.ended.set()


@contextlib.asynccontextmanager
async def viewer(ready: Message) -> AsyncIterator[Viewer]:
    watching = Viewer(ready)
    try:
        yield watching
    finally:
        await watching.close()


@contextlib.asynccontextmanager
async def on_air(rest: Rest) -> AsyncIterator[tuple[Client, Message]]:
    """A client whose stream is broadcast, and the announcement."""
    session = await asyncio.to_thread(rest.provision)
    async with connected(session) as client:
        await client.start(broadcast=True)
        (ready,) = await client.until(lambda: client.of_type("broadcast_ready"))
        yield client, ready


async def post(url: str, token: str | None, sdp: str, **headers: str) -> requests.Response:
    params = {} if token is None else {"token": token}
    return await asyncio.to_thread(
        requests.post, url, params=params, data=sdp.encode(), headers=SDP | headers, timeout=5
    )


async def test_it_is_announced_after_the_start(emulator: Emulator, rest: Rest) -> None:
    async with on_air(rest) as (client, ready):
        types = [m["type"] for m in client.messages]
        assert types == ["stream_started", "broadcast_ready"]
        stream_id = client.messages[0]["stream_id"]
        assert ready["webrtc_url"].startswith(emulator.url)
        assert ready["broadcast_url"].startswith(emulator.url)
        assert stream_id in ready["webrtc_url"]
        assert len(ready["spectator_token"]) > 20
        await client.end()
        await client.start()
        await client.ask("update", "update_acknowledged", prompt="It yawns")
        assert len(client.of_type("broadcast_ready")) == 1


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_several_watch_one_encoding(
    make_emulator: Callable[..., Emulator], codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = 0
    encode = FrameEncoder.encode

    def counted(self: FrameEncoder, *args: Any, **kwargs: Any) -> Any:
        nonlocal encoded
        encoded += 1
        return encode(self, *args, **kwargs)

    monkeypatch.setattr(FrameEncoder, "encode", counted)
    emulator = make_emulator(codec=codec)
    with Rest(emulator) as rest:
        async with on_air(rest) as (client, ready):
            async with viewer(ready) as one, viewer(ready) as two, viewer(ready) as three:
                for each in (one, two, three):
                    await each.join()
                for each in (one, two, three):
                    await each.sees(12)
                    assert each.numbers == list(range(each.numbers[0], each.numbers[-1] + 1))
                    # libvpx's frames don't say whether they are key frames.
                    assert codec == "vp8" or each.numbers[0] in each.keys
                assert emulator.connections[0].spectators == 3
                assert set(one.numbers) & set(two.numbers) & set(three.numbers)
                await client.end()
                for each in (one, two, three):
                    await asyncio.wait_for(each.ended.wait(), 3)
        assert encoded <= emulator.connections[0].frames_sent + 2


async def test_the_answer(emulator: Emulator, rest: Rest) -> None:
    async with on_air(rest) as (_, ready), viewer(ready) as watching:
        reply = await watching.join()
        assert reply.status_code == 201
        assert reply.headers["Content-Type"].startswith("application/sdp")
        assert reply.headers["Location"].startswith("/")
        assert "Location" in reply.headers["Access-Control-Expose-Headers"]
        video, audio = reply.text.split("m=video")[1].split("m=audio")
        assert "a=sendonly" in video
        assert "a=candidate" in video
        assert "a=end-of-candidates" in video
        assert "a=inactive" in audio
        await watching.sees(1)  # older aiortc complains when it is closed while it connects


async def test_who_joins_late_has_a_picture_at_once(rest: Rest) -> None:
    async with on_air(rest) as (client, ready):
        await client.more_frames(30)
        async with viewer(ready) as watching:
            await watching.join(("video",))
            await watching.until(lambda: watching.peer.connectionState == "connected")
            await watching.until(lambda: watching.numbers, 0.6)
            assert watching.numbers[0] >= 30


async def test_a_key_frame_when_asked_for(make_emulator: Callable[..., Emulator]) -> None:
    with Rest(make_emulator(codec="h264")) as rest:
        async with on_air(rest) as (_, ready), viewer(ready) as watching:
            await watching.join()
            await watching.sees(10)
            keys = len(watching.keys)
            receiver: Any = watching.peer.getReceivers()[0]
            for source in receiver.getSynchronizationSources():
                await receiver._send_rtcp_pli(source.source)
            await watching.until(lambda: len(watching.keys) > keys, 1)


async def test_leaving(emulator: Emulator, rest: Rest) -> None:
    async with on_air(rest) as (client, ready):
        async with viewer(ready) as one, viewer(ready) as two:
            await one.join()
            await two.join()
            await one.until(lambda: one.numbers and two.numbers)
            assert await one.leave() == 200
            assert emulator.connections[0].spectators == 1
            await asyncio.wait_for(one.ended.wait(), 2)
            assert await one.leave() == 404
            seen = len(two.numbers)
            await two.until(lambda: len(two.numbers) >= seen + 6)
        # Without a DELETE the closed peer is noticed.
        await client.until(lambda: emulator.connections[0].spectators == 0)


async def test_refusals(rest: Rest) -> None:
    async with on_air(rest) as (client, ready):
        url, token = f"{ready['webrtc_url']}/whep", ready["spectator_token"]
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        offer = peer.localDescription.sdp
        await peer.close()
        assert (await post(url, token + "x", offer)).status_code == 401
        assert (await post(url, None, offer)).status_code == 401
        assert (await post(f"{rest.url}/broadcasts/nothing/whep", token, offer)).status_code == 404
        as_json = {"Content-Type": "application/json"}
        assert (await post(url, token, offer, **as_json)).status_code == 415
        assert (await post(url, token, "nonsense")).status_code == 400
        assert (await post(url, token, offer + "a=x\r\n" * 60_000)).status_code == 413
        assert (await post(url, token, offer.replace("VP8", "AV1"))).status_code == 400
        preflight = await asyncio.to_thread(requests.options, url, timeout=5)
        assert preflight.status_code == 204
        assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
        await client.end()
        assert (await post(url, token, offer)).status_code == 404


async def test_who_never_connects_is_forgotten(
    emulator: Emulator, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "_CONNECT_SECONDS", 0.2)
    async with on_air(rest) as (client, ready):
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        reply = await post(
            f"{ready['webrtc_url']}/whep", ready["spectator_token"], peer.localDescription.sdp
        )
        await peer.close()
        assert reply.status_code == 201
        assert emulator.connections[0].spectators == 1
        await client.until(lambda: emulator.connections[0].spectators == 0)


@pytest.mark.parametrize("missing", ["webrtc_url", "spectator_token"])
async def test_an_incomplete_announcement(emulator: Emulator, rest: Rest, missing: Any) -> None:
    emulator.faults.inject(faults.BroadcastIncomplete(missing=missing), times=1)
    async with on_air(rest) as (_, ready):
        assert missing not in ready
        assert "broadcast_url" in ready


async def test_the_configuration(emulator: Emulator) -> None:
    servers = [{"urls": ["stun:127.0.0.1:9"]}]
    emulator.faults.inject(faults.IceServers(servers=servers))
    reply = await asyncio.to_thread(requests.get, f"{emulator.url}/config", timeout=5)
    assert reply.json() == {"iceServers": servers}


async def test_closing_the_emulator_ends_all(emulator: Emulator, rest: Rest) -> None:
    session = await asyncio.to_thread(rest.provision)
    with contextlib.suppress(Exception):
        async with connected(session) as client:
            await client.start(broadcast=True)
            (ready,) = await client.until(lambda: client.of_type("broadcast_ready"))
            async with viewer(ready) as watching:
                await watching.join()
                await watching.until(lambda: watching.numbers)
                await asyncio.to_thread(emulator.close)
                await asyncio.wait_for(watching.ended.wait(), 3)
    assert watching.ended.is_set()


# One that can't keep up.


def packet(pts: int, *, key: bool = False) -> av.Packet[Any]:
    made: av.Packet[Any] = av.Packet(bytes([pts % 256]))
    made.pts, made.is_keyframe = pts, key
    return made


async def test_a_slow_one_goes_on_with_a_key_frame() -> None:
    asked: list[None] = []
    track = SpectatorTrack(lambda: asked.append(None))
    track.put(packet(0, key=True))  # before aiortc wants any: nothing waits
    first = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0)
    assert len(asked) == 1
    track.put(packet(1))
    track.put(packet(2, key=True))
    assert (await first).pts == 2
    for pts in range(3, 80):
        track.put(packet(pts))
    assert len(asked) == 2
    track.put(packet(80, key=True))
    assert (await track.recv()).pts == 80
    track.put(packet(81))
    track.finish()
    assert (await track.recv()).pts == 81
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert track.drained.is_set()
