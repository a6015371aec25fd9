"""The key that signs addresses and tokens: a small file of the data folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

__all__ = ["read_or_make_secret"]

_BYTES = 32
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # for a pipe, whose other end nobody opens
_BINARY = getattr(os, "O_BINARY", 0)


def read_or_make_secret(path: Path) -> bytes:
    """The secret in the file, readable by its owner only.

    A file that holds none, as a crash may leave it, is replaced: what was signed before is refused
    then. So is a link, which may lead to something that others know.
    """
    return _read(path) or _make(path)


def _read(path: Path) -> bytes | None:
    """The content of a file that holds a secret, which others can't read from now on."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT | _BINARY)
    except OSError:  # there is none, or a link
        return None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            return None
        secret = file.read(_BYTES + 1)
        # Some file systems leave zeros where a crash kept them from writing.
        if len(secret) != _BYTES or not any(secret):
            return None
        if mode & 0o077 and os.name == "posix":
            os.fchmod(descriptor, 0o600)
        return secret


def _make(path: Path) -> bytes:
    """Writes a new one whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    secret = secrets.token_bytes(_BYTES)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(descriptor)
    os.replace(part, path)
    _sync_folder(path.parent)
    return secret


def _sync_folder(folder: Path) -> None:
    """Lets the new name outlive a crash as well; not every system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
