"""Streams over real WebRTC: frames, interactions, sizes, codecs, recordings."""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import Callable

import av
import numpy as np
import pytest
from PIL import Image

from odyssey.emulator import Emulator, read_frame_number
from odyssey.emulator.service import Service
from odyssey.emulator.workers import Workers
from tests.emulator.conftest import Complaints
from tests.emulator.raw_client import Client, Frame, Rest, connected, signaling

pytestmark = pytest.mark.live

Make = Callable[..., Emulator]


def difference(one: Frame, other: Frame) -> float:
    """Mean absolute difference, 0 to 255."""
    return float(np.abs(one.rgb.astype(int) - other.rgb.astype(int)).mean())


def data_url(colour: tuple[int, int, int], format_: str = "JPEG") -> str:
    file = io.BytesIO()
    Image.new("RGB", (704, 1280), colour).save(file, format_)
    return f"data:image/{format_.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def errors(client: Client) -> list[str]:
    return [message["reason"] for message in client.of_type("interactive_stream_error")]


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_a_stream_from_start_to_recording(make_emulator: Make, codec: str) -> None:
    emulator = make_emulator(codec=codec)
    with Rest(emulator) as rest:
        async with connected(rest.provision()) as client:
            assert f" {codec}/90000" in client.offer_sdp.lower()
            await client.until(lambda: len(client.frames) >= 2)
            assert client.numbers() == []
            assert max(frame.rgb.max() for frame in client.frames) < 40

            stream_id = await client.start("A cat on a windowsill")
            frames = await client.more_frames(30)
            assert client.numbers() == list(range(len(client.numbers())))
            assert frames[0].rgb.shape == (320, 176, 3)
            steps = [frame.pts - frames[0].pts for frame in frames]
            assert all(abs(step - 3750 * round(step / 3750)) <= 1 for step in steps)
            assert abs(steps[-1] / 90_000 - (frames[-1].at - frames[0].at)) < 0.5

            reply = await client.ask("update", "update_acknowledged", prompt="It snows")
            assert reply == {"type": "update_acknowledged", "prompt": "It snows"}
            await client.end()
            await client.until(lambda: client.frames[-1].number is None)
            (now,) = emulator.connections
            assert now.prompts == ("A cat on a windowsill", "It snows")
            assert (now.streams, now.stream_id) == ((stream_id,), None)
        check_recording(rest, stream_id, client.numbers())
    pts = [frame.pts for frame in client.frames]
    assert pts == sorted(set(pts))


def check_recording(rest: Rest, stream_id: str, received: list[int]) -> None:
    """The files hold what was sent."""
    with av.open(io.BytesIO(rest.fetch(stream_id, "video")), "r") as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    numbers = [read_frame_number(frame) for frame in frames]
    assert numbers == list(range(len(frames)))
    assert rest.recording(stream_id)["frame_count"] == len(frames)
    assert received[-1] == len(frames) - 1
    events = rest.events(stream_id)
    assert [event["type"] for event in events] == ["start", "interact", "end"]
    assert events[1]["applied_prompt"] == "It snows"
    assert Image.open(io.BytesIO(rest.fetch(stream_id, "thumbnail"))).format == "JPEG"
    assert rest.fetch(stream_id, "preview")[4:8] == b"ftyp"


async def test_two_streams_of_two_sizes_on_one_connection(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        first = await client.start("A forest", portrait=True)
        await client.more_frames(12)
        await client.end()
        before = len(client.frames)
        second = await client.start("The sea", portrait=False)
        assert first != second
        await client.more_frames(12)
        numbered = [frame for frame in client.frames[before:] if frame.number is not None]
        # The first stream's last frame may be on its way yet when its end is known.
        second_frames = [frame for frame in numbered if frame.rgb.shape == (176, 320, 3)]
        assert len(numbered) - len(second_frames) <= 2
        assert [f.number for f in second_frames] == list(range(len(second_frames)))
        await client.end()
        await asyncio.to_thread(rest.recording, first)
        await asyncio.to_thread(rest.recording, second)
    rows = rest.get("/stream-recordings").json()["recordings"]
    assert [row["stream_id"] for row in rows] == [second, first]
    assert [(row["width"], row["height"]) for row in rows] == [(1280, 704), (704, 1280)]


async def test_an_interaction_is_seen(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.start("A calm blue lake in the morning")
        (still, *_, later) = await client.more_frames(12)
        alone = difference(still, later)
        await client.ask("update", "update_acknowledged", prompt="A red city at night, in flames")
        changed = (await client.more_frames(14))[-1]
        assert difference(later, changed) > max(4.0, 1.5 * alone)


async def test_a_start_with_a_picture_over_the_socket(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.send(
            type="interactive_stream_start",
            prompt="",
            portrait=True,
            input_image_base64=data_url((200, 30, 30)),
            broadcast=False,
        )
        await client.until(lambda: client.of_type("stream_started"))
        frame = (await client.more_frames(6))[-1]
        red, _, blue = frame.rgb[100:220].reshape(-1, 3).mean(axis=0)
        assert red > blue + 30


async def test_a_start_that_comes_before_the_channels(emulator: Emulator, rest: Rest) -> None:
    async with signaling(rest.provision()) as socket:
        await socket.send(type="interactive_stream_start", prompt="Early", portrait=True)
        client = Client(socket.socket)
        await client.handshake()
        await client.until(lambda: client.of_type("stream_started"))
        await client.close()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prompt": 5},
        {"prompt": "x", "portrait": "yes"},
        {"prompt": "x", "input_image_base64": 7},
        {"prompt": "x", "broadcast": 1},
    ],
)
async def test_misshapen_starts(emulator: Emulator, rest: Rest, fields: dict[str, object]) -> None:
    async with connected(rest.provision()) as client:
        client.tell("interactive_stream_start", **fields)
        await client.until(lambda: errors(client))
        assert errors(client) == ["invalid_request"]


async def test_pictures_that_cannot_be_read(emulator: Emulator, rest: Rest) -> None:
    bad = ["nonsense", "data:image/png;base64,@@", "data:image/png;base64,aGFsbG8="]
    async with connected(rest.provision()) as client:
        for url in bad:
            start = {"prompt": "x", "input_image_base64": url}
            error = await client.ask(
                "interactive_stream_start", "interactive_stream_error", **start
            )
            assert error["reason"] == "invalid_image"
        await client.start("and yet it works")


async def test_what_the_state_does_not_allow(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        client.tell("update", prompt="x")
        client.tell("interactive_stream_end")
        await client.until(lambda: len(errors(client)) == 2)
        await client.start("One")
        client.tell("interactive_stream_start", prompt="Two")
        await client.until(lambda: len(errors(client)) == 3)
        client.tell("update", prompt="  ")
        await client.until(lambda: len(errors(client)) == 4)
        await client.end()
        assert errors(client) == ["invalid_state"] * 3 + ["invalid_request"]


async def test_rewritten_prompts(make_emulator: Make) -> None:
    with Rest(make_emulator(rewrite_prompts=True)) as rest:
        async with connected(rest.provision()) as client:
            start = {"prompt": "A cat", "portrait": True, "input_image_base64": None}
            reply = await client.ask("interactive_stream_start", "stream_started", **start)
            assert reply["applied_prompt"] == "Cinematic shot: A cat"
            reply = await client.ask("update", "update_acknowledged", prompt="It jumps")
            assert reply["prompt"] == "Cinematic shot: It jumps"
            await client.end()
            start["bypass_vlm_expansion"] = True
            reply = await client.ask("interactive_stream_start", "stream_started", **start)
            assert reply["applied_prompt"] == "A cat"


async def test_a_stream_that_ends_at_once_has_a_picture(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        stream_id = await client.start("Short")
        await client.end()
        recording = await asyncio.to_thread(rest.recording, stream_id)
        assert recording["frame_count"] >= 1
        assert recording["video_url"] is not None


async def test_a_client_that_vanishes_is_recorded(emulator: Emulator, rest: Rest) -> None:
    async with signaling(rest.provision()) as socket:
        client = Client(socket.socket)
        await client.handshake()
        stream_id = await client.start("Gone")
        await client.more_frames(6)
        socket.socket.transport.abort()
        recording = await asyncio.to_thread(rest.recording, stream_id)
        assert recording["frame_count"] >= 6
        await client.close()
    assert rest.events(stream_id)[-1]["reason"] == "connection_lost"


async def test_a_scene_that_cannot_be_painted(
    emulator: Emulator, rest: Rest, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints.expected.append("painting failed")
    async with connected(rest.provision()) as client:
        with monkeypatch.context() as patch:
            patch.setattr("odyssey.emulator.live.live_stream.Scene.paint", lambda *_: 1 / 0)
            await client.start("Impossible")
            await client.until(lambda: errors(client))
        assert errors(client) == ["internal_error"]
        await client.start("Possible")
        await client.more_frames(3)


async def test_a_scene_that_cannot_be_set(
    emulator: Emulator, rest: Rest, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints.expected.append("answering interactive_stream_start failed")
    async with connected(rest.provision()) as client:
        with monkeypatch.context() as patch:
            patch.setattr("odyssey.emulator.live.live_stream.Scene.__init__", lambda *_: 1 / 0)
            client.tell("interactive_stream_start", prompt="Impossible")
            await client.until(lambda: errors(client))
        assert errors(client) == ["internal_error"]
        await client.start("Possible")


async def test_a_recording_that_fails(
    emulator: Emulator, rest: Rest, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints.expected.append("the recording failed")
    async with connected(rest.provision()) as client:
        with monkeypatch.context() as patch:
            patch.setattr("odyssey.emulator.live.live_stream.Recorder.finish", lambda *_: 1 / 0)
            lost = await client.start("Lost")
            await client.end()
            await client.until(lambda: complaints.seen)
        kept = await client.start("Kept")
        await client.end()
        await asyncio.to_thread(rest.recording, kept)
    assert rest.get(f"/recordings/{lost}").status_code == 404
    assert rest.get("/stream-recordings").json()["total"] == 1


async def test_two_clients_at_once(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as one, connected(rest.provision()) as two:
        assert await one.start("One") != await two.start("Two")
        await asyncio.gather(one.more_frames(12), two.more_frames(12))
        assert two.numbers()[:10] == list(range(10))
        assert one.numbers()[:10] == list(range(10))


async def test_a_key_frame_is_sent_when_asked_for(make_emulator: Make) -> None:
    with Rest(make_emulator(codec="h264")) as rest:
        async with connected(rest.provision()) as client:
            await client.start("Keys")
            await client.more_frames(3)
            (receiver,) = client.peer.getReceivers()
            ssrc = next(iter(vars(receiver)["_RTCRtpReceiver__active_ssrc"]))
            asked_at = len(client.frames)
            await receiver._send_rtcp_pli(ssrc)
            await client.until(lambda: any(f.key for f in client.frames[asked_at:]))
            assert sum(f.key for f in client.frames[asked_at:]) == 1


@pytest.mark.slow
async def test_fault_a_lost_socket_while_a_busy_machine_ends_the_stream(
    emulator: Emulator, rest: Rest, complaints: Complaints
) -> None:
    """The recording is finished all the same, and the stream no longer counts as running."""
    complaints.expected.append("a request took longer")

    def painter(service: Service) -> Workers:
        (connection,) = service._live()
        return connection._streamer._painter

    async with connected(rest.provision()) as client:
        stream_id = await client.start()
        await client.more_frames(3)
        busy = emulator._call(painter)
        sleeping = busy.submit(time.sleep, 2.0)
        # The next picture waits for it.
        await client.until(lambda: sleeping.running() and busy._jobs.qsize())
        client.tell("interactive_stream_end")
        await client.until(lambda: emulator.connections[0].stream_id is None)
        emulator.faults.cut_sockets()
    recording = await asyncio.to_thread(rest.recording, stream_id, 10.0)
    assert recording["frame_count"] >= 3
    assert complaints.seen
