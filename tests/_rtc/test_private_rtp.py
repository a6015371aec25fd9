"""With and without the private parts of aiortc that `private_rtp` reaches for."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from odyssey import Odyssey
from odyssey._rtc import private_rtp
from odyssey.emulator import read_frame_number
from tests.fuzz.test_connection import offer_sdp
from tests.support.frame_numbers import check_numbers
from tests.support.helpers import our_threads


def test_they_are_there(connected: Odyssey, caplog: pytest.LogCaptureFixture) -> None:
    with connected.stream("A cat") as stream:
        stream.frames.take(3)
    assert "receives in another way" not in caplog.text
    assert "odyssey-decoder" in our_threads()


@pytest.mark.parametrize("hook", ["_JITTER_BUFFER", "_DECODER_QUEUE"])
def test_without_them_the_plain_path_works(
    hook: str, client: Odyssey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(private_rtp, hook, "_RTCRtpReceiver__gone")
    client.connect()
    assert "receives in another way" in caplog.text
    assert "odyssey-decoder" not in our_threads()
    with client.stream("A cat") as stream:
        frames = stream.frames.take(12)
    check_numbers([read_frame_number(frame.data) for frame in frames])


@pytest.mark.parametrize(
    "hook", ["_CODECS", "_STATISTICS", "_NACK_GENERATOR", "_BANDWIDTH", "_HANDLE_RTP"]
)
def test_without_these_packets_take_the_long_way(
    hook: str, client: Odyssey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "odyssey")
    monkeypatch.setattr(private_rtp, hook, "_gone")
    client.connect()
    assert "they take the long one" in caplog.text
    with client.stream("A cat") as stream:
        numbers = [read_frame_number(frame.data) for frame in stream.frames.take(12)]
    assert numbers == list(range(12))


@pytest.mark.parametrize("hook", ["_SEND_NACK", "_SEND_PLI"])
def test_without_a_way_to_ask_the_video_comes_all_the_same(
    hook: str, client: Odyssey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_rtp, hook, "_gone")
    client.connect()
    with client.stream("A cat") as stream:
        assert len(stream.frames.take(12)) == 12


def test_fault_packets_are_missing_where_their_numbers_wrap() -> None:
    """aiortc writes such a request only where the numbers are in order."""

    offer = RTCSessionDescription(offer_sdp(), "offer")

    async def ask() -> None:
        pc = RTCPeerConnection()
        tracks: list[MediaStreamTrack] = []
        pc.on("track", tracks.append)
        await pc.setRemoteDescription(offer)
        (transceiver,) = pc.getTransceivers()
        transceiver.receiver._set_rtcp_ssrc(1)
        await private_rtp.Feedback(pc, tracks[0]).request_packets(2, (65534, 65535, 0, 1))
        await pc.close()

    asyncio.run(ask())
