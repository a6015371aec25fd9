"""What hypothesis makes up, and how hard it tries."""

from __future__ import annotations

import datetime
import json

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# A busy machine is no failure, and the same tree gives the same result.
settings.register_profile(
    "odyssey",
    deadline=None,
    derandomize=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
    stateful_step_count=30,
)
settings.load_profile("odyssey")

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**63, 1e308])
    | st.floats()
    | st.text(max_size=8)
)

#: Anything that `json.loads` can give.
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def objects(*fields: str) -> st.SearchStrategy[dict[str, object]]:
    """JSON objects with some of these fields, each of whatever type."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(fields, JSON))


#: What may come over a wire instead of a message.
TEXTS = st.text() | JSON.map(json.dumps)
BINARY = st.binary() | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))

#: Values of a `Retry-After` header.
RETRY_AFTER = (
    st.text(st.characters(min_codepoint=32, max_codepoint=126))
    | st.floats().map(str)
    | st.integers().map(str)
    | st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)).map(
        lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    )
)
