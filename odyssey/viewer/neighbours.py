"""Tells programs of this user from those of the machine's other users."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LOCAL, _REMOTE, _USER = 1, 2, 7  # columns


def is_another_users(port: int, server_port: int) -> bool:
    """Whether a connection from `port` to this machine's `server_port` is of another user.

    False where the system does not tell: only Linux does.
    """
    users: set[int] = set()
    for table in _TABLES:
        with contextlib.suppress(OSError):
            rows = Path(table).read_text("ascii").splitlines()[1:]
            users |= {
                int(row[_USER]) for row in map(str.split, rows) if _is(row, port, server_port)
            }
    return bool(users) and users != {os.getuid()}


def _is(row: list[str], port: int, server_port: int) -> bool:
    return row[_LOCAL].endswith(f":{port:04X}") and row[_REMOTE].endswith(f":{server_port:04X}")
