"""The wall clock is set while a stream runs: pictures go on, and calls are answered."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiortc.rate import RateCounter
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtcsctptransport import RTCSctpTransport
from aiortc.rtp import RtpPacket

from odyssey import Odyssey
from odyssey._rtc.wall_clock import (
    Moments,
    SteadyEstimate,
    SteadyRoundTrips,
    SteadyStatistics,
)
from odyssey.emulator import Emulator
from tests._rtc.test_window import pretend_installed
from tests.support.programs import run

pytestmark = pytest.mark.timing

HOUR, DAY, YEAR = 3600.0, 86_400.0, 365 * 86_400.0

# Client, spectator and emulator in one process, whose clock is set.
SET = """
    import datetime, json, queue, sys, time
    if len(sys.argv) > 2:
        sys.path.insert(0, sys.argv[2])
    from aiortc import clock
    real_time, real_now, ahead = time.time, clock.current_datetime, 0.0
    time.time = lambda: real_time() + ahead
    clock.current_datetime = lambda: real_now() + datetime.timedelta(seconds=ahead)
    from odyssey import Odyssey, connect_to_stream
    from odyssey.emulator import Emulator

    announced = queue.Queue()
    with Emulator() as emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
        client.connect(on_broadcast_ready=announced.put)
        with client.stream("A cat", broadcast=True) as stream:
            info = announced.get(timeout=10)
            with connect_to_stream(info.webrtc_url, info.spectator_token) as watching:
                # The estimate is used from its third second on, reports are sent each second.
                stream.frames.take(84)
                ahead = float(sys.argv[1])
                client.frames.clear()
                before = time.monotonic()
                frames = stream.frames.take(24, timeout=20)
                took = time.monotonic() - before
                watching.frames.clear()
                watched = len(watching.frames.take(12, timeout=20))
                before = time.monotonic()
                stream.interact("It yawns")
                answered = time.monotonic() - before
                before = time.monotonic()
        client.close()
        closed = time.monotonic() - before
    print(json.dumps([took, watched, answered, closed]))
"""


def check(done: Any) -> None:
    assert done.returncode == 0, done.stderr
    took, watched, answered, closed = json.loads(done.stdout)
    assert took < 5.0  # of one second of video; on a busy machine
    assert watched == 12
    assert answered < 2.0
    assert closed < 4.0


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(DAY, marks=pytest.mark.slow, id="a day"),
        pytest.param(YEAR, id="a year"),
        pytest.param(-HOUR, marks=pytest.mark.slow, id="an hour back"),
    ],
)
def test_fault_the_clock_is_set(emulator: Emulator, seconds: float) -> None:
    check(run(SET, emulator, str(seconds), seconds=90))


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [DAY, YEAR], ids=["a day", "a year"])
def test_fault_the_clock_is_set_on_the_plain_path(
    emulator: Emulator, tmp_path: Path, seconds: float
) -> None:
    pretend_installed(tmp_path, "aiortc", "1.17.0")
    check(run(SET, emulator, str(seconds), str(tmp_path), seconds=90))


class Clocks:
    """The two clocks, as `time` has them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.passed = self.ahead = 0.0
        patch.setattr(time, "monotonic", lambda: 1000.0 + self.passed)
        patch.setattr(time, "time", lambda: 5000.0 + self.passed + self.ahead)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_moments_stay_as_long_ago(clocks: Clocks) -> None:
    moments = Moments()
    moments[1] = time.time()
    clocks.passed, clocks.ahead = 3.0, DAY
    assert time.time() - moments[1] == pytest.approx(3.0)
    clocks.ahead = -HOUR
    assert time.time() - moments[1] == pytest.approx(3.0)


def test_jitter_is_none_where_only_the_clock_moved(clocks: Clocks) -> None:
    steady = SteadyStatistics(StreamStatistics(90_000), "_last_arrival", 90_000)
    for number in range(50):
        clocks.ahead = YEAR if number > 20 else 0.0
        steady.add(RtpPacket(sequence_number=number, timestamp=number * 9000))
        clocks.passed += 0.1
    assert steady.packets_received == 50
    assert steady.jitter <= 2


def test_the_estimate_is_of_the_monotonic_clock_and_short_pauses(clocks: Clocks) -> None:
    times: list[int] = []

    class Estimator:
        def __init__(self) -> None:
            self.counter = RateCounter(1000)

        def add(self, *, arrival_time_ms: int, payload_size: int) -> str:
            times.append(arrival_time_ms)
            self.counter.add(payload_size, arrival_time_ms)
            return "estimate"

    steady = SteadyEstimate(Estimator())
    for _ in range(3):
        for _ in range(10):
            clocks.passed += 0.0104
            steady.add(arrival_time_ms=round(time.time() * 1000), payload_size=100)
        clocks.ahead += YEAR
    assert times[-1] == pytest.approx(30 * 10.4, abs=1)
    clocks.passed += 10 * YEAR  # a process that was stopped: one by one takes hours
    assert steady.add(arrival_time_ms=0, payload_size=100) == "estimate"
    assert times[-1] == pytest.approx(30 * 10.4 + 2000, abs=1)


def test_round_trips_with_a_step_in_them_do_not_count(clocks: Clocks) -> None:
    taken: list[float] = []
    steady = SteadyRoundTrips(taken.append)
    steady(0.1)
    clocks.ahead = DAY
    steady(DAY + 0.1)
    clocks.passed = 1.0
    steady(DAY + 0.2)  # it was under way, too
    clocks.passed = 10.0
    steady(0.3)
    assert taken == [0.1, 0.3]


def test_a_lost_acknowledgement_is_not_waited_for_a_minute(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ends keep what they take for a round trip."""
    transports: list[Any] = []

    update = RTCSctpTransport._update_rto

    def seen(self: Any, seconds: float) -> None:
        transports.append(self)
        update(self, seconds)

    monkeypatch.setattr(RTCSctpTransport, "_update_rto", seen)
    real = time.time
    with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
        client.connect()
        with client.stream("A cat") as stream:
            stream.interact("It yawns")
            monkeypatch.setattr(time, "time", lambda: real() + DAY)
            for number in range(5):
                stream.interact(f"It yawns {number}")
    assert len({id(transport) for transport in transports}) == 2
    assert all(transport._rto < 5 for transport in transports)


def test_fault_a_jitter_that_no_report_has_room_for() -> None:
    """aiortc's reports would end for good, and with them its closing."""
    steady = SteadyStatistics(StreamStatistics(90_000), "_last_arrival", 90_000)
    for number in range(1000):
        steady.add(RtpPacket(sequence_number=number, timestamp=number % 2 * (2**32 - 1)))
    assert 2**31 < steady.jitter < 2**32
