"""Reports the progress of a transfer, to a callable or as a bar."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from odyssey._logging import has_stderr
from odyssey.errors import printable

#: Called with the bytes done and the bytes in all (None if unknown).
ProgressCallback = Callable[[int, "int | None"], object]


def check_progress(progress: object) -> None:
    """Raises `TypeError` for what is neither None, a bool nor callable."""
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress must be True, None or a callable, not {type(progress).__name__}")


def progress_bar(title: str, **options: Any) -> Any:
    """Makes a bar of tqdm: a widget in notebooks that can show it, else text.

    Without a stderr it shows nothing.
    """
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        # That ipywidgets is missing: text does as well.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm
    if not has_stderr():
        options |= {"disable": True, "file": io.StringIO()}
    return tqdm(desc=printable(title), **options)


@contextlib.contextmanager
def reporting(progress: ProgressCallback | bool | None, title: str) -> Iterator[ProgressCallback]:
    """Yields the callable to report to; shows a bar if `progress` is True."""
    if progress is True:
        with progress_bar(title, unit="B", unit_scale=True, unit_divisor=1024) as bar:

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
