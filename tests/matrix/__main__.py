"""`python -m tests.matrix` prints the tables; with a file, it puts them into that."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.matrix.report import replaced, section

if len(sys.argv) > 1:
    path = Path(sys.argv[1])
    path.write_text(replaced(path.read_text(encoding="utf-8")), encoding="utf-8")
else:
    sys.stdout.write(section())
