"""What a user of the web SDK sees when the emulator refuses or fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from odyssey.emulator import Emulator, faults
from tests.interop.page import Page, WebError
from tests.support.helpers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timing]

_REJECTION = """
try {
  await client.connect(noting());
} catch (error) {
  const { name, message, code, action, actionUrl, details } = error;
  return { name, message, code, action, actionUrl, details, status: client.currentStatus };
}
return null;
"""


def test_a_wrong_key(open_sdk: Callable[..., Page], emulator: Emulator) -> None:
    page = open_sdk(emulator, "ody_wrongwrongwrongwrong")
    rejection = page.run(_REJECTION)
    assert (rejection["message"], rejection["status"]) == ("Invalid API key", "failed")
    assert page.events("onError") == [["Invalid API key", True]]


def test_a_malformed_key(open_sdk: Callable[..., Page], emulator: Emulator) -> None:
    page = open_sdk(emulator, "nonsense")
    said = page.run(_REJECTION)["message"]
    assert said == "Invalid API key format. Please check your API key is correct."


def test_a_refused_key(page: Page, emulator: Emulator) -> None:
    emulator.refuse_key(emulator.api_key, "the trial is over")
    assert page.run(_REJECTION)["message"] == "the trial is over"


@pytest.mark.parametrize(
    ("code", "name", "shown"),
    [
        ("MONTHLY_LIMIT_REACHED", "MonthlyLimitReachedError", "Used: 10 / 10 hours"),
        ("CONCURRENT_LIMIT_REACHED", "ConcurrentLimitReachedError", "Active streams: 5 / 5"),
        ("STREAM_DURATION_EXCEEDED", "StreamDurationExceededError", "stream length: 2 minutes"),
        ("ACCOUNT_SUSPENDED", "AccountSuspendedError", "payment overdue"),
        ("RATE_LIMITED", "RateLimitError", "Please wait 1 seconds"),
    ],
)
@pytest.mark.parametrize("bare", [True, False])
def test_a_usage_error(
    page: Page, emulator: Emulator, code: str, name: str, shown: str, bare: bool
) -> None:
    emulator.faults.inject(faults.UsageError(code=code, bare=bare), times=2)
    rejection = page.run(_REJECTION)
    assert rejection["name"] == name
    assert rejection["code"] == code
    assert rejection["message"]
    assert rejection["action"]
    assert rejection["actionUrl"].startswith("https://")
    with pytest.raises(WebError) as caught:
        page.run("await client.connect(noting())")
    assert shown in caught.value.text


def test_too_many_sessions(page: Page, emulator: Emulator) -> None:
    emulator.limits.concurrent_streams = 0
    rejection = page.run(_REJECTION)
    assert rejection["name"] == "ConcurrentLimitReachedError"
    assert rejection["details"]["limit"] == 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "No streamers available. Please try again later."),
        (1, "Timed out waiting for a streamer (1s)"),
    ],
)
def test_a_queue_that_does_not_end(page: Page, emulator: Emulator, seconds: int, said: str) -> None:
    emulator.faults.inject(faults.QueueBusy())
    page.run("client.config.advanced.queueTimeout = args[0]", seconds)
    assert page.run(_REJECTION)["message"] == said


def test_a_failing_service(page: Page, emulator: Emulator) -> None:
    emulator.faults.inject(faults.HttpStatus(path="/sessions/request", status=500), times=1)
    assert page.run(_REJECTION)["message"].startswith("API request failed: 500")


def test_an_error_instead_of_the_offer(page: Page, emulator: Emulator) -> None:
    emulator.faults.inject(faults.ErrorInsteadOfOffer(reason="streamer_not_available"), times=1)
    said = "Streamer not available. Please ensure the streamer is running."
    assert page.run(_REJECTION)["message"] == said
    assert page.events("onError")[0] == [said, True]


def test_the_streams_limit(page: Page, emulator: Emulator) -> None:
    emulator.limits.stream_seconds = 0.5
    page.connect()
    page.start("A short one")
    assert page.wait_for_event("onStreamError") == [
        "session_timeout",
        "Stream ended: credit lease expired",
    ]
    # The socket closes with 1011 then.
    wait_until(lambda: page.run("return client.currentStatus") == "failed")


def test_the_connections_limit(page: Page, emulator: Emulator) -> None:
    page.connect()
    emulator.limits.connection_seconds = 0.1
    said = "Connection exceeded maximum allowed duration."
    assert page.wait_for_event("onError") == [said, True]
    assert page.run("return client.currentStatus") == "failed"


@pytest.mark.parametrize("on", ["interactive_stream_start", "update"])
def test_moderation(page: Page, emulator: Emulator, on: Any) -> None:
    page.connect()
    refusal = faults.StreamRefused(reason="moderation", message="the prompt is not allowed", on=on)
    if on == "update":
        page.start("A cat")
    emulator.faults.inject(refusal, times=1)
    with pytest.raises(WebError) as caught:
        page.start("Something bad") if on != "update" else page.interact("Something bad")
    assert caught.value.message == "Stream error: moderation - the prompt is not allowed"
    assert page.events("onStreamError") == [["moderation", "the prompt is not allowed"]]
    page.interact("It sleeps") if on == "update" else page.start("A cat")


def test_an_interaction_without_a_stream(page: Page) -> None:
    page.connect()
    with pytest.raises(WebError, match="Stream error: invalid_state"):
        page.interact("It yawns")


def test_the_hours_of_the_month(page: Page, emulator: Emulator) -> None:
    page.connect()
    emulator.limits.monthly_hours = 0
    with pytest.raises(WebError, match="Stream error: quota_exceeded"):
        page.start("A cat")


def test_a_socket_cut_in_mid_stream(page: Page, emulator: Emulator) -> None:
    page.connect()
    page.start("A cat")
    emulator.faults.cut_sockets(1006)
    assert page.wait_for_event("onError")[1] is True
    assert page.run("return client.currentStatus") == "failed"


def test_the_service_closes_cleanly(page: Page, emulator: Emulator) -> None:
    page.connect()
    emulator.limits.idle_seconds = 0.1
    wait_until(lambda: page.run("return client.currentStatus") == "disconnected")
    assert page.events("onError") == []
