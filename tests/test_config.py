from __future__ import annotations

import math
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey import AdvancedConfig, ClientConfig, Odyssey, connect_to_stream
from odyssey._checks import check_count, check_timeout, check_wait
from odyssey._logging import Secret
from odyssey.config import DEFAULT_API_URL, Settings, check_api_key, check_api_url
from odyssey.integrations._workers import ClientOptions
from tests.support.helpers import open_sockets
from tests.support.strategies import SCALARS


def settings(**given: object) -> Settings:
    arguments: dict[str, object] = {
        "api_key": None,
        "api_url": None,
        "timeout": 30.0,
        "queue_timeout": None,
        "frame_buffer": 32,
        "advanced": None,
    }
    return Settings.make(**{**arguments, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("none", [None, ""])
def test_the_key_falls_back_to_the_environment(
    none: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(api_key=none).api_key is None
    monkeypatch.setenv("ODYSSEY_API_KEY", "ody_env")
    assert settings(api_key=none).api_key == Secret("ody_env")
    assert settings(api_key="ody_given").api_key == Secret("ody_given")
    monkeypatch.setenv("ODYSSEY_API_KEY", "")
    assert settings(api_key=none).api_key is None


@pytest.mark.parametrize("none", [None, ""])
def test_the_address_falls_back_to_the_environment_then_to_the_service(
    none: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(api_url=none).api_url == DEFAULT_API_URL == "https://api.odyssey.ml"
    monkeypatch.setenv("ODYSSEY_API_URL", "http://env:8080/")
    assert settings(api_url=none).api_url == "http://env:8080"
    assert settings(api_url="http://given").api_url == "http://given"
    monkeypatch.setenv("ODYSSEY_API_URL", "")
    assert settings(api_url=none).api_url == DEFAULT_API_URL


def test_a_call_that_needs_a_key_says_how_to_give_one() -> None:
    with Odyssey() as client:
        calls: list[Callable[[], object]] = [
            client.connect,
            client.create_client_credentials,
            client.list_stream_recordings,
            lambda: client.get_recording("abc"),
        ]
        for call in calls:
            with pytest.raises(ValueError, match=r"api_key=.*ODYSSEY_API_KEY.*emulator"):
                call()


@pytest.mark.parametrize("key", ["ody key", "ody\n", "\tody", "ody\x00", "ody\x7f", "ody\u2028"])
def test_a_key_with_white_space_or_control_characters_is_refused(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="white space or control characters") as caught:
        Odyssey(key)
    assert key not in str(caught.value)
    monkeypatch.setenv("ODYSSEY_API_KEY", key.replace("\x00", "\x01"))
    with pytest.raises(ValueError, match="white space or control characters"):
        Odyssey()


@pytest.mark.parametrize("key", [b"ody_key", 5, ["ody"], True])
def test_a_key_of_a_wrong_type_is_refused(key: object) -> None:
    with pytest.raises(TypeError, match=f"api_key must be a str, not {type(key).__name__}"):
        Odyssey(key)  # type: ignore[arg-type]


@given(st.text())
def test_any_text_is_a_key_or_a_value_error(text: str) -> None:
    if text.isprintable() and " " not in text:
        assert check_api_key(text) == (Secret(text) if text else None)
        return
    with pytest.raises(ValueError, match="api_key contains") as caught:
        check_api_key(text)
    assert len(text) < 4 or text not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "api.odyssey.ml",
        "ftp://host",
        "http://",
        "https:///path",
        "http://host:port",
        "http://host:99999",
        "http://[::1",
        "http://a b",
        " http://host",
        "http://host\n",
        "http://host?x=1",
        "http://host?",
        "http://host#top",
        "http://host#",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="api_url must be an http:// or https:// address"):
        Odyssey(api_url=url)


def test_an_address_with_half_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="api_url has half a character"):
        Odyssey("ody_key", api_url="http://a\ud83d")


@pytest.mark.parametrize(
    "url",
    [
        *("https://user:s3cret@host", "http://s3cret@127.0.0.1:80", "https://:s3cret@host/base"),
        *("user:s3cret@host", "https://user:s3/cret@host", "https://user:s3?cret@host"),
        *("https://user:s3#cret@host", "ftp://user:s3cret@host", "https://user:s3\\cret@host"),
        "https://user:s3cret@evil@host",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_shown(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(call: Callable[[], object]) -> None:
        with pytest.raises(ValueError, match="a user name or a password") as caught:
            call()
        assert not re.search("s3|cret|user:", str(caught.value))

    refused(lambda: Odyssey(api_url=url))
    monkeypatch.setenv("ODYSSEY_API_URL", url)
    refused(Odyssey)
    refused(lambda: connect_to_stream(url, "token"))
    assert "s3" not in repr(ClientOptions(api_url=url))


def test_http_to_another_machine_warns_once() -> None:
    with pytest.warns(UserWarning, match="unencrypted to 'http://192.0.2.1:80'") as caught:
        client = Odyssey(api_url="http://192.0.2.1:80")
    client.close()
    (warning,) = caught
    assert warning.filename == __file__


@pytest.mark.parametrize("url", ["https://192.0.2.1", "http://localhost:80", "http://[::1]/base"])
def test_what_cannot_be_read_on_the_way_warns_of_nothing(url: str) -> None:
    Odyssey(api_url=url).close()  # warnings are errors here


def test_a_refused_address_is_shown_without_its_query() -> None:
    with pytest.raises(ValueError, match="api_url") as caught:
        check_api_url("http://host?token=secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://host/base//", "https://host/base"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_good_addresses(url: str, read: str) -> None:
    assert check_api_url(url) == read


def test_an_address_of_a_wrong_type_is_refused() -> None:
    with pytest.raises(TypeError, match="api_url must be a str, not int"):
        Odyssey(api_url=80)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, -1, -0.001, float("-inf"), float("nan")])
def test_timeouts_are_above_zero(value: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Odyssey(timeout=value)
    with Odyssey() as client, pytest.raises(ValueError, match="timeout"):
        client.interact("a", timeout=value)


@pytest.mark.parametrize("value", ["5", b"5", True, [1], object(), 1j])
def test_timeouts_are_numbers(value: object) -> None:
    with pytest.raises(TypeError, match="timeout must be None or a number"):
        Odyssey(timeout=value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="queue_timeout must be None or a number"):
        Odyssey(queue_timeout=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1, 0.5, np.float32(2), np.int64(3), np.float64(0.25)])
def test_any_number_is_a_timeout(value: float) -> None:
    seconds = check_timeout(value)
    assert seconds == value
    assert type(seconds) is float


@pytest.mark.parametrize("value", [None, float("inf"), 1e10, pytest.param(10**400, id="huge")])
def test_a_timeout_that_no_timer_takes_is_none(value: float | None) -> None:
    assert check_timeout(value) is None
    assert check_wait(value) is None


def test_a_wait_may_be_zero() -> None:
    assert check_wait(0) == 0
    with pytest.raises(ValueError, match="queue_timeout must be None or a number of seconds >= 0"):
        Odyssey(queue_timeout=-1)


@given(SCALARS | st.binary())
def test_a_timeout_is_taken_or_refused_and_fits_every_timer(value: object) -> None:
    try:
        seconds = check_wait(value)
    except (TypeError, ValueError):
        return
    if seconds is not None:
        assert math.isfinite(seconds)
        threading.Event().wait(min(seconds, 0))
        assert 0 <= seconds < threading.TIMEOUT_MAX


def test_queue_timeout_wins_over_queue_timeout_s() -> None:
    advanced = AdvancedConfig(queue_timeout_s=7)
    assert settings(advanced=advanced).queue_timeout == 7
    assert settings(advanced=advanced, queue_timeout=0).queue_timeout == 0
    assert settings(advanced=advanced, queue_timeout=3).queue_timeout == 3
    assert settings().queue_timeout == 30


def test_the_defaults_of_the_contract() -> None:
    assert attrs.astuple(AdvancedConfig())[:5] == (5, 1000, 2000, 2.0, 30)
    assert attrs.astuple(AdvancedConfig(1, 2, 3, 4, 5))[:5] == (1, 2, 3, 4, 5)
    assert AdvancedConfig(frame_timeout_s=None).frame_timeout_s is None
    with Odyssey() as client:
        assert client.frames.maxsize == 32
    assert settings().timeout == 30


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("max_retries", -1, ValueError),
        ("max_retries", 1.5, TypeError),
        ("max_retries", True, TypeError),
        ("initial_retry_delay_ms", -1, ValueError),
        ("initial_retry_delay_ms", "1", TypeError),
        ("max_retry_delay_ms", float("nan"), ValueError),
        ("retry_backoff_multiplier", 0.5, ValueError),
        ("queue_timeout_s", -1, ValueError),
        ("frame_timeout_s", 0, ValueError),
        ("frame_timeout_s", "3", TypeError),
    ],
)
def test_advanced_settings_are_checked(field: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=field):
        AdvancedConfig(**{field: value})  # type: ignore[arg-type]


def test_advanced_must_be_one() -> None:
    with pytest.raises(TypeError, match="advanced must be an AdvancedConfig, not dict"):
        Odyssey(advanced={"max_retries": 1})  # type: ignore[arg-type]


def test_pauses_grow_up_to_the_longest() -> None:
    assert AdvancedConfig().retry_delays() == [1, 2, 2, 2, 2]
    config = AdvancedConfig(4, 100, 500, 3)
    assert config.retry_delays() == [0.1, 0.3, 0.5, 0.5]
    assert AdvancedConfig(max_retries=0).retry_delays() == []


def test_retries_without_end_are_affordable() -> None:
    assert len(AdvancedConfig(max_retries=sys.maxsize).retry_delays()) >= 10_000


@pytest.mark.parametrize("value", [0, -1])
def test_frame_buffer_holds_at_least_one(value: int) -> None:
    with pytest.raises(ValueError, match="frame_buffer must be at least 1"):
        Odyssey(frame_buffer=value)


def test_whole_numbers() -> None:
    assert check_count(np.int32(4), "n", 0) == 4
    with pytest.raises(TypeError, match="n must be a whole number, not float"):
        check_count(4.0, "n", 0)
    with pytest.raises(ValueError, match="n must be from 1 to 5, not 6"):
        check_count(6, "n", 1, 5)


def test_no_repr_shows_the_key() -> None:
    with Odyssey("ody_verysecret") as client:
        assert "verysecret" not in repr(client)
    assert "verysecret" not in repr(settings(api_key="ody_verysecret"))


def test_constructing_does_no_io_and_starts_no_thread() -> None:
    script = """
import sys, threading
from odyssey import Odyssey
did = []
sys.addaudithook(lambda event, args: did.append(event) if event.startswith("socket.") else None)
client = Odyssey("ody_key", api_url="http://127.0.0.1:9")
client.frames, client.stats, client.recordings, client.capabilities, repr(client)
print(did, threading.active_count())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["[]", "1"]
    before = open_sockets()
    Odyssey("ody_key").close()
    assert open_sockets() == before


# The asyncio client's class for it.


def test_a_client_config(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ClientConfig() == ClientConfig("", DEFAULT_API_URL, False, AdvancedConfig())
    with pytest.raises(ValueError, match="needs an API key"):
        ClientConfig().require_api_key()
    monkeypatch.setenv("ODYSSEY_API_URL", "http://127.0.0.1:1")
    config = ClientConfig(api_key="ody_0123456789abcdef", debug=True)
    assert config.api_url == "http://127.0.0.1:1"
    assert config.require_api_key() == "ody_0123456789abcdef"
    assert "ody_" not in repr(config)
    with Odyssey(config.api_key, api_url=config.api_url, advanced=config.advanced) as client:
        assert not client.is_connected


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"api_key": 5}, TypeError),
        ({"api_key": None}, TypeError),
        ({"api_key": "ody two"}, ValueError),
        ({"api_url": "ftp://x"}, ValueError),
    ],
)
def test_a_client_config_that_is_none(given: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(given))):
        ClientConfig(**given)
