from __future__ import annotations

import ast
import copy
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import odyssey
from odyssey import errors
from odyssey.errors import (
    AccountSuspendedError,
    ConcurrentLimitReachedError,
    MonthlyLimitReachedError,
    OdysseyAPIError,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyRequestError,
    OdysseyServerError,
    OdysseyStreamError,
    OdysseyTimeoutError,
    OdysseyUsageError,
    RateLimitError,
    SimulationFailedError,
    StreamDurationExceededError,
    error_from_signaling_reason,
    error_from_status,
    error_from_stream_reason,
    error_from_usage,
    own_copy,
    printable,
    raise_for_usage_error,
)
from tests.support.strategies import JSON

#: Sets a terminal's title, clears it, and writes backwards.
STEERING = "a\x1b]0;owned\x07\x9b2J\u202ecat\r\nforged"

# As the contract draws it: each class and all that it is directly made of.
TREE: dict[type[OdysseyError], tuple[type[BaseException], ...]] = {
    OdysseyError: (Exception,),
    OdysseyAuthError: (OdysseyError, ValueError),
    OdysseyConnectionError: (OdysseyError, ConnectionError),
    OdysseyTimeoutError: (OdysseyConnectionError, TimeoutError),
    OdysseyStreamError: (OdysseyError,),
    OdysseyAPIError: (OdysseyError,),
    OdysseyRequestError: (OdysseyAPIError, ValueError),
    OdysseyNotFoundError: (OdysseyRequestError,),
    OdysseyServerError: (OdysseyAPIError, OdysseyConnectionError),
    SimulationFailedError: (OdysseyError,),
    OdysseyUsageError: (OdysseyError,),
    MonthlyLimitReachedError: (OdysseyUsageError,),
    ConcurrentLimitReachedError: (OdysseyUsageError,),
    AccountSuspendedError: (OdysseyUsageError,),
    StreamDurationExceededError: (OdysseyUsageError, OdysseyStreamError),
    RateLimitError: (OdysseyUsageError,),
}

USAGE: dict[str, Any] = {
    "code": "MONTHLY_LIMIT_REACHED",
    "message": "the hours are used up",
    "action": "wait",
    "action_url": "https://odyssey.ml/pricing",
    "details": {"used_hours": 10.0},
}

EXAMPLES: list[tuple[OdysseyError, dict[str, object]]] = [
    (OdysseyError("said"), {}),
    (OdysseyAuthError("said", status=403), {"status": 403}),
    (OdysseyConnectionError("said", reason="unknown"), {"reason": "unknown"}),
    (OdysseyTimeoutError("said", partial=[1, 2]), {"reason": None, "partial": [1, 2]}),
    (
        OdysseyStreamError("said", reason="moderation", message="no", partial=[1]),
        {"reason": "moderation", "message": "no", "partial": [1]},
    ),
    (OdysseyAPIError("said", status=418, detail="tea"), {"status": 418, "detail": "tea"}),
    (OdysseyRequestError("said", status=400, detail="bad"), {"status": 400, "detail": "bad"}),
    (OdysseyNotFoundError("said", status=404), {"status": 404, "detail": None}),
    (OdysseyServerError("said", status=503), {"status": 503, "detail": None, "reason": None}),
    (SimulationFailedError("said", job={"id": 1}), {"job": {"id": 1}}),
    *(
        (cls("said", **USAGE), USAGE)
        for cls in (
            OdysseyUsageError,
            MonthlyLimitReachedError,
            ConcurrentLimitReachedError,
            AccountSuspendedError,
            RateLimitError,
        )
    ),
    (
        StreamDurationExceededError("said", code="STREAM_DURATION_EXCEEDED", message="over"),
        {"code": "STREAM_DURATION_EXCEEDED", "message": "over", "reason": "session_timeout"},
    ),
]


def test_the_tree_is_the_contracts() -> None:
    for cls, bases in TREE.items():
        assert cls.__bases__ == bases


def test_there_is_no_other_class_and_all_are_exported() -> None:
    found = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, OdysseyError)
    }
    assert found == set(TREE)
    for cls in found:
        assert getattr(odyssey, cls.__name__) is cls
        assert cls.__name__ in odyssey.__all__


def test_every_class_has_an_example() -> None:
    assert {type(error) for error, _ in EXAMPLES} == set(TREE)


@pytest.mark.parametrize(("error", "facts"), EXAMPLES, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_everything(
    error: OdysseyError, facts: dict[str, object], protocol: int
) -> None:
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert str(again) == "said"
    assert again.args == error.args == ("said",)
    assert {name: getattr(again, name) for name in facts} == facts


@pytest.mark.parametrize(("error", "facts"), EXAMPLES, ids=lambda v: type(v).__name__)
def test_copying_keeps_everything(error: OdysseyError, facts: dict[str, object]) -> None:
    for again in (copy.copy(error), copy.deepcopy(error), own_copy(error)):
        assert again is not error
        assert type(again) is type(error)
        assert str(again) == "said"
        assert {name: getattr(again, name) for name in facts} == facts


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_every_class_can_be_made_of_nothing_and_of_a_text(cls: type[OdysseyError]) -> None:
    assert str(cls()) == ""
    assert str(cls("said")) == "said"
    assert str(cls(STEERING)) == "a ]0;owned  2J cat  forged"
    with pytest.raises(cls, match="said"):
        raise cls("said")


def test_own_copy_has_a_traceback_of_its_own_and_the_same_cause() -> None:
    error = OdysseyConnectionError("lost")
    try:
        raise error from OSError("cable")
    except OdysseyConnectionError:
        pass
    again = own_copy(error)
    assert error.__traceback__ is not None
    assert again.__traceback__ is None
    assert again.__cause__ is error.__cause__ is not None


def test_rate_limits_keep_their_seconds_when_pickled() -> None:
    error = error_from_usage({"code": "RATE_LIMITED"}, "could not", retry_after=3)
    assert isinstance(error, RateLimitError)
    assert pickle.loads(pickle.dumps(error)).retry_after == 3


def test_a_stream_error_without_a_message_of_the_service_is_its_own() -> None:
    error = OdysseyStreamError("no stream is running")
    assert error.message == "no stream is running"
    assert error.reason == "unknown"


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, OdysseyRequestError),
        (401, OdysseyAuthError),
        (403, OdysseyAuthError),
        (404, OdysseyNotFoundError),
        (409, OdysseyRequestError),
        (422, OdysseyRequestError),
        (429, RateLimitError),
        (500, OdysseyServerError),
        (502, OdysseyServerError),
        (503, OdysseyServerError),
        (504, OdysseyServerError),
        (599, OdysseyServerError),
    ],
)
def test_status_to_class(status: int, cls: type[OdysseyError]) -> None:
    error = error_from_status(status, "the detail", "could not get recording abc")
    assert type(error) is cls
    assert str(error).startswith("could not get recording abc: ")
    assert "the detail" in str(error)
    if isinstance(error, (OdysseyAuthError, OdysseyAPIError)):
        assert error.status == status
        assert str(status) in str(error)
    if isinstance(error, OdysseyAPIError):
        assert error.detail == "the detail"


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "check the API key"), (403, "lacks the right"), (404, "not ready"), (503, "try again")],
)
def test_a_status_comes_with_advice(status: int, advice: str) -> None:
    assert advice in str(error_from_status(status, None, "could not"))


# Every code of the protocol, the second name of one of them included.
CODES = {
    "MONTHLY_LIMIT_REACHED": MonthlyLimitReachedError,
    "CONCURRENT_LIMIT_REACHED": ConcurrentLimitReachedError,
    "CONCURRENT_LIMIT_EXCEEDED": ConcurrentLimitReachedError,
    "STREAM_DURATION_EXCEEDED": StreamDurationExceededError,
    "ACCOUNT_SUSPENDED": AccountSuspendedError,
    "RATE_LIMITED": RateLimitError,
}


@pytest.mark.parametrize(("code", "cls"), CODES.items())
@pytest.mark.parametrize("field", ["code", "error"])
def test_usage_code_to_class(code: str, cls: type[OdysseyUsageError], field: str) -> None:
    body = {**USAGE, field: code}
    if field == "error":
        del body["code"]
    error = error_from_usage(body, "could not get a session")
    assert type(error) is cls
    assert error.code == code
    assert error.message == "the hours are used up"
    assert error.action == "wait"
    assert error.action_url == "https://odyssey.ml/pricing"
    assert error.details == {"used_hours": 10.0}
    assert str(error) == "could not get a session: the hours are used up (wait)"


@pytest.mark.parametrize("code", CODES)
def test_a_usage_error_without_an_action_says_what_to_do(code: str) -> None:
    said = str(error_from_usage({"code": code, "message": "the limit"}, "could not"))
    assert re.fullmatch(r"could not: the limit \(.+\)", said)


def test_an_unknown_code_is_a_usage_error_and_keeps_it() -> None:
    error = error_from_usage({"code": "FULL_MOON", "message": "tonight"}, "could not")
    assert type(error) is OdysseyUsageError
    assert (error.code, error.details, error.action_url) == ("FULL_MOON", {}, None)


def test_a_429_without_a_code_is_a_rate_limit() -> None:
    error = error_from_usage({}, "could not list", retry_after=7)
    assert isinstance(error, RateLimitError)
    assert error.code == "RATE_LIMITED"
    assert error.retry_after == 7
    assert "too many requests" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "Maximum number of concurrent sessions reached (5)",
        "Too many simultaneous streams",
        "Session limit reached: 5 CONCURRENT allowed",
        "The stream limit is 5; concurrency is exhausted",
    ],
)
@pytest.mark.parametrize(
    "body_of",
    [
        lambda text: {"message": text},
        lambda text: {"error": text},
        lambda text: {"error": "Too Many Requests", "message": text},
        lambda text: {"code": None, "error": "", "message": text},
    ],
)
def test_a_429_that_speaks_of_concurrent_sessions(
    text: str, body_of: Callable[[str], dict[str, object]]
) -> None:
    error = error_from_usage(body_of(text), "could not connect")
    assert type(error) is ConcurrentLimitReachedError
    assert (error.code, error.message) == ("CONCURRENT_LIMIT_REACHED", text)
    assert type(error_from_status(429, text, "could not")) is ConcurrentLimitReachedError


@pytest.mark.parametrize("text", ["Too many requests", "too many sessions a minute", "concurrent"])
def test_other_429s_without_a_code_are_rate_limits(text: str) -> None:
    assert type(error_from_usage({"message": text}, "could not")) is RateLimitError
    assert type(error_from_usage({"error": f"{text}, please wait"}, "x")) is RateLimitError


def test_a_code_wins_over_the_text() -> None:
    body = {"code": "RATE_LIMITED", "message": "concurrent sessions"}
    assert type(error_from_usage(body, "could not")) is RateLimitError
    assert type(error_from_usage({**body, "code": "NEW"}, "could not")) is OdysseyUsageError


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: {"detail": body}])
def test_raising_for_a_usage_error(wrap: Callable[[object], object]) -> None:
    body = {"error": "MONTHLY_LIMIT_REACHED", "message": "m", "action": "a", "details": {"x": 1}}
    with pytest.raises(MonthlyLimitReachedError, match="m \\(a\\)") as caught:
        raise_for_usage_error(429, wrap(body))
    assert caught.value.details == {"x": 1}
    with pytest.raises(ConcurrentLimitReachedError):
        raise_for_usage_error(429, wrap("too many concurrent sessions"))
    others: tuple[object, ...] = ({}, [], None, "slow down", {"message": "m"})
    for nothing in others:
        raise_for_usage_error(429, wrap(nothing))
    raise_for_usage_error(403, wrap(body))


def test_the_bodys_seconds_win_over_the_headers() -> None:
    body = {"code": "RATE_LIMITED", "details": {"retry_after_seconds": 2}}
    assert getattr(error_from_usage(body, "x", retry_after=9), "retry_after", None) == 2


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "code": JSON | st.sampled_from(sorted(CODES)),
            "error": JSON,
            "message": JSON,
            "action": JSON,
            "action_url": JSON,
            "details": JSON | st.fixed_dictionaries({"retry_after_seconds": JSON}),
        },
    )
)
def test_whatever_a_usage_body_is_it_makes_a_usage_error(body: dict[str, object]) -> None:
    error = error_from_usage(body, "could not")
    for name in ("code", "message", "action"):
        assert isinstance(getattr(error, name), str)
    assert isinstance(error.details, dict)
    assert error.action_url is None or isinstance(error.action_url, str)
    if isinstance(error, RateLimitError):
        assert error.retry_after is None or 0 <= error.retry_after < float("inf")


@pytest.mark.parametrize(
    ("reason", "cls"),
    [
        ("quota_exceeded", MonthlyLimitReachedError),
        ("concurrent_limit_exceeded", ConcurrentLimitReachedError),
        ("session_timeout", StreamDurationExceededError),
    ],
)
def test_stream_reasons_that_are_usage_errors(reason: str, cls: type[OdysseyUsageError]) -> None:
    error = error_from_stream_reason(reason, "the service's words", "could not start")
    assert type(error) is cls
    assert error.message == "the service's words"
    assert "the service's words" in str(error)
    assert error.code in CODES


def test_a_stream_that_was_too_long_is_caught_as_a_stream_error() -> None:
    error = error_from_stream_reason("session_timeout", "", "the stream failed")
    assert isinstance(error, OdysseyStreamError)
    assert error.reason == "session_timeout"


@pytest.mark.parametrize("reason", ["lease_denied", "moderation", "invalid_state", "surprise"])
def test_other_stream_reasons_are_stream_errors(reason: str) -> None:
    error = error_from_stream_reason(reason, "why", "could not start")
    assert type(error) is OdysseyStreamError
    assert (error.reason, error.message) == (reason, "why")
    assert str(error).startswith(f"could not start: {reason}: why")
    assert ("try again" in str(error)) == (reason == "lease_denied")


@pytest.mark.parametrize(
    "reason",
    ["streamer_not_available", "streamer_disconnected", "duration_limit_reached", "unknown", "new"],
)
def test_signaling_reasons(reason: str) -> None:
    error = error_from_signaling_reason(reason)
    assert type(error) is OdysseyConnectionError
    assert error.reason == reason
    assert f"({reason})" in str(error)
    assert "connect again" in str(error)
    assert reason == "new" or reason in errors.SIGNALING_REASONS


# The reasons that this package gives.


def reasons_in_the_code() -> set[str]:
    """Of every `OdysseyStreamError(..., reason="...")` of the client."""
    root = Path(odyssey.__file__).parent
    reasons: set[str] = set()
    for path in root.rglob("*.py"):
        if path.relative_to(root).parts[0] == "emulator":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "OdysseyStreamError":
                given = [k.value for k in node.keywords if k.arg == "reason"]
                reasons |= {v.value for v in given if isinstance(v, ast.Constant)}  # type: ignore[misc]
    return reasons


def test_each_reason_is_listed_and_no_other() -> None:
    reasons = reasons_in_the_code()
    assert "not_connected" in reasons
    about = (OdysseyStreamError.__doc__ or "").partition("reason:")[2].partition("message:")[0]
    assert set(re.findall(r'`"(\w+)"`', about)) == reasons
    page = Path(__file__).parents[1].joinpath("docs/guide/errors.md").read_text("utf-8")
    table = page.partition("| Reason |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == reasons


# What the service says in them.


@pytest.mark.parametrize("text", [STEERING, STEERING * 1_000_000], ids=["short", "17 MB"])
@pytest.mark.parametrize(
    "make",
    [
        lambda text: error_from_status(400, text, "could not"),
        lambda text: error_from_status(403, text, f"could not get {text}"),
        lambda text: error_from_status(500, text, "could not"),
        lambda text: error_from_usage(
            dict.fromkeys(("code", "message", "action", "action_url"), text), "could not"
        ),
        lambda text: error_from_stream_reason(text, text, "the stream failed"),
        lambda text: error_from_stream_reason("quota_exceeded", text, "the stream failed"),
        error_from_signaling_reason,
        lambda text: OdysseyStreamError(f"stream {text} is over"),
        OdysseyUsageError,
    ],
)
def test_whatever_the_service_says_is_printable_and_short(
    make: Callable[[str], OdysseyError], text: str
) -> None:
    error = make(text)
    shown = [str(error), *(v for v in vars(error).values() if isinstance(v, str))]
    assert shown[0].count("owned") >= 1
    assert all(part.isprintable() for part in shown)
    assert max(map(len, shown)) <= 2000
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_printable_text_keeps_what_is_seen() -> None:
    family = (
        "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL} \N{ARABIC LETTER HEH}\u200c\N{ARABIC LETTER YEH} é"
    )
    assert printable(family) == family
    assert printable("a\r\n\tb\u2066c\ud800d") == "a   b c d"
    assert printable("x" * 50, 10) == "x" * 9 + "…"
