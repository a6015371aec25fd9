"""Nobody dies in silence: whatever of a connection raises ends it, with that error."""

from __future__ import annotations

import threading

import pytest

from odyssey import ConnectionStatus, Odyssey, OdysseyConnectionError, connect_to_stream
from odyssey._protocol import messages
from odyssey._rtc import private_rtp, signaling
from odyssey._rtc.connection import Connection
from odyssey._rtc.conversation import Conversation
from odyssey._rtc.peer import Peer
from odyssey.config import AdvancedConfig
from odyssey.emulator import Emulator
from odyssey.models import BroadcastInfo
from tests.support.helpers import wait_until


class Broken(Exception):  # noqa: N818
    """A fault of our own."""


def breaks(*_: object) -> None:
    raise Broken


def test_fault_a_candidate_whose_handling_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Peer, "add_candidate", breaks)
    once = AdvancedConfig(max_retries=0)
    with (
        Emulator(trickle=True) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url, timeout=15, advanced=once) as client,
    ):
        with pytest.raises(OdysseyConnectionError, match="an unexpected Broken") as caught:
            client.connect()
        assert isinstance(caught.value.__cause__, Broken)
    assert "ERROR" in caplog.text


def test_fault_keepalive_raises_while_a_stream_runs(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = threading.Event()
    keepalive = messages.keepalive
    monkeypatch.setattr(signaling, "KEEPALIVE_INTERVAL", 0.02)
    monkeypatch.setattr(messages, "keepalive", lambda: breaks() if now.is_set() else keepalive())
    errors: list[tuple[Exception, bool]] = []
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        client.connect(on_error=lambda exc, fatal: errors.append((exc, fatal)))
        with pytest.raises(OdysseyConnectionError, match="an unexpected Broken") as caught:
            with client.stream("A cat") as stream:
                stream.frames.get()
                now.set()
                for _ in stream:
                    pass
        assert isinstance(caught.value.__cause__, Broken)
        assert client.current_status is ConnectionStatus.FAILED
        wait_until(lambda: errors)
        ((error, fatal),) = errors
        assert (isinstance(error.__cause__, Broken), fatal) == (True, True)
    # The service is told: the session does not count on.
    wait_until(lambda: emulator.connections[0].state == "closed")
    assert emulator.connections[0].client_disconnecting
    (record,) = (r for r in caplog.records if r.levelname == "ERROR")
    assert record.exc_info is not None


def test_fault_a_message_of_the_data_channel_raises(
    connected: Odyssey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conversation, "receive", breaks)
    with pytest.raises(OdysseyConnectionError, match="an unexpected Broken"):
        connected.start_stream("A cat")
    assert connected.current_status is ConnectionStatus.FAILED


def test_fault_a_task_of_a_spectator_raises(
    on_air: BroadcastInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_rtp, "request_key_frame", breaks)
    with connect_to_stream(on_air.webrtc_url, on_air.spectator_token, timeout=15) as watching:
        with pytest.raises(OdysseyConnectionError, match="an unexpected Broken") as caught:
            for _ in watching.frames:
                pass
    assert isinstance(caught.value.__cause__, Broken)


def test_fault_an_error_between_ready_and_connected(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_changed = Connection.needs_changed

    def lost_in_the_same_turn(self: Connection) -> None:
        needs_changed(self)
        if not self._missing() and self.status is ConnectionStatus.CONNECTING:
            self.peer_lost("the fault")

    monkeypatch.setattr(Connection, "needs_changed", lost_in_the_same_turn)
    once = AdvancedConfig(max_retries=0)
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15, advanced=once) as client:
        with pytest.raises(OdysseyConnectionError, match="was lost: the fault"):
            client.connect()
        assert client.current_status is ConnectionStatus.FAILED


def test_fault_the_decoders_thread_can_not_start(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def no_more(thread: threading.Thread) -> None:
        if thread.name == "odyssey-decoder":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_more)
    once = AdvancedConfig(max_retries=0)
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15, advanced=once) as client:
        with pytest.raises(OdysseyConnectionError, match="an unexpected RuntimeError"):
            client.connect()
