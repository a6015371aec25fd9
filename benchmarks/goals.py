"""What else has a goal, each measured in a process of its own: `python -m benchmarks.goals NAME`.

A measurement returns lines of what, how much, and the goal.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.processes import sender
from benchmarks.stamps import Stamps

_INTERVAL = 1000 / 24

Line = tuple[str, float, float, str]  # what, measured, goal, unit


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _rss() -> float:
    return psutil.Process().memory_info().rss / 1e6


def slow_consumer(folder: Path) -> list[Line]:
    """`latest()` by somebody who takes 0.2 s a frame, and `interact` meanwhile."""
    from odyssey import Odyssey

    with sender("vp8", folder / "stamps") as (url, key):
        stamps = Stamps(folder / "stamps")
        with Odyssey(key, api_url=url).connect() as client, client.stream("A cat") as stream:
            first = stream.frames.get()
            ages, asked, memory = [], [], []
            for _ in range(25):
                time.sleep(0.2)
                frame = stream.frames.latest()
                number = round((frame.timestamp_ms - first.timestamp_ms) * 24 / 1000)
                ages.append((time.monotonic() - stamps.get(number)) * 1000)
                _ = frame.data
                began = time.monotonic()
                stream.interact("It yawns")
                asked.append((time.monotonic() - began) * 1000)
                memory.append(_rss())
    return [
        ("latest() with 0.2 s a frame: age, p95", sorted(ages)[-2], _INTERVAL + 10, "ms"),
        ("  memory, last against 5th second", memory[-1] - memory[len(memory) // 2], 5.0, "MB"),
        ("  interact, p50", statistics.median(asked), 20.0, "ms"),
    ]


def _decoded(count: int) -> list[Any]:
    """Frames as the decoder makes them."""
    import av

    from benchmarks import clip as clips
    from odyssey._rtc.video_receiver import live_frame

    clip = clips.load("vp8")
    decoder: Any = av.CodecContext.create("libvpx", "r")
    frames: list[Any] = []
    for number in range(count):
        frames += decoder.decode(clip.packet(number, number * clips.TICKS))
    return [live_frame(frame, index, "s") for index, frame in enumerate(frames)]


def stack(_: Path) -> list[Line]:
    """`stack(48)` and `to_ndarray(out=…)` against 48 conversions into warm memory."""
    from av.video.reformatter import VideoReformatter

    from odyssey.frames.queue import FrameQueue, StreamState

    def queue_of(frames: list[Any]) -> FrameQueue:
        queue = FrameQueue(48)
        queue.set_state(StreamState.LIVE)
        for frame in frames:
            queue.put(frame, idle=False)
        return queue

    reformatter, out = VideoReformatter(), np.zeros((48, 1280, 704, 3), np.uint8)
    ratios, direct, faults = [], [], []
    for _number in range(7):
        frames = _decoded(48)
        queue = queue_of(frames)
        began = _cpu()
        for frame in frames:
            reformatter.reformat(frame._picture._frame, format="rgb24", threads=1)
        base = _cpu() - began
        before, began = _faults(), _cpu()
        queue.stack(48, out=out)
        ratios.append((_cpu() - began) / base)
        faults.append((_faults() - before) / 48)
        frames, began = _decoded(48), _cpu()
        began = _cpu()
        for frame in frames:
            frame.to_ndarray(out=out[0])
        direct.append((_cpu() - began) / base)
    return [
        ("stack(48, out=…), x 48 conversions", statistics.median(ratios), 1.1, "x"),
        ("  page faults a frame", statistics.median(faults), 1.0, ""),
        ("48 to_ndarray(out=…), x 48 conversions", statistics.median(direct), 1.1, "x"),
    ]


def holding(_: Path) -> list[Line]:
    """100 frames held, as decoded."""
    _decoded(5)
    before, threads = _rss(), psutil.Process().num_threads()
    frames = _decoded(100)
    return [
        ("holding 100 frames", _rss() - before, 100 * 1.45 + 20, "MB"),
        ("  threads more", psutil.Process().num_threads() - threads + 0 * len(frames), 0, ""),
    ]


def _connecting(url: str, key: str, rounds: int = 7) -> float:
    from odyssey import Odyssey

    times = []
    for _ in range(rounds):
        with Odyssey(key, api_url=url) as client:
            began = time.monotonic()
            client.connect()
            times.append((time.monotonic() - began) * 1000)
    return statistics.median(times)


def connecting(_: Path) -> list[Line]:
    """REST, signaling, ICE, both channels, over loopback; and with a silent STUN server."""
    from odyssey.emulator import Emulator, faults

    with Emulator() as emulator, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        usual = _connecting(emulator.url, emulator.api_key)
        silent.bind(("127.0.0.1", 0))
        servers = [{"urls": [f"stun:127.0.0.1:{silent.getsockname()[1]}"]}]
        emulator.faults.inject(faults.IceServers(servers=servers))
        unanswered = _connecting(emulator.url, emulator.api_key)
    return [
        ("connect, p50", usual, 150, "ms"),
        ("connect with a silent STUN server, p50", unanswered, 250, "ms"),
    ]


def loss(_: Path) -> list[Line]:
    """One packet lost for good: how long no picture comes."""
    from odyssey import Odyssey
    from odyssey.emulator import Emulator, faults

    pauses = []
    with Emulator() as emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
        client.connect()
        with client.stream("A fox") as stream:
            frames = stream.frames.take(12)
            for _round in range(7):
                emulator.faults.inject(faults.LosePacket(), times=1)
                frames = [frames[-1], *stream.frames.take(30)]
                times = [frame.received_at for frame in frames]
                pauses.append(max(b - a for a, b in itertools.pairwise(times)))
    return [("one packet lost for good: no picture for", statistics.median(pauses), 0.3, "s")]


def _good_frames(share: float, seconds: float = 6.0) -> float:
    """Pictures that carry their number, of those sent at this loss."""
    from odyssey import Odyssey
    from odyssey.emulator import Emulator, faults, read_frame_number

    good = 0
    with (
        Emulator(bitrate=4_000_000) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url).connect() as client,
        client.stream("A fox") as stream,
    ):
        stream.frames.take(6)
        emulator.faults.inject(faults.PacketLoss(share=share))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            good += read_frame_number(stream.frames.get().data) is not None
        emulator.faults.clear()
    return good / (seconds * 24)


def loss_rates(_: Path) -> list[Line]:
    """Lasting loss: the good pictures here, against those of aiortc's own receiver."""
    from odyssey._rtc import private_rtp

    lines: list[Line] = []
    ours = private_rtp.receive_through
    for share in (0.01, 0.05):
        ratios = []
        for _round in range(3):
            here = _good_frames(share)
            setattr(private_rtp, "receive_through", lambda *_: False)  # noqa: B010
            ratios.append(here / _good_frames(share))
            setattr(private_rtp, "receive_through", ours)  # noqa: B010
        what = f"{share:.0%} loss: good pictures, x plain aiortc"
        lines.append((what, statistics.median(ratios), -1.0, "x"))
    return lines


def _process(code: str) -> float:
    """CPU seconds of a process that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def importing(_: Path) -> list[Line]:
    """`import odyssey`, and the first list of recordings, against bare requests."""
    from odyssey.emulator import Emulator

    with Emulator() as emulator:
        ours = (
            "from odyssey import Odyssey; "
            f"Odyssey({emulator.api_key!r}, api_url={emulator.url!r}).list_stream_recordings()"
        )
        bare = (
            "import requests; http = requests.Session(); "
            f"token = http.post({emulator.url + '/auth/token'!r}, "
            f"json={{'api_key': {emulator.api_key!r}}}).json()['access_token']; "
            f"http.get({emulator.url + '/stream-recordings'!r}, "
            "headers={'Authorization': f'Bearer {token}'}).json()"
        )
        imports, lists = [], []
        for _round in range(9):
            imports.append(_process("import odyssey") / _process("import requests, numpy"))
            lists.append(_process(ours) / _process(bare))
    return [
        ("import odyssey, x requests and numpy", statistics.median(imports), 1.3, "x"),
        ("first list of recordings, x bare requests", statistics.median(lists), 1.2, "x"),
    ]


def four_streams(folder: Path) -> list[Line]:
    """Four streams at once in one process: the slowest one's rate, and frames that went missing."""
    from odyssey import Odyssey

    rates, missing = [], []

    def watch(url: str, key: str) -> None:
        with Odyssey(key, api_url=url).connect() as client, client.stream("A cat") as stream:
            frames = [frame.timestamp_ms for frame in stream.frames.take(24)]
            began = time.monotonic()
            for _ in range(120):
                frame = stream.frames.get()
                _ = frame.data
                frames.append(frame.timestamp_ms)
            rates.append(120 / (time.monotonic() - began))
            expected = round((frames[-1] - frames[0]) * 24 / 1000) + 1
            missing.append(expected - len(frames))

    with sender("vp8", folder / "stamps") as (url, key):
        threads = [threading.Thread(target=watch, args=(url, key)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [
        ("four streams: frames a second, the slowest", min(rates, default=0.0), -23.5, "/s"),
        ("  frames missing, of 576", sum(missing), 0, ""),
    ]


def recording_frames(_: Path) -> list[Line]:
    """`recordings.frames` against a bare loop with PyAV and its conversion."""
    import av

    from odyssey import Odyssey
    from odyssey.emulator import Emulator

    ratios = []
    with Emulator() as emulator, Odyssey(emulator.api_key, api_url=emulator.url) as client:
        script = [
            {"timestamp_ms": 0, "start": {"prompt": "A fox"}},
            {"timestamp_ms": 10_000, "end": {}},
        ]
        job = client.simulations.wait(client.simulations.submit(script=script))
        recording = client.recordings.get(job.streams[0].stream_id)
        for _round in range(5):
            began = time.monotonic()
            with av.open(recording.video_url or "") as container:
                bare = sum(
                    frame.to_ndarray(format="rgb24").shape[2] == 3
                    for frame in container.decode(video=0)
                )
            theirs = bare / (time.monotonic() - began)
            began = time.monotonic()
            ours = sum(frame.data.shape[2] == 3 for frame in client.recordings.frames(recording))
            assert ours == bare
            ratios.append(ours / (time.monotonic() - began) / theirs)
    return [("recordings.frames, x a bare loop", statistics.median(ratios), -0.9, "x")]


MEASUREMENTS: dict[str, Callable[[Path], list[Line]]] = {
    "slow_consumer": slow_consumer,
    "stack": stack,
    "holding": holding,
    "connecting": connecting,
    "loss": loss,
    "loss_rates": loss_rates,
    "importing": importing,
    "four_streams": four_streams,
    "recording_frames": recording_frames,
}


def table(_rounds: int) -> str:
    """All of them, with their goals; a negative goal is a lower bound."""
    lines = [f"{'':44} {'measured':>9} {'goal':>9}"]
    for name in MEASUREMENTS:
        command = [sys.executable, "-m", "benchmarks.goals", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
        for what, measured, goal, unit in json.loads(done.stdout.splitlines()[-1]):
            met = measured <= goal if goal >= 0 else measured >= -goal
            bound = f"{'≤' if goal >= 0 else '≥'} {abs(goal):.4g}"
            lines.append(f"{what:44} {measured:9.4g} {bound:>9} {unit:3} {'' if met else 'missed'}")
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=MEASUREMENTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(MEASUREMENTS[given.name](Path(folder))))


if __name__ == "__main__":
    main()
