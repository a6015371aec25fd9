"""Bars of progress where there is nothing to show them on."""

from __future__ import annotations

import io
import sys

import pytest

from odyssey._progress import progress_bar, reporting


def closed() -> io.StringIO:
    stderr = io.StringIO()
    stderr.close()
    return stderr


@pytest.mark.parametrize("stderr", [None, closed()], ids=["none", "closed"])
def test_without_a_stderr_the_work_is_done(
    monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO | None
) -> None:
    """As under pythonw, or with `>&-`."""
    monkeypatch.setattr(sys, "stderr", stderr)
    with reporting(True, "video.mp4") as report:
        for done in (0, 10, 0, 20):
            report(done, 20)
    bar = progress_bar("simulation", bar_format="{desc} [{elapsed}]")
    bar.set_description_str("simulation: done")
    bar.close()


def test_with_one_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    with reporting(True, "\x1b[2J\u202evideo.mp4") as report:
        report(0, 20)
        report(20, 20)
    assert "video.mp4: 100%" in stderr.getvalue()
    assert all(character.isprintable() or character in "\r\n" for character in stderr.getvalue())
