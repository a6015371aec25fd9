from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import sys
import time
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey._logging import (
    RedactingFilter,
    Secret,
    log_to_stderr,
    quiet_urllib3,
    redacted,
    scrub,
    shown_url,
    without_locals,
)

SECRET = "sEcReT123"


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://bucket.example/v.mp4?X-Amz-Signature={SECRET}&X=1 failed",
        f"/client/abc?token={SECRET} HTTP/1.1",
        f"with url: /v.mp4?filename=a(1).mp4&sig={SECRET} (Caused by TimeoutError())",
        f"'https://b.example/v.mp4?name=it's&sig={SECRET}'",
        f"[https://b.example/v.mp4?name=[1]&sig={SECRET}]",
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"bearer   {SECRET}, and more",
        f'{{"session_token":"{SECRET}","expires_in":600}}',
        f'{{"spectator_token": "{SECRET}"}}',
        f'{{"access_token" : "{SECRET}"}}',
        f"{{'api_key': '{SECRET}'}}",
        f"api_key={SECRET}",
        f'{{"credential":"{SECRET}","urls":[]}}',
        f"token: {SECRET}; path=/",
        f'..."spectator_token":"{SECRET}...',
        f"a=eyJhbGciOiJIUzI1NiJ9.{SECRET}.{SECRET}",
        f"session%3DeyJhbGciOiJIUzI1NiJ9.{SECRET}.{SECRET}-x_",
    ],
)
def test_secrets_go(text: str) -> None:
    assert SECRET not in redacted(text)
    assert "…" in redacted(text)
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "could not get recording abc: HTTP 404; it is unknown or not ready yet",
        "https://host:80/path/to/x",
        "Really? Yes.",
        "a tokenizer, an apikey",
        "GET /recordings/1 HTTP/1.1",
    ],
)
def test_plain_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_what_is_around_a_secret_stays() -> None:
    shown = redacted(f"url: /v.mp4?sig={SECRET} (Caused by OSError(5))")
    assert shown == "url: /v.mp4?… (Caused by OSError(5))"


@given(st.text())
def test_any_text_can_be_redacted(text: str) -> None:
    redacted(text)


@pytest.mark.timing
@pytest.mark.parametrize(
    "piece", ["eyJaaaaaaaa-", "?", "?.", "token", "token =", "bearer ", 'token:"', "-a", "a)?"]
)
def test_a_long_text_is_redacted_in_no_time(piece: str) -> None:
    """A look ahead from each place in it would take minutes."""
    began = time.thread_time()
    redacted(piece * (200_000 // len(piece)))
    assert time.thread_time() - began < 2


@given(st.text(st.characters(exclude_characters="?")), st.text())
def test_nothing_behind_the_question_mark_is_shown(head: str, query: str) -> None:
    shown = shown_url(f"{head}?{query}")
    assert shown == shown_url(f"{head}?")
    assert eval(shown).endswith("?…")


def test_urls_that_are_none() -> None:
    assert shown_url(None) == "None"
    assert shown_url("https://host/path") == "'https://host/path'"


def chain() -> Exception:
    """An error whose cause, context, arguments and `reason` carry a query."""

    class ReasonedError(OSError):
        reason: Exception

    url = f"https://b.example/v?sig={SECRET}"
    inner = ReasonedError(f"pool: {url}")
    inner.reason = ValueError(url)
    try:
        try:
            raise KeyError(url)
        except KeyError:
            raise OSError(inner, url) from inner
    except OSError as exc:
        return exc


def test_scrubbing_reaches_causes_contexts_arguments_and_reasons() -> None:
    error = chain()
    assert SECRET in "".join(traceback.format_exception(error))
    assert scrub(error) is error
    assert SECRET not in "".join(traceback.format_exception(error))
    assert SECRET not in repr(error.args)
    inner = error.__cause__
    assert inner is not None
    assert SECRET not in str(getattr(inner, "reason", SECRET))


def test_scrubbing_a_circle_ends() -> None:
    one, two = ValueError("/?a=1"), ValueError("/?b=2")
    one.__cause__, two.__cause__ = two, one
    scrub(one)
    assert (str(one), str(two)) == ("/?…", "/?…")


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("tests.redact")
    logger.addFilter(RedactingFilter())
    return logger


def test_the_filter_rewrites_text_arguments_and_traceback(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        raise chain()
    except OSError:
        logger.exception("%s asked for %s", "somebody", f"/x?sig={SECRET}")
    assert SECRET not in caplog.text
    assert "somebody asked for /x?…" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "urllib3.util.retry"])
def test_urllib3_is_redacted_on_our_behalf_only(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shared = logging.getLogger(name)
    shared.debug("GET %s", "/theirs?sig=visible")
    with quiet_urllib3():
        shared.debug("GET %s", f"/ours?sig={SECRET}")
        with quiet_urllib3():
            pass
        shared.debug("GET %s", f"/ours/again?sig={SECRET}")
    shared.debug("GET %s", "/theirs/again?sig=visible")
    assert SECRET not in caplog.text
    assert caplog.text.count("visible") == 2
    assert "/ours?…" in caplog.text
    assert "/ours/again?…" in caplog.text


def test_debug_follows_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the first client found there may be closed by now, or nobody's."""
    package = logging.getLogger("odyssey")
    monkeypatch.setattr(package, "handlers", [])
    monkeypatch.setattr(package, "level", package.level)
    for stderr in (io.StringIO(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stderr)
        log_to_stderr()
        package.debug("at %s", "/path?sig=secret")
        assert stderr.getvalue().endswith("DEBUG odyssey: at /path?…\n")
        assert stderr.getvalue().count("\n") == 1
    stderr.close()
    package.debug("nobody hears that")
    monkeypatch.setattr(sys, "stderr", None)
    package.debug("nor that")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("show", [repr, str, format, "{:>40}".format, "{!r}".format, "%s".__mod__])
def test_a_secret_shows_nothing(show: Callable[[object], str]) -> None:
    secret = Secret(SECRET)
    assert SECRET not in show(secret)
    assert SECRET not in repr({"key": [secret]})
    assert secret.reveal() == SECRET


def test_a_secret_is_in_no_pickle_and_no_json() -> None:
    for take in (pickle.dumps, json.dumps, vars):
        with pytest.raises(TypeError):
            take(Secret(SECRET))
    assert copy.deepcopy({1: Secret(SECRET)}) == {1: Secret(SECRET)}
    assert copy.copy(Secret(SECRET)) != Secret("another")


def locals_of(error: BaseException) -> str:
    """What error trackers show of an error's frames, without those of this file's tests."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return repr([frame.f_locals for frame in frames if frame.f_code.co_name == "leaking"])


def leaking(query: str) -> None:
    url = f"/?{query}"
    raise OSError(url)


def test_what_is_scrubbed_has_no_locals_left() -> None:
    with pytest.raises(OSError, match="sig") as caught:
        leaking(f"sig={SECRET}")
    assert SECRET in locals_of(caught.value)
    assert locals_of(scrub(caught.value)) == "[{}]"


def test_what_the_caller_was_handling_is_left_as_it_is() -> None:
    """Its text and its locals are the user's own."""
    try:
        leaking("theirs")
    except OSError as theirs:
        try:
            without_locals(leaking)(f"sig={SECRET}")
        except OSError as exc:
            ours = scrub(exc)
        shown = str(theirs), locals_of(theirs)
    assert ours.__context__ is not None
    assert locals_of(ours) == "[{}]"
    assert shown == ("/?theirs", "[{'query': 'theirs', 'url': '/?theirs'}]")


def test_a_callbacks_error_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler may want to look at it; what is printed of it is redacted."""
    package = logging.getLogger("odyssey")
    monkeypatch.setattr(package, "handlers", [])
    monkeypatch.setattr(package, "level", package.level)
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    log_to_stderr()
    try:
        leaking("token=theirs")
    except OSError as error:
        package.exception("the callback raised")
        shown = str(error), locals_of(error)
    assert shown == ("/?token=theirs", "[{'query': 'token=theirs', 'url': '/?token=theirs'}]")
    assert "Traceback" in stderr.getvalue()
    assert "/?…" in stderr.getvalue()
    assert "theirs'" not in stderr.getvalue()


def test_what_is_logged_steers_no_terminal(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    logger.info("stream %s", "a\x1b[2J\u202e\r\nforged: line" + "x" * 10_000_000)
    (record,) = caplog.records
    assert record.getMessage().startswith("stream a [2J   forged: line")
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) <= 2000
