"""What a streamer says, as the callbacks and the errors show it."""

from __future__ import annotations

import json

import attrs
import pytest

from odyssey._rtc.conversation import Conversation
from odyssey._rtc.silence import SilenceWatch
from odyssey.frames.fanout import FrameFanout
from odyssey.frames.queue import FrameQueue

STEERING = "\x1b]0;owned\x07\u202e\r\nforged"


@attrs.define
class Heard:
    """A listener that remembers."""

    events: list[tuple[object, ...]] = attrs.field(factory=list)

    def emit(self, name: str, *args: object) -> None:
        self.events.append((name, *args))


@pytest.mark.parametrize("times", [1, 50_000], ids=["short", "800 kB"])
def test_an_error_of_the_streamer_is_printable_and_short(times: int) -> None:
    heard = Heard()
    silence = SilenceWatch(None, lambda: None, lambda _why: None)
    conversation = Conversation(FrameFanout(FrameQueue()), heard, silence)
    said = STEERING * times
    message = {
        "type": "interactive_stream_error",
        "reason": said,
        "message": f"token=5ec2e7 {said}",
    }
    conversation.receive(json.dumps(message))
    ((name, reason, told),) = heard.events
    assert name == "on_stream_error"
    assert str(reason).startswith(" ]0;owned    forged")
    assert str(told).startswith("token=…  ]0;owned")
    for text in (str(reason), str(told)):
        assert text.isprintable()
        assert len(text) <= 500
