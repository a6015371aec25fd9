"""Reads a list page by page while it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from odyssey.models.fields import wrong_answer

T = TypeVar("T")

#: A list may grow to twice what it was at first, and by so many, while it is read.
MOST_GROWTH = 100

#: After so many pages in a row without a new entry the list is taken to have no end.
MOST_FRUITLESS = 20


def paginate_unique(
    page_at: Callable[[int], tuple[list[T], int]], id_of: Callable[[T], str], subject: str
) -> Iterator[T]:
    """Yields every entry once, newest first, even while entries join or leave the list.

    Args:
        page_at: gets the page at an offset: its entries, and how many there are in all.
        id_of: the id of an entry.
        subject: what errors call the list.

    Raises:
        OdysseyServerError: `MOST_FRUITLESS` pages in a row had no new entry, or there were far more
            entries than the list had at first.
    """
    seen: set[str] = set()
    offset, total, fruitless = 0, 0, 0
    most: int | None = None
    while fruitless < MOST_FRUITLESS:
        entries, now = page_at(offset)
        fruitless += 1
        if most is None:
            most = 2 * max(now, len(entries)) + MOST_GROWTH
        # Entries that have left the list pull others up, past the beginning of this page.
        missed, total = min(offset, total - now), now
        if missed > 0:
            offset -= missed
            continue
        for entry in entries:
            # New ones push those already given on to the next page.
            if id_of(entry) not in seen:
                if len(seen) == most:
                    raise wrong_answer(subject, f"it goes on after {most} entries")
                seen.add(id_of(entry))
                fruitless = 0
                yield entry
        offset += len(entries)
        if not entries or offset >= total:
            return
    raise wrong_answer(subject, f"{MOST_FRUITLESS} pages in a row brought nothing new")
