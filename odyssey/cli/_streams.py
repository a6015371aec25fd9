"""Standard streams where there are none."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Lets commands print and read where nobody listens.

    A program without a console (`pythonw`) or with a closed stream (`>&-`) has None in the place of
    the stream. One to nowhere replaces it, which is no terminal: no bar, and the work is done.
    Opened first, that one also takes the number of the closed one, which no other file must get:
    libraries in C write their complaints to it.
    """
    with contextlib.ExitStack() as stack:
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            stream = getattr(sys, name)
            if stream is None or stream.closed:
                nowhere = stack.enter_context(open(os.devnull, mode, encoding="utf-8"))
                stack.callback(setattr, sys, name, stream)
                setattr(sys, name, nowhere)
        yield
