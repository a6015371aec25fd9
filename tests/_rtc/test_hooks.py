"""With and without the private parts of aiortc that the hooks reach for."""

from __future__ import annotations

import pytest

from odyssey import Odyssey
from odyssey._rtc import hooks
from odyssey.emulator import read_frame_number


def test_the_hooks_find_what_they_need(
    connected: Odyssey, caplog: pytest.LogCaptureFixture
) -> None:
    assert "another jitter buffer" not in caplog.text
    attempt = connected._live._attempt
    assert attempt is not None
    peer = attempt.connection._peer
    assert peer is not None
    assert peer._jitter_buffer is not None
    with connected.stream("A cat") as stream:
        stream.frames.take(3)
        assert peer._jitter_buffer._arrivals


def test_without_them_the_plain_path_works(
    client: Odyssey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hooks, "_JITTER_BUFFER", "_RTCRtpReceiver__gone")
    client.connect()
    assert "another jitter buffer" in caplog.text
    with client.stream("A cat") as stream:
        frames = stream.frames.take(12)
    # The first may be the idle picture that aiortc held back.
    numbers = [read_frame_number(frame.data) for frame in frames[1:]]
    first = numbers[0]
    assert first is not None
    assert numbers == list(range(first, first + 11))
