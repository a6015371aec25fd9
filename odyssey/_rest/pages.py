"""Going through the pages of a list that changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from odyssey.models.fields import wrong_answer

T = TypeVar("T")

#: Pages in a row without anything new, after which a list is taken to have no end.
MOST_FRUITLESS = 20


def paginate_unique(
    page_at: Callable[[int], tuple[list[T], int]], id_of: Callable[[T], str], subject: str
) -> Iterator[T]:
    """Every entry once, newest first, also while some come and, with a filter, go.

    Args:
        page_at: asks for the page from an offset on; its entries, and how many there are in all.
        subject: names the list in errors.

    Raises:
        OdysseyServerError: page after page brings nothing new.
    """
    seen: set[str] = set()
    offset, total, fruitless = 0, 0, 0
    while fruitless < MOST_FRUITLESS:
        entries, now = page_at(offset)
        fruitless += 1
        # Entries that have left the list pull others up, past the beginning of this page.
        missed, total = min(offset, total - now), now
        if missed > 0:
            offset -= missed
            continue
        for entry in entries:
            # New ones push those already given on to the next page.
            if id_of(entry) not in seen:
                seen.add(id_of(entry))
                fruitless = 0
                yield entry
        offset += len(entries)
        if not entries or offset >= total:
            return
    raise wrong_answer(subject, f"{MOST_FRUITLESS} pages in a row brought nothing new")
