"""A hand-made client: requests, websockets and aiortc, nothing of the SDK."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import requests
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from odyssey.emulator import Emulator, read_frame_number

Message = dict[str, Any]


class Rest:
    """The REST side with a bearer token."""

    def __init__(
        self, emulator: Emulator, api_key: str | None = None, url: str | None = None
    ) -> None:
        self.emulator = emulator
        self.url = url or emulator.url
        self.api_key = api_key or emulator.api_key
        self.session = requests.Session()
        self.session.trust_env = False
        self.token = ""

    def __enter__(self) -> Rest:
        self.login()
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def login(self) -> None:
        answer = self.request("POST", "/auth/token", json={"api_key": self.api_key}, token=False)
        answer.raise_for_status()
        self.token = answer.json()["access_token"]

    def request(
        self, method: str, path: str, *, token: bool = True, **kwargs: Any
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if token else {}
        return self.session.request(method, self.url + path, headers=headers, timeout=10, **kwargs)

    def get(self, path: str) -> requests.Response:
        return self.request("GET", path)

    def request_session(self) -> Message:
        answer = self.request("POST", "/sessions/request", json={})
        answer.raise_for_status()
        return dict(answer.json())

    def provision(self) -> Message:
        """A session with its token: what one connects with."""
        session = self.request_session()
        answer = self.request("POST", "/sessions/token", json={"session_id": session["session_id"]})
        answer.raise_for_status()
        return {**session, **answer.json()}

    def fetch(self, stream_id: str, artifact: str) -> bytes:
        """A file of a recording, once it is ready."""
        url = self.recording(stream_id)[f"{artifact}_url"]
        return requests.get(url, timeout=5).content

    def events(self, stream_id: str) -> list[Message]:
        """The log of a recording, once it is ready."""
        return [json.loads(line) for line in self.fetch(stream_id, "events").splitlines()]

    def recording(self, stream_id: str, seconds: float = 3.0) -> Message:
        """The recording once it is ready."""

        def ready() -> Any:
            answer = self.get(f"/recordings/{stream_id}")
            return answer.json() if answer.status_code == 200 else None

        return dict(wait_until(ready, seconds))


def wait_until(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Poll until the condition holds; its value. AssertionError when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


@attrs.define(eq=False)
class Frame:
    """A frame as received: its number, or None for a black one."""

    number: int | None
    rgb: npt.NDArray[np.uint8]
    pts: int
    key: bool
    at: float


class Socket:
    """A signaling socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def receive(self, *types: str, seconds: float = 5.0) -> Message:
        """The next message of one of the types; junk and the rest are skipped."""

        async def look() -> Message:
            while True:
                message = parse(await self.socket.recv())
                if message.get("type") in types:
                    return message

        return await asyncio.wait_for(look(), seconds)

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def closed(self, seconds: float = 5.0) -> tuple[int, list[Message]]:
        """Wait for the end of the socket: its code (1006 when cut) and the last messages."""
        messages: list[Message] = []

        async def drain() -> None:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    messages.append(parse(await self.socket.recv()))

        await asyncio.wait_for(drain(), seconds)
        return self.socket.close_code or 1006, messages


def parse(data: str | bytes) -> Message:
    try:
        message = json.loads(data)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


class Client(Socket):
    """A connected client: frames and messages as they come."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(socket)
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channels: dict[str, RTCDataChannel] = {}
        self.frames: list[Frame] = []
        self.messages: list[Message] = []
        self.raw: list[str | bytes] = []
        self.offer_sdp = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.peer.on("datachannel", self._on_channel)
        self.peer.on("track", self._on_track)

    def _on_channel(self, channel: RTCDataChannel) -> None:
        self.channels[channel.label] = channel
        channel.on("message", self._on_message)

    def _on_message(self, data: str | bytes) -> None:
        self.raw.append(data)
        message = parse(data)
        if message:
            self.messages.append(message)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.ensure_future(self._receive(track)))

    async def _receive(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                rgb = await asyncio.to_thread(frame.to_ndarray, format="rgb24")
                number = read_frame_number(rgb)
                self.frames.append(
                    Frame(
                        number,
                        rgb[::4, ::4].copy(),
                        frame.pts,
                        bool(frame.key_frame),
                        time.monotonic(),
                    )
                )

    async def handshake(self, channels: int = 2) -> None:
        offer = await self.receive("offer")
        self.offer_sdp = offer["sdp"]
        await self.peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        await self.send(type="answer", sdp=self.peer.localDescription.sdp)
        if "a=candidate" not in offer["sdp"]:
            await self.add_candidate(await self.receive("ice_candidate"))
        await self.until(lambda: len(self.channels) == channels)

    async def add_candidate(self, message: Message) -> None:
        candidate = candidate_from_sdp(message["candidate"].removeprefix("candidate:"))
        candidate.sdpMid, candidate.sdpMLineIndex = message["sdpMid"], message["sdpMLineIndex"]
        await self.peer.addIceCandidate(candidate)

    async def until(self, condition: Callable[[], Any], seconds: float = 5.0) -> Any:
        """Wait for a condition; its value."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"not in time; messages: {self.messages}"
            await asyncio.sleep(0.01)
        return value

    def tell(self, type_: str, **fields: Any) -> None:
        """Send on the data channel."""
        self.channels["clientToStreamer"].send(json.dumps({"type": type_, **fields}))

    def of_type(self, type_: str) -> list[Message]:
        return [m for m in self.messages if m.get("type") == type_]

    async def ask(self, type_: str, reply: str, **fields: Any) -> Message:
        """Send on the data channel and wait for one more reply of a type."""
        before = len(self.of_type(reply))
        self.tell(type_, **fields)
        await self.until(lambda: len(self.of_type(reply)) > before)
        return self.of_type(reply)[before]

    async def start(self, prompt: str = "A cat", **fields: Any) -> str:
        reply = await self.ask(
            "interactive_stream_start",
            "stream_started",
            **{"prompt": prompt, "portrait": True, "input_image_base64": None, **fields},
        )
        return str(reply["stream_id"])

    async def end(self) -> None:
        await self.ask("interactive_stream_end", "stream_ended")

    def numbers(self) -> list[int]:
        """The numbers of the frames of streams, in the order received."""
        return [frame.number for frame in self.frames if frame.number is not None]

    async def more_frames(self, count: int, seconds: float = 10.0) -> list[Frame]:
        """Wait for so many more frames that have a number."""
        before = len(self.frames)

        def fresh() -> list[Frame] | None:
            new = [frame for frame in self.frames[before:] if frame.number is not None]
            return new if len(new) >= count else None

        return list(await self.until(fresh, seconds))

    async def leave(self) -> None:
        """Go as a client should."""
        with contextlib.suppress(ConnectionClosed):
            await self.send(type="client_disconnecting")

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.peer.close()


def socket_url(session: Message) -> str:
    base = session["signalling_url"].replace("http", "ws", 1)
    return f"{base}/client/{session['session_id']}?token={session['session_token']}"


@contextlib.asynccontextmanager
async def signaling(session: Message) -> AsyncIterator[Socket]:
    """The bare socket of a session."""
    async with open_socket(socket_url(session), max_size=None, proxy=None) as socket:
        yield Socket(socket)


@contextlib.asynccontextmanager
async def connected(session: Message, channels: int = 2) -> AsyncIterator[Client]:
    """A client with its channels open."""
    async with open_socket(socket_url(session), max_size=None, proxy=None) as socket:
        client = Client(socket)
        try:
            await client.handshake(channels)
            yield client
            await client.leave()
        finally:
            await client.close()
