"""How programs under test use Ray: it warns of itself, and keeps what its sessions write."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_ray() -> Iterator[tuple[list[str], dict[str, str]]]:
    """Flags for Python and settings for the environment; what Ray writes is deleted afterwards.

    Its folder is not one of pytest's, whose paths are too long for the sockets in it.
    """
    flags = ["-W", "ignore::DeprecationWarning", "-W", "ignore::FutureWarning"]
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        yield (
            flags,
            {
                "RAY_TMPDIR": folder,
                "RAY_AUTH_MODE": "disabled",  # else a token is left in the home
                "RAY_USAGE_STATS_ENABLED": "0",
            },
        )
