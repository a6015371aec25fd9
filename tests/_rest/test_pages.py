"""Lists that have no end."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from odyssey import Odyssey, OdysseyServerError
from odyssey._rest.pages import MOST_GROWTH, paginate_unique
from tests.support.servers import KEY, Reply, Request, TinyServer

Total = Callable[[int], int]

#: How a service without end may count, by the offset that it was asked for.
TOTALS: dict[str, Total] = {
    "one page more each time": lambda offset: 150 + offset,
    "a great number later": lambda offset: 10**12 if offset else 150,
    "fewer at times": lambda offset: offset + 150 - offset % 7,
}


def endless(total: Total) -> Callable[[Request], Reply | None]:
    """Every page has entries that were on none before."""
    numbers = itertools.count()

    def answer(request: Request) -> Reply | None:
        path, _, query = request.path.partition("?")
        if path == "/auth/token":
            return None
        given = dict(pair.split("=") for pair in query.split("&"))
        limit, offset = int(given["limit"]), int(given["offset"])
        ids = [f"id{next(numbers)}" for _ in range(limit)]
        page = {"total": total(offset), "limit": limit, "offset": offset}
        if path == "/stream-recordings":
            rows = [{"stream_id": i, "width": 1, "height": 1, "started_at": "now"} for i in ids]
            return Reply({"recordings": rows, **page})
        jobs = [
            {"job_id": i, "status": "pending", "priority": "low", "created_at": "now"} for i in ids
        ]
        return Reply({"jobs": jobs, **page})

    return answer


@pytest.mark.parametrize("total", TOTALS.values(), ids=TOTALS)
@pytest.mark.parametrize("what", ["recordings", "simulations"])
def test_a_list_without_end(what: str, total: Total) -> None:
    with TinyServer(endless(total)) as server, Odyssey(KEY, api_url=server.url) as client:
        found: set[str] = set()
        with pytest.raises(OdysseyServerError, match=f"the list of {what}.* goes on after 400 "):
            for entry in getattr(client, what).iterate():
                found.add(getattr(entry, "stream_id", None) or entry.job_id)
    assert len(found) == 2 * 150 + MOST_GROWTH


def test_a_list_that_grows_while_it_is_read() -> None:
    """A service that adds at the end what was there before."""

    def page_at(offset: int) -> tuple[list[int], int]:
        total = 11 if offset == 0 else 22 + MOST_GROWTH
        return list(range(offset, min(offset + 10, total))), total

    found = list(paginate_unique(page_at, str, "the list"))
    assert found == list(range(22 + MOST_GROWTH))
