"""The client's program: streams, and says what it saw.

It writes lines of JSON: a `Connecting`; after a line of input, with the time at which the outage
began, a `Streaming`; and after another line a `Connecting` again.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import attrs

from odyssey import AdvancedConfig, Odyssey, OdysseyError, OdysseyTimeoutError
from odyssey.emulator import read_frame_number

#: Seconds that an acknowledgement may take.
PATIENCE = 15.0
#: Frames before the outage, and after connecting again.
CLEAN = 12
#: Seconds between an acknowledgement and the next prompt.
PAUSE = 0.5


@attrs.define
class Connecting:
    """Until the first frames are there.

    seconds: what it took until the connection was ready, or failed.
    error: the class of what was raised, with its text, or None.
    """

    seconds: float = 0.0
    error: str | None = None
    message: str = ""


@attrs.define
class Streaming:
    """What came from the outage on, or what was raised, and how many seconds after it began.

    frames_per_second: until the end of what was watched, or the error.
    gap: seconds without a frame, at most.
    damaged: pictures whose number can't be read, or is not higher than the one before.
    acknowledged: prompts, each sent after the one before it was acknowledged.
    slowest: seconds that an acknowledgement took, at most.
    """

    frames_per_second: float = 0.0
    gap: float = 0.0
    damaged: int = 0
    error: str | None = None
    message: str = ""
    failed_after: float | None = None
    acknowledged: int = 0
    slowest: float = 0.0
    interact_error: str | None = None


def _connect(client: Odyssey) -> Connecting:
    began = time.monotonic()
    seen = Connecting()
    try:
        client.connect()
        seen.seconds = time.monotonic() - began
        client.start_stream("A fox")
        client.frames.take(CLEAN)
    except OdysseyError as exc:
        seen.error, seen.message = type(exc).__name__, str(exc)
        seen.seconds = time.monotonic() - began
    return seen


def _read(client: Odyssey, began: float, seconds: float, seen: Streaming) -> None:
    """Frames, until the time is over or an error comes."""
    frames, number, last = 0, -1, began
    while (now := time.monotonic()) < began + seconds:
        try:
            frame = client.frames.get(timeout=began + seconds - now)
        except OdysseyTimeoutError:
            break
        except OdysseyError as exc:
            seen.error, seen.message = type(exc).__name__, str(exc)
            seen.failed_after = time.monotonic() - began
            break
        found = read_frame_number(frame.data)
        seen.damaged += found is None or found <= number
        number = number if found is None else found
        frames += frame.received_at >= began
        seen.gap, last = max(seen.gap, frame.received_at - last), frame.received_at
    ended = time.monotonic()
    seen.gap = max(seen.gap, ended - last)
    seen.frames_per_second = frames / (ended - began)


def _steer(client: Odyssey, over: threading.Event, seen: Streaming) -> None:
    """Prompts, until that is over or an error comes."""
    while not over.wait(PAUSE):
        began = time.monotonic()
        try:
            client.interact(f"It jumps {seen.acknowledged + 1} times", timeout=PATIENCE)
        except OdysseyError as exc:
            seen.interact_error = type(exc).__name__
            return
        seen.acknowledged += 1
        seen.slowest = max(seen.slowest, time.monotonic() - began)


def _stream(client: Odyssey, began: float, seconds: float) -> Streaming:
    seen = Streaming()
    over = threading.Event()
    steering = threading.Thread(target=_steer, args=(client, over, seen))
    steering.start()
    _read(client, began, seconds, seen)
    over.set()
    steering.join()
    return seen


def main(seconds: float, connect_timeout: float, frame_timeout: float | None) -> None:
    """seconds: how long it looks at the stream."""
    advanced = (
        AdvancedConfig() if frame_timeout is None else AdvancedConfig(frame_timeout_s=frame_timeout)
    )
    with Odyssey(timeout=connect_timeout, frame_buffer=256, advanced=advanced) as client:
        connecting = _connect(client)
        _say(connecting)
        if connecting.error is not None:
            return
        client.frames.clear()
        _say(_stream(client, float(input()), seconds))
        input()
        client.disconnect()
        _say(_connect(client))


def _say(seen: Connecting | Streaming) -> None:
    sys.stdout.write(json.dumps(attrs.asdict(seen)) + "\n")
    sys.stdout.flush()
