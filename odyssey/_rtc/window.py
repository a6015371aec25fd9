"""The versions of aiortc and aioice whose private parts are known."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version

logger = logging.getLogger(__name__)

#: Minor versions that `private_ice` and `private_rtp`, here and in the emulator, were written for
#: and are tested with.
SEEN = {"aiortc": ("1.16",), "aioice": ("0.13",)}


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of an unknown version"


def _look() -> bool:
    """Warns where an installed version is outside the window."""
    unknown = [
        f"{name} {found}"
        for name, minors in SEEN.items()
        if not (found := _installed(name)).startswith(tuple(f"{minor}." for minor in minors))
    ]
    if unknown:
        logger.warning(
            "%s: this release of odyssey knows %s. Private parts of other versions are not used: "
            "frames are received one frame later, lost packets cost more, and the emulator neither "
            "loses packets nor silences a connection",
            " and ".join(unknown),
            " and ".join(f"{name} {', '.join(minors)}" for name, minors in SEEN.items()),
        )
    return not unknown


#: Whether private parts may be used. Looked at once, with the import, so that one warning is given.
IS_OPEN = _look()
