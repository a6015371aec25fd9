"""`python -m tests.network` prints what it sees of each scenario, one after another: some minutes,
as root, on a machine that does nothing else.
"""

from __future__ import annotations

import sys

from tests.network.report import HEADER, row
from tests.network.run import run
from tests.network.scenarios import SCENARIOS

#: Seconds that each stream is looked at, on top of the outage.
SECONDS = 8.0

sys.stdout.write(HEADER)
for scenario in SCENARIOS:
    sys.stdout.write(row(scenario, run(scenario, SECONDS)))
    sys.stdout.flush()
