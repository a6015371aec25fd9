"""Bounds on the size of a session description and its candidates.

aiortc reads them on the loop's thread: for as long as that takes, nothing else happens there, and
no deadline is kept. Within these bounds it takes some tens of milliseconds.
"""

from __future__ import annotations

import re

#: Characters of a description; the service's have about 3,000.
MOST_TEXT = 128 * 1024
#: Media sections; the service's descriptions have two or three.
MOST_SECTIONS = 32
#: Candidates in a description, and in messages of their own.
MOST_CANDIDATES = 256
#: Characters of a candidate.
MOST_CANDIDATE_TEXT = 1024

_SECTION = re.compile(r"^m=", re.MULTILINE)
_CANDIDATE = re.compile(r"^a=candidate:", re.MULTILINE)


def excess(sdp: str) -> str | None:
    """Returns in words how a description exceeds the bounds; None if it doesn't."""
    if len(sdp) > MOST_TEXT:
        return f"it has {len(sdp)} characters, where at most {MOST_TEXT} are taken"
    for pattern, most, what in (
        (_SECTION, MOST_SECTIONS, "media sections"),
        (_CANDIDATE, MOST_CANDIDATES, "candidates"),
    ):
        found = len(pattern.findall(sdp))
        if found > most:
            return f"it has {found} {what}, where at most {most} are taken"
    return None
