"""A client's settings, from arguments and the environment, checked when the client is made."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import attrs

from odyssey._checks import check_count, check_text, check_timeout, check_wait, number
from odyssey._logging import Secret, hidden, revealed, shown_wrong_url, without_locals

DEFAULT_API_URL = "https://api.odyssey.ml"

NO_KEY = (
    "this call needs an API key and there is none: pass Odyssey(api_key=...), set the environment "
    "variable ODYSSEY_API_KEY, or run the emulator (`odyssey emulator`) and use the key it prints"
)


#: Seconds without video after which the peer counts as dead. Noticing included it takes less than
#: 3 s; a link that was down for 2 s has the rest of that time to carry a packet again.
DEFAULT_FRAME_TIMEOUT = 2.8
#: Retries whose pauses are listed; nobody waits for more.
MOST_PAUSES = 100_000


def check_api_key(value: object) -> Secret | None:
    """Checks the key; returns None if there is none (`None` or `""`)."""
    key = hidden(value)
    del value
    if key is None or key == Secret(""):
        return None
    if not isinstance(key, Secret):
        raise TypeError(f"api_key must be a str, not {type(key).__name__}")
    if not key.is_one_word:
        raise ValueError(
            "api_key contains white space or control characters; pass the key alone, "
            "without a line break or quotes around it"
        )
    return key


@without_locals
def check_api_url(value: object) -> str:
    """Checks an http(s) URL, and returns it without a trailing slash."""
    text = check_text(value, "api_url").rstrip("/")
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        valid = valid and "@" not in parts.netloc
    except ValueError:
        valid = False
    if not valid or any(c.isspace() or not c.isprintable() or c in "?#\\" for c in text):
        raise ValueError(
            f"api_url must be an http:// or https:// address such as {DEFAULT_API_URL}, "
            f"not {shown_wrong_url(text)}"
        )
    return text


def _given(value: object, variable: str) -> object:
    """Returns the argument, or the environment's value where it is None or empty."""
    missing = value is None or value in ("", Secret(""))
    return os.environ.get(variable) if missing else value


def _at_least(least: float) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not number(value, attribute.name) >= least:
            raise ValueError(f"{attribute.name} must be at least {least}, not {value!r}")

    return check


def _check_retries(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_count(value, attribute.name, 0)


def _check_frame_timeout(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_timeout(value, attribute.name)


def _check_queue_timeout(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_wait(value, attribute.name)


@attrs.frozen
class AdvancedConfig:
    """How connecting is retried, and how long to wait for a free streamer and for video.

    Attributes:
        max_retries: The number of retries after the first try failed; 0 for none.
        initial_retry_delay_ms: The pause before the first retry, in milliseconds.
        max_retry_delay_ms: The longest pause, in milliseconds.
        retry_backoff_multiplier: Each pause is this many times the one before.
        queue_timeout_s: Seconds to ask for a free streamer before giving up. The time of the call
            itself (`timeout`) still counts.
        frame_timeout_s: Seconds without any video, while a stream runs, after which the connection
            counts as lost; None leaves that to WebRTC, which takes half a minute. Time in which
            this process was stopped or its machine slept doesn't count. The first video may take
            10 s if the service sends none between streams.

    Example:
        >>> AdvancedConfig(max_retries=0).retry_delays()
        []
    """

    max_retries: int = attrs.field(default=5, validator=_check_retries)
    initial_retry_delay_ms: float = attrs.field(default=1000, validator=_at_least(0))
    max_retry_delay_ms: float = attrs.field(default=2000, validator=_at_least(0))
    retry_backoff_multiplier: float = attrs.field(default=2.0, validator=_at_least(1))
    queue_timeout_s: float = attrs.field(default=30, validator=_check_queue_timeout)
    frame_timeout_s: float | None = attrs.field(
        default=DEFAULT_FRAME_TIMEOUT, validator=_check_frame_timeout, kw_only=True
    )

    def retry_delays(self) -> list[float]:
        """Returns the pauses between tries, in seconds."""
        delays = []
        delay = float(self.initial_retry_delay_ms)
        for _ in range(min(self.max_retries, MOST_PAUSES)):
            delays.append(min(delay, self.max_retry_delay_ms) / 1000)
            delay *= self.retry_backoff_multiplier
        return delays


@attrs.define
class ClientConfig:
    """What the asyncio client keeps its arguments in; `Odyssey` takes them one by one.

    Attributes:
        api_key: The key, or `""`.
        api_url: The service; `ODYSSEY_API_URL` where none is given, then `https://api.odyssey.ml`.
        debug: Logs at DEBUG to stderr.
        advanced: Retries of connecting.

    Raises:
        ValueError, TypeError: The key or the address can't be one.

    Example:
        ```python
        config = ClientConfig(api_key="ody_...", debug=True)
        client = Odyssey(config.api_key, api_url=config.api_url, debug=config.debug)
        ```
    """

    api_key: str = attrs.field(default="", repr=False)
    api_url: str = attrs.field(factory=lambda: os.environ.get("ODYSSEY_API_URL") or DEFAULT_API_URL)
    debug: bool = False
    advanced: AdvancedConfig = attrs.field(factory=AdvancedConfig)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.api_key, str):
            raise TypeError(f"api_key must be a str, not {type(self.api_key).__name__}")
        check_api_key(self.api_key)
        check_api_url(self.api_url)

    def require_api_key(self) -> str:
        """Returns the key.

        Raises:
            ValueError: There is none.
        """
        if not self.api_key:
            raise ValueError(NO_KEY)
        return self.api_key


@attrs.frozen
class Settings:
    """The checked settings of one client."""

    api_key: Secret | None = attrs.field(repr=False)
    api_url: str
    timeout: float | None
    queue_timeout: float | None
    frame_buffer: int
    advanced: AdvancedConfig

    @classmethod
    def make(
        cls,
        api_key: object,
        api_url: object,
        timeout: float | None,
        queue_timeout: float | None,
        frame_buffer: int,
        advanced: AdvancedConfig | None,
    ) -> Settings:
        """Checks the arguments of `Odyssey`, and takes missing ones from the environment."""
        if advanced is None:
            advanced = AdvancedConfig()
        elif not isinstance(advanced, AdvancedConfig):
            raise TypeError(f"advanced must be an AdvancedConfig, not {type(advanced).__name__}")
        waits = check_wait(queue_timeout, "queue_timeout")
        return cls(
            api_key=check_api_key(_given(api_key, "ODYSSEY_API_KEY")),
            api_url=check_api_url(revealed(_given(api_url, "ODYSSEY_API_URL")) or DEFAULT_API_URL),
            timeout=check_timeout(timeout),
            queue_timeout=check_wait(advanced.queue_timeout_s) if waits is None else waits,
            frame_buffer=check_count(frame_buffer, "frame_buffer", 1),
            advanced=advanced,
        )

    def require_key(self) -> Secret:
        if self.api_key is None:
            raise ValueError(NO_KEY)
        return self.api_key
