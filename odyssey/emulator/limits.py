"""The emulator's limits on accounts and lifetimes, all adjustable."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["Limits"]


def _seconds(default: float) -> Any:
    return attrs.field(
        default=default,
        validator=[attrs.validators.instance_of((int, float)), attrs.validators.gt(0)],
    )


def _count(default: int) -> Any:
    return attrs.field(
        default=default, validator=[attrs.validators.instance_of(int), attrs.validators.ge(0)]
    )


def _hours_or_none(_limits: Limits, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, (int, float)) and value >= 0):
        raise ValueError(f"{field.name}: expected None or a number not below 0, got {value!r}")


@attrs.define(kw_only=True)
class Limits:
    """The emulator's limits. A change takes effect at once, also on what is running already.

    A field may be set at run time, from any thread.

    Attributes:
        stream_seconds: Length of a stream. Then `session_timeout`, and the socket closes with 1011.
        connection_seconds: Length of a connection. Then the error `duration_limit_reached`, and the
            socket closes with 1008.
        idle_seconds: How long a connection may be without a stream. Then the socket closes with
            1001, which is a clean end.
        keepalive_seconds: A client that sends nothing on the socket for so long counts as lost.
        concurrent_streams: Sessions of one account at once; one more gets
            `CONCURRENT_LIMIT_REACHED`.
        monthly_hours: Hours of streaming in a calendar month (UTC), None for no limit. Once they
            are used, a session request gets `MONTHLY_LIMIT_REACHED` and a start gets
            `quota_exceeded`.
        streamers: Sessions of all accounts at once; one more gets 503.
        queue_length: How many times a session request gets 503 before it gets its session.
        unclean_session_seconds: How long a session goes on counting when its socket ended without
            `client_disconnecting`.
        queued_simulations: Queued simulations of an account; one more gets
            `CONCURRENT_LIMIT_REACHED`.
        simulation_seconds: The longest video that a script may ask for; a longer one gets 400.
        bearer_token_seconds: Life of an access token.
        session_token_seconds: Life of a session token. A session that nobody connects to ends with
            it.

    Raises:
        ValueError: A value makes no sense, at construction or when it is set.
        TypeError: A value has a wrong type.
    """

    stream_seconds: float = _seconds(150.0)
    connection_seconds: float = _seconds(3600.0)
    idle_seconds: float = _seconds(900.0)
    keepalive_seconds: float = _seconds(60.0)
    concurrent_streams: int = _count(5)
    monthly_hours: float | None = attrs.field(default=None, validator=_hours_or_none)
    streamers: int = _count(8)
    queue_length: int = _count(0)
    unclean_session_seconds: float = _seconds(30.0)
    queued_simulations: int = _count(10)
    simulation_seconds: float = _seconds(600.0)
    bearer_token_seconds: float = _seconds(3600.0)
    session_token_seconds: float = _seconds(600.0)
