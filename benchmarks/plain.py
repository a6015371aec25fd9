"""What one writes without an SDK: REST by hand, signaling, and aiortc's `recv()`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import av
import requests
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from websockets.asyncio.client import connect as open_socket


def _session(url: str, api_key: str) -> str:
    """The address of the signaling socket."""
    with requests.Session() as http:
        token = http.post(f"{url}/auth/token", json={"api_key": api_key}, timeout=10).json()
        http.headers["Authorization"] = f"Bearer {token['access_token']}"
        session = http.post(f"{url}/sessions/request", json={}, timeout=10).json()
        asked = {"session_id": session["session_id"]}
        token = http.post(f"{url}/sessions/token", json=asked, timeout=10).json()
    base = session["signalling_url"].replace("http", "ws", 1)
    return f"{base}/client/{session['session_id']}?token={token['session_token']}"


async def receive(
    url: str, api_key: str, use: Callable[[av.VideoFrame], Awaitable[bool] | bool]
) -> None:
    """Connects, starts a stream, and gives `use` each frame until it returns False."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    track: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
    open_ = asyncio.Event()
    channels: dict[str, RTCDataChannel] = {}

    @pc.on("track")
    def _(found: MediaStreamTrack) -> None:
        track.set_result(found)

    @pc.on("datachannel")
    def _(channel: RTCDataChannel) -> None:
        channels[channel.label] = channel
        if len(channels) == 2:
            open_.set()

    async with open_socket(_session(url, api_key)) as socket:
        offer = json.loads(await socket.recv())
        await pc.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        await socket.send(json.dumps({"type": "answer", "sdp": pc.localDescription.sdp}))
        await open_.wait()
        channels["clientToStreamer"].send(
            json.dumps({"type": "interactive_stream_start", "prompt": "A cat", "portrait": True})
        )
        video = await track
        while True:
            frame = await video.recv()
            assert isinstance(frame, av.VideoFrame)
            if not use(frame):
                break
        await pc.close()
