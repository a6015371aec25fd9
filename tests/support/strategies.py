"""What hypothesis makes up, and how hard it tries."""

from __future__ import annotations

import datetime
import functools
import json
import os
from collections.abc import Callable
from typing import Any

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
# HYPOTHESIS_PROFILE=quick: for `make quick`.
settings.register_profile(
    "quick", settings.get_profile("odyssey"), max_examples=50, stateful_step_count=15
)
# HYPOTHESIS_PROFILE=long: for minutes, and other examples each time.
settings.register_profile(
    "long",
    settings.get_profile("odyssey"),
    derandomize=False,
    max_examples=3000,
    stateful_step_count=80,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "odyssey"))


def examples(count: int) -> settings:
    """For a test whose examples are dear, such as those that open sockets: so many, or as many
    times more as the profile tries harder.
    """
    usual = settings.get_profile("odyssey").max_examples
    return settings(max_examples=max(1, count * settings().max_examples // usual))


#: Text with everything that a str can hold, lone surrogates too.
TEXT = st.text(st.characters(), max_size=8)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**63, 1e308])
    | st.floats()
    | TEXT
)

#: Anything that `json.loads` can give.
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


#: What may come over a wire instead of a message.
TEXTS = st.text() | JSON.map(json.dumps)
BINARY = st.binary() | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))

#: Values that no `json.dumps` writes, and what only some parsers take.
RAW_VALUES = st.sampled_from(
    [
        *("NaN", "-Infinity", "1e999", "9" * 5000, "-0", "0.0000001", "1_000"),
        *('"\\ud800"', '"\\u0000"', '"\ud800"', "'text'", "nul", "", "\ufeff1"),
        *("[" * 100_000, "[" * 60 + "]" * 60, '{"a":' * 50 + "1" + "}" * 50),
    ]
)


def object_texts(
    fields: dict[str, st.SearchStrategy[Any]], *, whole: bool = True
) -> st.SearchStrategy[str]:
    """JSON objects, written down: with fields twice, raw values, others' fields, or cut off.

    Args:
        whole: False: only some of the fields are there.
    """
    mild = {name: (value | JSON).map(json.dumps) for name, value in fields.items()}
    right = {name: value.map(json.dumps) for name, value in fields.items()}
    wild = st.sampled_from([*fields, "other"]).flatmap(
        lambda name: st.tuples(st.just(name), mild.get(name, JSON.map(json.dumps)) | RAW_VALUES)
    )
    some = st.fixed_dictionaries(right) if whole else st.fixed_dictionaries({}, optional=mild)
    return st.builds(
        _written, some.map(lambda chosen: list(chosen.items())), st.lists(wild, max_size=2), CUTS
    )


#: Where a text is cut off; mostly it is not.
CUTS = st.none() | st.none() | st.none() | st.integers(0, 200)


def _written(some: list[tuple[str, str]], more: list[tuple[str, str]], cut: int | None) -> str:
    pairs = (f"{json.dumps(name)}: {value}" for name, value in some + more)
    return ("{" + ", ".join(pairs) + "}")[:cut]


#: What may stand where a number or a word is expected in a line of text.
TOKENS = (
    st.sampled_from(
        ["", "0", "-1", "99999", "9" * 5000, "1e9", "\0", "é", "\ud800", "::", "a=", "/", " " * 50]
    )
    | st.integers().map(str)
    | TEXT
)


def spoilt_lines(
    text: str, separator: str = "\r\n", cuts: tuple[str, ...] = (" ", ":")
) -> st.SearchStrategy[str]:
    """`text` with some of its lines left out, doubled, moved, replaced, or with other words."""
    lines = text.strip(separator).split(separator)
    at = st.integers(0, len(lines) - 1)
    change = st.one_of(
        st.builds(lambda i: lambda ls: ls[:i] + ls[i + 1 :], at),
        st.builds(lambda i, j: lambda ls: ls[:i] + ls[j : j + 1] + ls[i:], at, at),
        st.builds(lambda i, t: lambda ls: [*ls[:i], t, *ls[i + 1 :]], at, TOKENS),
        st.builds(
            lambda i, n, cut, t: (
                lambda ls: (
                    ls[:i] + [_with_word(line, n, cut, t) for line in ls[i : i + 1]] + ls[i + 1 :]
                )
            ),
            at,
            st.integers(0, 7),
            st.sampled_from(cuts),
            TOKENS,
        ),
        st.builds(lambda i: lambda ls: ls[:i], at),
    )

    def spoil(changes: list[Callable[[list[str]], list[str]]], end: str) -> str:
        spoilt = functools.reduce(lambda ls, one: one(ls), changes, lines)
        return separator.join(spoilt) + end

    ends = st.sampled_from([separator, separator, separator, "", "\n", "\0"])
    return st.builds(spoil, st.lists(change, max_size=5), ends)


def _with_word(line: str, number: int, cut: str, token: str) -> str:
    words = line.split(cut)
    words[number % len(words)] = token
    return cut.join(words)


#: Values of a `Retry-After` header.
RETRY_AFTER = (
    st.text(st.characters(min_codepoint=32, max_codepoint=126))
    | st.floats().map(str)
    | st.integers().map(str)
    | st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)).map(
        lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    )
    | spoilt_lines("Sun, 06 Nov 1994 08:49:37 GMT", " ", (":", ","))
)
