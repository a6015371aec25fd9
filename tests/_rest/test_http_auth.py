"""The key and the bearer token; and that neither they nor a presigned query is ever shown."""

from __future__ import annotations

import io
import logging
import threading
import traceback
from collections.abc import Callable, Iterator

import pytest

from odyssey import (
    ConcurrentLimitReachedError,
    MonthlyLimitReachedError,
    OdysseyAuthError,
    OdysseyError,
    OdysseyServerError,
    OdysseyUsageError,
    RateLimitError,
)
from odyssey._rest.client import HttpClient
from odyssey._runtime.deadline import Deadline
from odyssey.emulator import Emulator, faults
from tests.support.servers import (
    KEY,
    Make,
    Reply,
    Request,
    TinyServer,
    always,
    free_port,
    make,
    short_pauses,
    soon,
)

__all__ = ["make", "short_pauses"]


@pytest.fixture
def http(emulator: Emulator, make: Make) -> HttpClient:
    return make(emulator.url, emulator.api_key)


def test_a_refused_cached_token_is_renewed(emulator: Emulator, http: HttpClient) -> None:
    first = http.bearer(soon())
    assert http.bearer(soon()) == first
    emulator.faults.revoke_tokens()
    assert http.get("/regions", soon(), "could not").status == 200
    assert http.bearer(soon()) != first


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_refused_token_is_renewed_once_only(make: Make, method: str) -> None:
    with TinyServer(always(Reply(status=401))) as server:
        http = make(server.url)
        http.bearer(soon())
        with pytest.raises(OdysseyAuthError, match="HTTP 401"):
            if method == "get":
                http.get("/thing", soon(), "could not")
            else:
                http.post("/thing", {}, soon(), "could not")
        assert len(server.asked("/thing")) == 2
        assert len(server.asked("/auth/token")) == 2


def test_a_new_token_that_is_refused_is_not_renewed(make: Make) -> None:
    with TinyServer(always(Reply(status=401))) as server:
        with pytest.raises(OdysseyAuthError):
            make(server.url).get("/thing", soon(), "could not")
        assert len(server.asked("/thing")) == 1


@pytest.mark.parametrize(
    ("fields", "fetches"),
    [({"expires_in": 3600}, 1), ({}, 1), ({"expires_in": None}, 1), ({"expires_in": 1e-9}, 2)],
)
def test_a_token_is_kept_while_it_lives(
    make: Make, fields: dict[str, object], fetches: int
) -> None:
    reply = Reply({"access_token": "t", **fields})
    with TinyServer(always(reply, "/auth/token")) as server:
        http = make(server.url)
        http.bearer(soon())
        http.bearer(soon())
        assert len(server.asked("/auth/token")) == fetches


def test_threads_share_one_token(make: Make) -> None:
    with TinyServer(always(Reply({"a": 1}))) as server:
        http = make(server.url)
        http.bearer(soon())
        threads = [
            threading.Thread(target=http.get, args=("/thing", soon(), "could not"))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.asked("/auth/token")) == 1
        assert len(server.asked("/thing")) == 8


def test_the_service_finds_the_key_malformed(emulator: Emulator, make: Make) -> None:
    with pytest.raises(OdysseyAuthError, match=r"malformed \(HTTP 422\).*copied") as caught:
        make(emulator.url, "no_such_form").bearer(soon())
    assert caught.value.status == 422
    assert isinstance(caught.value, ValueError)


def test_the_key_is_unknown(emulator: Emulator, make: Make) -> None:
    with pytest.raises(OdysseyAuthError, match=r"HTTP 401.*check the API key") as caught:
        make(emulator.url, KEY).bearer(soon())
    assert caught.value.status == 401


def test_the_key_is_refused(emulator: Emulator, http: HttpClient) -> None:
    emulator.refuse_key(emulator.api_key, "not in this country")
    with pytest.raises(OdysseyAuthError, match=r"HTTP 403: not in this country; ") as caught:
        http.bearer(soon())
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "reply",
    [
        Reply({}),
        Reply({"access_token": 5}),
        Reply({"access_token": "t", "expires_in": "x"}),
        Reply({"access_token": "two\nlines"}),
        Reply({"access_token": "ünïcode"}),
        Reply({"access_token": "a b"}),
        Reply([]),
        Reply(b"<html>"),
    ],
)
def test_a_token_answer_that_is_none(make: Make, reply: Reply) -> None:
    with TinyServer(always(reply, "/auth/token")) as server:
        with pytest.raises(OdysseyServerError, match="the access token") as caught:
            make(server.url).get("/thing", soon(), "could not")
        assert server.asked("/thing") == []
    assert "lines" not in str(caught.value)


def test_fetching_a_token_is_tried_again(emulator: Emulator, http: HttpClient) -> None:
    emulator.faults.inject(faults.HttpStatus(path="/auth/token", status=503), times=3)
    assert http.bearer(soon())


# 429.


@pytest.mark.parametrize("bare", [True, False])
def test_usage_errors_bare_and_under_detail(
    emulator: Emulator, http: HttpClient, bare: bool
) -> None:
    emulator.faults.inject(faults.UsageError(code="MONTHLY_LIMIT_REACHED", bare=bare))
    with pytest.raises(MonthlyLimitReachedError) as caught:
        http.post("/sessions/request", {}, soon(), "could not get a session")
    assert caught.value.details["used_hours"] == 10.0
    assert caught.value.code == "MONTHLY_LIMIT_REACHED"
    assert caught.value.action_url is not None


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: {"detail": body}])
@pytest.mark.parametrize("field", ["code", "error"])
def test_usage_codes_by_either_name(
    make: Make, wrap: Callable[[object], object], field: str
) -> None:
    body = wrap({field: "CONCURRENT_LIMIT_EXCEEDED", "message": "m", "action": "a"})
    with TinyServer(always(Reply(body, 429))) as server:
        with pytest.raises(ConcurrentLimitReachedError, match=r"could not: m \(a\)"):
            make(server.url).post("/thing", {}, soon(), "could not")


@pytest.mark.parametrize("body", [b"<html>", {}, [], {"detail": "slow down"}, {"detail": 5}])
def test_a_429_of_another_shape_is_a_rate_limit(make: Make, body: object) -> None:
    reply = Reply(body, 429, {"Retry-After": "9"})
    with TinyServer(always(reply)) as server:
        with pytest.raises(RateLimitError) as caught:
            make(server.url).post("/thing", {}, soon(), "could not")
    assert caught.value.retry_after == 9
    assert ("slow down" in str(caught.value)) == (body == {"detail": "slow down"})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"detail": "Maximum concurrent sessions reached"}, "application/json"),
        ({"message": None, "detail": "Maximum concurrent sessions reached"}, "application/json"),
        ("Maximum concurrent sessions reached", "application/json"),
        (b"Maximum concurrent sessions reached\n", "text/plain; charset=utf-8"),
    ],
)
def test_a_429_that_speaks_of_concurrent_sessions(make: Make, body: object, kind: str) -> None:
    reply = Reply(body, 429, {"Content-Type": kind})
    with TinyServer(always(reply)) as server:
        with pytest.raises(ConcurrentLimitReachedError, match="not: Maximum concurrent sessions"):
            make(server.url).post("/thing", {}, soon(), "could not")


# Nothing secret is shown.

SECRETS = (KEY, "bearer-1", "s3cret")
SIGNED_THING = "/thing?sig=s3cret"  # apart from the call, whose line a traceback shows


@pytest.fixture
def shown() -> Iterator[list[str]]:
    """What is shown anywhere: every log record of every library, and what a test adds."""
    texts: list[str] = []
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield texts
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "urllib3.connectionpool" in stream.getvalue()
    for text in [stream.getvalue(), *texts]:
        for secret in SECRETS:
            assert secret not in text


def failing(shown: list[str], call: Callable[[], object]) -> None:
    with pytest.raises(OdysseyError) as caught:
        call()
    shown.append("".join(traceback.format_exception(caught.value)))
    shown.append(repr(caught.value))
    if isinstance(caught.value, OdysseyUsageError):
        shown.append(caught.value.message)


def echo(secret: str) -> dict[str, str]:
    """A refusal that repeats what it refuses."""
    return {
        "detail": f"what is {secret}? Bearer {secret} at https://x/?sig=s3cret",
        "message": f"what is {secret}? https://x/?sig=s3cret",
        "action": f"drop {secret}",
    }


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_a_service_that_echoes_secrets(
    make: Make, shown: list[str], status: int, wrapped: bool
) -> None:
    def reply(secret: str) -> Reply:
        return Reply({"detail": echo(secret)} if wrapped else echo(secret), status)

    with TinyServer(always(reply(KEY), "/auth/token")) as server:
        failing(shown, lambda: make(server.url).bearer(soon()))
    with TinyServer(always(reply("bearer-1"))) as server:
        http = make(server.url)
        failing(shown, lambda: http.post(SIGNED_THING, {}, soon(), "could not"))


def fetch(http: HttpClient, url: str) -> object:
    """As recordings are: a presigned address, read piece by piece."""
    deadline = soon(0.5)
    with http.open_file(url, deadline, "could not download", {}) as response:
        return b"".join(http.chunks(response, lambda: deadline, "could not download"))


PRESIGNED = "/files/v.mp4?name=a(1)'b.mp4&X-Amz-Signature=s3cret&token=s3cret"


def test_presigned_addresses_that_fail(make: Make, shown: list[str]) -> None:
    http = make("http://x")
    failing(shown, lambda: fetch(http, f"http://127.0.0.1:{free_port()}{PRESIGNED}"))
    failing(shown, lambda: fetch(http, f"http://nowhere.invalid{PRESIGNED}"))
    failing(shown, lambda: fetch(http, f"nothing://host{PRESIGNED}"))
    failing(shown, lambda: fetch(http, f"http://[{PRESIGNED}"))

    def cut(_: Request) -> Reply | None:
        return None

    with TinyServer(cut) as server:
        failing(shown, lambda: fetch(http, server.url + PRESIGNED))
        assert server.requests[0].path.endswith("&token=s3cret")


def test_presigned_addresses_that_redirect(make: Make, shown: list[str]) -> None:
    def circle(request: Request) -> Reply:
        return Reply(status=302, headers={"Location": request.path + "&more=s3cret"})

    with TinyServer(circle) as server:
        failing(shown, lambda: fetch(make("http://x"), server.url + PRESIGNED))


def test_presigned_addresses_that_work(make: Make, shown: list[str]) -> None:
    with TinyServer(always(Reply(b"data"), "/files/v.mp4")) as server:
        assert fetch(make("http://x"), server.url + PRESIGNED) == b"data"


def test_the_exchange_of_the_key(
    emulator: Emulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    http = make(emulator.url, emulator.api_key)
    token = http.bearer(Deadline.after(10))
    http.get("/regions", soon(), "could not")
    emulator.faults.revoke_tokens()
    http.get("/regions", soon(), "could not")
    assert "a cached bearer token was refused" in caplog.text
    for secret in (emulator.api_key, token.reveal(), http.bearer(soon()).reveal()):
        assert secret not in caplog.text
        assert secret not in repr(http)
