"""docs/emulator.md: it lists every reason that the emulator gives."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What takes a reason as its first argument.
GIVERS = {"StreamError", "fail", "stop_stream", "_finish", "close"}


def _given(tree: ast.AST) -> set[str]:
    """The reasons in calls."""
    reasons = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            name = node.func.id if isinstance(node.func, ast.Name) else name
            first = node.args[0]
            if name in GIVERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                reasons.add(first.value)
    return reasons


def test_every_reason_is_listed() -> None:
    code: set[str] = set()
    for path in (ROOT / "odyssey" / "emulator" / "live").glob("*.py"):
        code |= _given(ast.parse(path.read_text(encoding="utf-8")))
    text = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
    section = text.partition("## Reasons")[2].partition("\n## ")[0]
    assert {*re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)} == code
