"""The table of a connection's states."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from odyssey import ConnectionStatus
from odyssey._protocol.state import NEXT_STATUS, Need, describe_missing

STATUSES = list(ConnectionStatus)
READY, CONNECTING = ConnectionStatus.CONNECTED, ConnectionStatus.CONNECTING
OVER = {ConnectionStatus.DISCONNECTED, ConnectionStatus.FAILED}


def reached_from(status: ConnectionStatus) -> set[ConnectionStatus]:
    reached: set[ConnectionStatus] = set()
    waiting = [status]
    while waiting:
        new = NEXT_STATUS[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def test_every_status_has_a_row_and_every_status_can_be_reached() -> None:
    assert set(NEXT_STATUS) == set(STATUSES)
    assert reached_from(ConnectionStatus.DISCONNECTED) == set(STATUSES)


@given(st.sampled_from(STATUSES))
def test_whatever_it_is_it_can_be_ended_at_once_and_begun_again(status: ConnectionStatus) -> None:
    assert status in OVER or NEXT_STATUS[status] >= OVER
    assert READY in reached_from(status)


@given(st.lists(st.sampled_from(STATUSES), max_size=30))
def test_nothing_is_connected_without_connecting_first(wanted: list[ConnectionStatus]) -> None:
    status, trying = ConnectionStatus.DISCONNECTED, False
    for following in wanted:
        if following not in NEXT_STATUS[status]:
            continue
        assert following is not READY or trying
        status, trying = following, following is CONNECTING or (trying and following not in OVER)


@given(st.sets(st.sampled_from(list(Need))))
def test_what_is_missing_is_named_in_order(missing: set[Need]) -> None:
    named = describe_missing(missing)
    assert [need for need in Need if need.value in named.split(", ")] == [
        need for need in Need if need in missing
    ]
