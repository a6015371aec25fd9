"""`debug=True`: the package's log on stderr."""

from __future__ import annotations

import logging
import sys

from odyssey._redact import RedactingFilter


def log_to_stderr() -> None:
    """Once, however many ask for it."""
    package = logging.getLogger("odyssey")
    package.setLevel(logging.DEBUG)
    if not any(getattr(handler, "name", None) == "odyssey-debug" for handler in package.handlers):
        handler: logging.Handler = logging.StreamHandler(sys.stderr)
        handler.set_name("odyssey-debug")
        handler.addFilter(RedactingFilter())
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        package.addHandler(handler)
