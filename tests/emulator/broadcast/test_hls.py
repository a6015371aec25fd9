"""The playlist of a broadcast stream, opened as any player does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
import requests

from odyssey.emulator import Emulator, read_frame_number
from odyssey.emulator.broadcast import broadcasts, hls
from odyssey.emulator.broadcast.hls import HlsOutput
from odyssey.emulator.encoder import CLOCK_RATE, FRAME_RATE, FrameEncoder
from tests.emulator.broadcast.test_whep import on_air, packet
from tests.emulator.raw_client import Rest, wait_until

pytestmark = pytest.mark.live

SECOND = CLOCK_RATE


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=10)


def segments(playlist: str) -> list[str]:
    return re.findall(r"^(segment-\d+\.ts)", playlist, re.MULTILINE)


def watch(url: str, count: int) -> list[int]:
    """The numbers of the first frames in the playlist; all if there are fewer."""
    numbers = []
    with av.open(url) as container:
        for frame in container.decode(video=0):
            number = read_frame_number(frame.to_ndarray(format="rgb24"))
            assert number is not None
            numbers.append(number)
            if len(numbers) == count:
                break
    return numbers


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_a_player_opens_it(make_emulator: Callable[..., Emulator], codec: str) -> None:
    emulator = make_emulator(codec=codec)
    with Rest(emulator) as rest:
        async with on_air(rest) as (client, ready):
            url = ready["broadcast_url"]
            numbers = await asyncio.to_thread(watch, url, 36)
            assert numbers == list(range(numbers[0], numbers[0] + 36))
            early = (await asyncio.to_thread(get, url)).text
            assert "ENDLIST" not in early
            await client.end()
            await client.until(lambda: "ENDLIST" in get(url).text)
            late = (await asyncio.to_thread(get, url)).text
            assert len(segments(late)) > len(segments(early))
            # A player that comes after the end sees all that is listed.
            assert (await asyncio.to_thread(watch, url, 1000))[: len(numbers)] == numbers


async def test_who_may_have_it(rest: Rest) -> None:
    async with on_air(rest) as (client, ready):
        url = ready["broadcast_url"]
        bare, _, query = url.partition("?")
        assert (await asyncio.to_thread(get, bare)).status_code == 401
        assert (await asyncio.to_thread(get, f"{bare}?token=wrong")).status_code == 401
        reply = await asyncio.to_thread(get, url)
        assert reply.status_code == 200
        assert reply.headers["Content-Type"] == "application/vnd.apple.mpegurl"
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        name = segments(reply.text)[0]
        assert f"{name}?{query}\n" in reply.text
        segment = bare.replace("playlist.m3u8", name)
        assert (await asyncio.to_thread(get, segment)).status_code == 401
        assert (await asyncio.to_thread(get, f"{segment}?{query}")).content[:1] == b"G"
        for other in ("segment-999999.ts", "other.ts", "..%2Fsecret"):
            missing = bare.replace("playlist.m3u8", other)
            assert (await asyncio.to_thread(get, f"{missing}?{query}")).status_code == 404
        await client.end()


async def test_nothing_is_made_unless_asked_for(rest: Rest) -> None:
    async with on_air(rest) as (client, ready):
        await client.more_frames(3)
        await client.end()
        await client.until(lambda: get(ready["broadcast_url"]).status_code == 404)


@pytest.mark.slow
async def test_it_goes_some_time_after_the_end(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasts, "_KEPT_SECONDS", 0.5)
    async with on_air(rest) as (client, ready):
        assert (await asyncio.to_thread(get, ready["broadcast_url"])).status_code == 200
        await client.end()
        await client.until(lambda: get(ready["broadcast_url"]).status_code == 404)


# The output alone.


class Source:
    """Small pictures, encoded as live ones are; a key frame where one was asked for."""

    def __init__(self, codec: Any) -> None:
        self.key_wanted = False
        self._encoder = FrameEncoder(codec, 200_000)
        self._count = 0

    def want_key(self) -> None:
        self.key_wanted = True

    def packet(self) -> av.Packet[Any]:
        frame = av.VideoFrame(64, 64, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([self._count % 256]) * plane.buffer_size)
        key, self.key_wanted = self.key_wanted, False
        pts = 1_000_000 + self._count * SECOND // FRAME_RATE
        self._count += 1
        return self._encoder.encode(frame, pts, key=key)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_old_segments_go(tmp_path: Path, codec: Any) -> None:
    source = Source(codec)
    output = HlsOutput(tmp_path, codec, source.want_key)
    for _ in range(16 * FRAME_RATE):
        output.add(source.packet())
        wait_until(lambda: len(output._packets) < 20)
    output.finish()
    text = output.playlist.read_text()
    assert "EXT-X-ENDLIST" in text
    assert len(segments(text)) == hls._SEGMENTS_LISTED
    assert segments(text)[0] != "segment-000000.ts"
    files = sorted(p.name for p in tmp_path.glob("*.ts"))
    assert len(files) <= hls._SEGMENTS_LISTED + 2
    assert set(segments(text)) <= set(files)


def test_it_never_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls, "_MOST_WAITING", 4)
    source = Source("vp8")
    output = HlsOutput(tmp_path, "vp8", source.want_key)
    output.add(source.packet())
    wait_until(lambda: not output._packets)  # else the thread may find nothing but what was dropped
    for _ in range(100):
        output.add(source.packet())
        assert len(output._packets) <= 4
    output.finish()
    assert "ENDLIST" in output.playlist.read_text()


def test_one_that_fails_takes_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = Source("h264")
    output = HlsOutput(tmp_path, "h264", source.want_key)
    output.add(packet(0, key=True))  # no H264
    wait_until(lambda: "the HLS playlist failed" in caplog.text)
    output.add(source.packet())
    assert not output._packets
    output.finish()


def test_one_without_a_picture_leaves_nothing(tmp_path: Path) -> None:
    HlsOutput(tmp_path, "h264", lambda: None).finish()
    assert list(tmp_path.iterdir()) == []
