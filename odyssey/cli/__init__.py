"""The command line: `odyssey`, or `python -m odyssey`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from odyssey.cli._streams import standard_streams

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Args:
        args: The words after `odyssey`; those of this process if None.
    """
    with standard_streams():
        return _main(args)


def _main(args: Sequence[str] | None) -> int:
    try:
        import click  # noqa: F401
    except ModuleNotFoundError as exc:
        if exc.name != "click":
            raise
        sys.stderr.write('The command line needs click: pip install "odyssey-sync[cli]"\n')
        return 1
    from odyssey.cli._app import run

    return run(args)
