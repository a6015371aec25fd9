"""Has the C library give freed memory back, so that what a process has is what it holds.

As a rule glibc keeps frames' worth of it for each thread, which goes up and down by 100 MB.
"""

from __future__ import annotations

import ctypes
import platform

#: For a process that is started with them (mallopt(3)).
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "262144"}

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8


def give_back() -> None:
    """For this process; before its first thread. Does nothing where there is no glibc."""
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, int(ENVIRONMENT["MALLOC_MMAP_THRESHOLD_"]))
        mallopt(_M_ARENA_MAX, int(ENVIRONMENT["MALLOC_ARENA_MAX"]))
