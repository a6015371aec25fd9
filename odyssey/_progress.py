"""How far a transfer is, told to a callable or shown as a bar."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

#: Is called with the bytes done and the bytes there are, None where that is not known.
ProgressCallback = Callable[[int, "int | None"], object]


def check_progress(progress: object) -> None:
    """`TypeError` for what is neither None, a bool nor callable."""
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress must be True, None or a callable, not {type(progress).__name__}")


def progress_bar(**options: Any) -> Any:
    """A bar of tqdm: a notebook's own kind where that can be shown, else text."""
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        # That ipywidgets is missing: text does as well.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm
    return tqdm(**options)


@contextlib.contextmanager
def reporting(progress: ProgressCallback | bool | None, title: str) -> Iterator[ProgressCallback]:
    """What to report to; within it a bar is shown if `progress` is True."""
    if progress is True:
        with progress_bar(desc=title, unit="B", unit_scale=True, unit_divisor=1024) as bar:

            def show(done: int, total: int | None) -> None:
                # A notebook's bar learns the total in no other way.
                if total != bar.total or done < bar.n:  # known now; or it started over
                    bar.reset(total)
                bar.update(done - bar.n)

            yield show
    elif progress is None or progress is False:
        yield lambda _done, _total: None
    else:
        yield progress
