"""Everything is done and everything goes wrong, with all logs at DEBUG: no key, token or signature
is seen anywhere.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import queue
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from odyssey import (
    AdvancedConfig,
    BroadcastInfo,
    ClientCredentials,
    Odyssey,
    OdysseyAuthError,
    Recording,
    connect_to_stream,
)
from odyssey._live.whep import WhepAddress
from odyssey._protocol.messages import BroadcastReady
from odyssey.cli._app import app
from odyssey.cli._app import run as run_command
from odyssey.emulator import Emulator, faults
from tests.models.test_models import session_token
from tests.support.scripts import script
from tests.support.secret_search import AN_ADDRESS, Secrets, Shown
from tests.support.servers import Reply, Request, TinyServer, free_port, raw_server, short_pauses  # noqa: F401

pytestmark = pytest.mark.live

LOGGERS = (
    *("", "odyssey", "urllib3", "requests", "websockets", "aiohttp", "aiortc", "aioice", "asyncio"),
    *("libav", "charset_normalizer", "PIL", "concurrent.futures"),
)
ONCE = AdvancedConfig(max_retries=0)
ICE_CREDENTIAL = "turn-credential-5ec2e7"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    secrets = Secrets()
    secrets.learn_from_emulators(monkeypatch)
    secrets.add("a TURN server's credential", ICE_CREDENTIAL)
    return secrets


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shown]:
    """Hears all loggers and the names of threads."""
    shown = Shown()
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    package = logging.getLogger("odyssey")
    handlers = package.handlers[:]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(shown)
    started = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        shown.add("a thread's name", thread.name)
        started(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    yield shown
    loggers[0].removeHandler(shown)
    package.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def emulator(secrets: Secrets, shown: Shown) -> Iterator[Emulator]:
    with Emulator() as emulator:
        secrets.add("the API key", emulator.api_key)
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Odyssey]:
    with Odyssey(
        emulator.api_key, api_url=emulator.url, timeout=15, debug=True, enable_telemetry=True
    ) as client:
        yield client


Check = Callable[[], None]


@pytest.fixture
def nothing_is_seen(
    secrets: Secrets, shown: Shown, capsys: pytest.CaptureFixture[str]
) -> Iterator[Check]:
    """The search, which also takes in what was written to stdout and stderr, and warnings."""

    def check() -> None:
        for name, text in zip(("stdout", "stderr"), capsys.readouterr(), strict=True):
            shown.texts.append((name, text))
        for warning in caught:
            shown.add("a warning", warning.message)
        assert secrets.known
        assert shown.texts
        assert shown.leaks(secrets) == []

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield check


# The search itself.


@pytest.mark.parametrize(
    "leak",
    [
        lambda secret, shown: logging.getLogger("odyssey.x").debug("got %s", secret),
        lambda secret, shown: logging.getLogger("urllib3.x").debug("got %s", secret),
        lambda secret, shown: sys.stdout.write(secret),
        lambda secret, shown: shown.add("a value", [secret]),
        lambda secret, shown: warnings.warn(f"got {secret}", stacklevel=1),
        lambda secret, shown: shown.fails(lambda: leaking(secret), OSError),
        lambda secret, shown: threading.Thread(target=str, name=secret).start(),
    ],
    ids=["log", "log of a library", "stdout", "repr", "warning", "cause of an error", "thread"],
)
def test_a_leak_is_found(
    leak: Callable[[str, Shown], object], secrets: Secrets, shown: Shown, nothing_is_seen: Check
) -> None:
    secret = secrets.add("something", "top/secret+5ec2e7")
    shown.add("nowhere", "nothing")
    nothing_is_seen()
    leak(secret, shown)
    with pytest.raises(AssertionError, match=r"something in .*<HERE>"):
        nothing_is_seen()


def leaking(secret: str) -> None:
    """Raises an error whose cause has an attribute."""
    cause = ValueError()
    cause.where = secret  # type: ignore[attr-defined]
    raise OSError("something is wrong") from cause


# Everything is done.


def test_nothing_is_seen_where_all_is_well(
    client: Odyssey,
    emulator: Emulator,
    secrets: Secrets,
    shown: Shown,
    nothing_is_seen: Check,
    tmp_path: Path,
) -> None:
    server = {"urls": "stun:127.0.0.1:1", "username": "u", "credential": ICE_CREDENTIAL}
    emulator.faults.inject(faults.IceServers(servers=[server]))
    stream_id = stream_and_watch(client, shown)
    connect_with_credentials(client, emulator, shown)
    read_recordings(client, emulator, shown, stream_id, tmp_path)
    simulate(client, emulator, shown)
    client.close()
    assert emulator.telemetry
    shown.add("telemetry", emulator.telemetry)
    nothing_is_seen()


def stream_and_watch(client: Odyssey, shown: Shown) -> str:
    announced: queue.Queue[BroadcastInfo] = queue.Queue()
    client.connect(on_broadcast_ready=announced.put, on_video_frame=lambda frame: 1 / 0)
    with client.stream("A cat", broadcast=True) as stream, client.subscribe() as queued:
        stream.interact("It yawns")
        info = announced.get(timeout=10)
        ready = BroadcastReady(info.hls_url, info.webrtc_url, info.spectator_token)
        with connect_to_stream(info.webrtc_url, info.spectator_token, debug=True) as watching:
            frame = watching.frames.get()
            for value in (stream, info, ready, watching, frame, queued, queued.stats, client.stats):
                shown.add("an object", value)
            assert shown.objects() > 100
        assert stream.id is not None
        return stream.id


def connect_with_credentials(client: Odyssey, emulator: Emulator, shown: Shown) -> None:
    client.disconnect()
    credentials = client.create_client_credentials()
    shown.add("credentials", credentials)
    data = credentials.to_dict()
    with Odyssey(timeout=15, advanced=ONCE) as other:
        other.connect_with_credentials(ClientCredentials.from_dict(json.loads(json.dumps(data))))
        shown.objects()
        other.disconnect()
        # It lets one connect once.
        shown.fails(lambda: other.connect_with_credentials(credentials))
    shown.fails(lambda: ClientCredentials("ws://host", data["session_token"] + ".x", 9), ValueError)
    for wrong in (
        {**data, "session_token": data["session_token"].replace(".", "")},
        {**data, "session_token": data["session_token"] + ".x"},
        {**data, "signaling_url": f"nonsense?token={data['session_token']}"},
        {**data, "expires_in": "soon"},
    ):
        with Odyssey(timeout=5, advanced=ONCE) as other:
            shown.fails(
                lambda: other.connect_with_credentials(ClientCredentials.from_dict(wrong)),  # noqa: B023
                Exception,
            )


def read_recordings(
    client: Odyssey, emulator: Emulator, shown: Shown, stream_id: str, folder: Path
) -> None:
    artifacts = ("video", "events", "thumbnail", "preview")
    recording = client.recordings.wait(stream_id, artifacts=artifacts)
    listed = client.recordings.list()
    for value in (recording, listed, *listed.recordings):
        shown.add("a recording", value)
    emulator.faults.inject(faults.UrlExpired(), times=1)
    client.recordings.download(recording, folder / "renewed.mp4", progress=True)
    client.recordings.events(recording)
    client.recordings.thumbnail(recording)
    frames = client.recordings.frames(recording, step=10)
    shown.add("a frame", next(frames))
    shown.objects()
    del frames
    emulator.faults.inject(faults.UrlExpired(), times=2)
    shown.fails(lambda: client.recordings.events(recording), OdysseyAuthError)
    emulator.faults.inject(faults.HttpDrop(path="/files/*"))
    shown.fails(lambda: client.recordings.events(recording))
    emulator.faults.clear()
    shown.fails(lambda: client.recordings.download(recording, "/dev/null/x"), OSError)
    for unlike_ours in (KeyboardInterrupt, ZeroDivisionError):

        def interrupted(_done: int, _total: int | None) -> None:
            raise unlike_ours  # noqa: B023

        target = folder / f"{unlike_ours.__name__}.mp4"
        shown.fails(
            lambda: client.recordings.download(recording, target, progress=interrupted),  # noqa: B023
            unlike_ours,
        )
    shown.fails(lambda: client.recordings.get("unknown"))


def simulate(client: Odyssey, emulator: Emulator, shown: Shown) -> None:
    job = client.simulations.wait(client.simulations.submit(script=script(200)), interval=0.05)
    shown.add("a simulation", job)
    shown.add("a simulation", client.simulations.list())
    said = f"could not read {job.streams[0].video_url}"
    emulator.faults.inject(faults.SimulationFails(message=said), times=1)
    failing = client.simulations.submit(script=script(200))
    shown.fails(lambda: client.simulations.wait(failing, interval=0.05))
    shown.add("a simulation", client.simulations.get(failing.job_id))
    shown.add("a simulation", client.simulations.list())


def test_nothing_is_seen_on_the_command_line(
    emulator: Emulator,
    secrets: Secrets,
    shown: Shown,
    nothing_is_seen: Check,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But for the addresses of files, where those are what was asked for."""
    monkeypatch.setenv("ODYSSEY_API_KEY", emulator.api_key)
    monkeypatch.setenv("ODYSSEY_API_URL", emulator.url)
    assert run_command(["doctor", "--json"]) == 0
    assert run_command(["stream", "A cat", "--seconds", "0.4"]) == 0
    with Odyssey() as client:
        (info,) = client.recordings.iterate()
        client.recordings.wait(info.stream_id)
    assert run_command(["recordings", "list", "--json"]) == 0
    assert run_command(["recordings", "events", info.stream_id]) == 0
    assert run_command(["recordings", "download", info.stream_id, "--to", str(tmp_path)]) == 0
    with pytest.MonkeyPatch.context() as patch:
        asked_for = io.StringIO()
        patch.setattr("sys.stdout", asked_for)
        assert run_command(["recordings", "get", info.stream_id]) == 0
        assert run_command(["recordings", "get", info.stream_id, "--json"]) == 0
        assert run_command(["simulate", "submit", "--prompt", "A cat", "--json"]) == 0
    assert "signature=" in asked_for.getvalue()
    assert secrets.found_in(asked_for.getvalue()) == {AN_ADDRESS}
    monkeypatch.setenv("ODYSSEY_API_URL", f"http://127.0.0.1:{free_port()}")
    assert run_command(["recordings", "list"]) == 1
    assert run_command(["doctor"]) == 1
    nothing_is_seen()


# Everything goes wrong.


def test_nothing_is_seen_of_a_key_that_is_refused(
    emulator: Emulator, secrets: Secrets, shown: Shown, nothing_is_seen: Check
) -> None:
    unknown = secrets.add("an unknown key", "ody_unknown0123456789")
    malformed = secrets.add("a malformed key", "malformed-0123456789")
    refused = emulator.add_key(secrets.add("a refused key", "ody_refused0123456789"))
    emulator.refuse_key(refused, f"the key {refused} has no access")
    for key in (unknown, malformed, refused):
        with Odyssey(key, api_url=emulator.url, debug=True, enable_telemetry=True) as client:
            shown.add("a client", client)
            for call in (client.connect, client.recordings.list, client.create_client_credentials):
                shown.fails(call, OdysseyAuthError)
    nothing_is_seen()


@pytest.mark.parametrize(
    "arguments",
    [
        {"timeout": -1},
        {"api_url": "nonsense"},
        {"frame_buffer": 0},
        {"queue_timeout": "soon"},
        {"advanced": ONCE, "api_key": "ody_with space0123456789"},
    ],
    ids="+".join,
)
def test_nothing_is_seen_of_a_client_that_is_not_made(
    arguments: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    secrets: Secrets,
    shown: Shown,
    nothing_is_seen: Check,
) -> None:
    given = {"api_key": "ody_0123456789abcdef", **arguments}
    monkeypatch.setenv("ODYSSEY_API_KEY", secrets.add("the API key", given["api_key"]))
    shown.fails(lambda: Odyssey(**given), ValueError, TypeError)
    del given["api_key"]
    shown.fails(lambda: Odyssey(**given), ValueError, TypeError)
    nothing_is_seen()


def test_nothing_is_seen_of_a_token_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, secrets: Secrets, shown: Shown, nothing_is_seen: Check
) -> None:
    token = secrets.add("the spectator token", "spectator-0123456789")
    monkeypatch.setenv("ODYSSEY_SPECTATOR_TOKEN", token)
    args = ["watch", f"http://127.0.0.1:{free_port()}/stream"]
    shown.fails(lambda: app.main(args, standalone_mode=False))
    nothing_is_seen()


def echo(request: Request) -> str:
    """What was sent, repeated."""
    return f"{request.headers.get('Authorization')} {request.path} {request.body.decode()}"


REFUSALS: dict[str, Callable[[Request], Reply]] = {
    "detail": lambda request: Reply({"detail": echo(request)}, 500),
    "findings": lambda request: Reply({"detail": [{"msg": echo(request)}]}, 422),
    "usage": lambda request: Reply(
        {"error": "X", "message": echo(request), "action": echo(request), "details": {"x": 1}}, 429
    ),
    "forbidden": lambda request: Reply({"detail": echo(request)}, 403),
    "unknown": lambda request: Reply({"detail": echo(request)}, 404),
    "not JSON": lambda request: Reply(f"<html>{echo(request)}".encode(), 200),
    "not JSON, failed": lambda request: Reply(f"<html>{echo(request)}".encode(), 500),
    "a list": lambda request: Reply([echo(request)]),
    "redirect": lambda request: Reply({}, 307, {"Location": "/again?sig=5ec2e7-signature"}),
    "redirect nowhere": lambda request: Reply(
        {}, 302, {"Location": f"http://127.0.0.1:1/?sig=5ec2e7-signature&was={request.path}"}
    ),
    "redirect to nonsense": lambda request: Reply(
        {}, 302, {"Location": "http://[::1/?sig=5ec2e7-signature"}
    ),
}


@pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS)
def test_nothing_is_seen_of_a_service_that_repeats_what_it_got(
    refuse: Callable[[Request], Reply], secrets: Secrets, shown: Shown, nothing_is_seen: Check
) -> None:
    key = secrets.add("the API key", "ody_0123456789abcdef")
    bearer = secrets.add("a bearer token", "bearer-0123456789abcdef")
    spectator = secrets.add("a spectator token", "spectator-0123456789")
    secrets.add("a signature", "5ec2e7-signature")

    def answer(request: Request) -> Reply:
        if request.path == "/auth/token" and lets_in:
            return Reply({"access_token": bearer, "expires_in": 3600})
        return refuse(request)

    lets_in = False
    with TinyServer(answer) as server:
        signed = f"{server.url}/e?sig=5ec2e7-signature"
        recording = Recording("s1", events_url=signed)
        with Odyssey(key, api_url=server.url, timeout=0.5, debug=True) as client:
            shown.fails(client.connect)
            lets_in = True
            shown.fails(client.connect)
            shown.fails(lambda: client.recordings.get("s1"))
            shown.fails(lambda: client.recordings.events(recording))
            shown.fails(lambda: client.simulations.submit(script_url=signed))
        shown.fails(lambda: connect_to_stream(signed, spectator, timeout=0.5))
    nothing_is_seen()


SIGNED = "?X-Amz-Signature=5ec2e7-signature&X-Amz-Credential=AKIA-5ec2e7"


@pytest.mark.slow
def test_nothing_is_seen_of_an_address_that_cannot_be_fetched(
    secrets: Secrets, shown: Shown, nothing_is_seen: Check, tmp_path: Path
) -> None:
    secrets.add_url("http://x/" + SIGNED)
    secrets.add("the API key", "ody_0123456789abcdef")
    closed = f"127.0.0.1:{free_port()}"

    def dribble(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12")
        connection.recv(65536)  # until the other end closes

    def silent(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    def broken(connection: socket.socket) -> None:
        request = connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n: x\r\n\r\n" + request)

    with raw_server(dribble) as slow, raw_server(silent) as dead, raw_server(broken) as odd:
        addresses = [
            *(
                f"{slow}/v{SIGNED}",
                f"{dead}/v{SIGNED}",
                f"{odd}/v{SIGNED}",
                f"http://{closed}/v{SIGNED}",
            ),
            f"https://{dead.partition('//')[2]}/v{SIGNED}",
            f"https://{odd.partition('//')[2]}/v{SIGNED}",
            *(f"http://[::1/v{SIGNED}", f"ftp://host/v{SIGNED}", f"nonsense{SIGNED}", SIGNED),
            *(f"http://a..b/v{SIGNED}", f"http://{'x' * 70}/v{SIGNED}", f"http:///{SIGNED}"),
        ]
        for address in addresses:
            recording = Recording("s1", address, address, address)
            shown.add("a recording", recording)
            with Odyssey("ody_0123456789abcdef", timeout=0.1, debug=True) as client:
                for call in (
                    lambda: client.recordings.events(recording),  # noqa: B023
                    lambda: client.recordings.download(recording, tmp_path / "v"),  # noqa: B023
                    lambda: next(client.recordings.frames(recording)),  # noqa: B023
                ):
                    shown.fails(call)
            shown.fails(lambda: connect_to_stream(address, "x" * 20, timeout=0.1), Exception)  # noqa: B023
            shown.fails(lambda: Odyssey(api_url=address), ValueError)  # noqa: B023
    nothing_is_seen()


# Signaling.


@contextlib.contextmanager
def sockets(talk: Callable[[ServerConnection], object]) -> Iterator[str]:
    """A signaling server that does this with each socket; its address."""

    def run(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            talk(connection)

    server = serve(run, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [401, 404, 503])
def test_nothing_is_seen_of_a_socket_that_is_refused(
    emulator: Emulator, shown: Shown, nothing_is_seen: Check, status: int
) -> None:
    emulator.faults.inject(faults.SocketRefused(status=status))
    with Odyssey(emulator.api_key, api_url=emulator.url, debug=True, advanced=ONCE) as client:
        shown.fails(client.connect)
    nothing_is_seen()


def test_nothing_is_seen_of_a_signaling_server_that_repeats_the_token(
    secrets: Secrets, shown: Shown, nothing_is_seen: Check
) -> None:
    token = secrets.add_jwt(session_token({"session_id": "s" * 20}))

    def redirected(location: str) -> Callable[[socket.socket], object]:
        def serve(connection: socket.socket) -> None:
            request = connection.recv(65536)
            path = request.split()[1]
            head = b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + path
            connection.sendall(head + b"\r\nContent-Length: 0\r\n\r\n")

        return serve

    def refused(connection: socket.socket) -> None:
        request = connection.recv(65536)
        length = b"Content-Length: %d\r\n\r\n" % len(request)
        connection.sendall(
            b"HTTP/1.1 403 No\r\nX-Was: " + request.split()[1] + b"\r\n" + length + request
        )

    def talks(connection: ServerConnection) -> None:
        connection.send(json.dumps({"type": "error", "reason": f"the token {token} is bad"}))
        connection.close(1008, f"bad token {token}"[:120])

    with contextlib.ExitStack() as stack:
        urls = [
            *(
                stack.enter_context(raw_server(redirected(to)))
                for to in ("http://127.0.0.1:1", "", "ws://[::1")
            ),
            stack.enter_context(raw_server(refused)),
            stack.enter_context(sockets(talks)),
            f"ws://127.0.0.1:{free_port()}",
            f"wss://127.0.0.1:{free_port()}",
            *("ws://a..b", f"ws://{'x' * 70}", "nonsense"),
        ]
        for url in urls:
            with Odyssey(timeout=2, debug=True, advanced=ONCE) as client:
                credentials = ClientCredentials(f"{url}/?token={token}", token, 600)
                shown.add("credentials", credentials)
                shown.fails(lambda: client.connect_with_credentials(credentials))  # noqa: B023
    nothing_is_seen()


def test_nothing_is_seen_of_a_stream_that_is_refused(
    client: Odyssey, emulator: Emulator, secrets: Secrets, shown: Shown, nothing_is_seen: Check
) -> None:
    client.connect(on_stream_error=lambda reason, message: shown.add("an event", (reason, message)))
    token = secrets.add_jwt(session_token({"session_id": "s" * 20}))
    said = f"the token {token} may not"
    emulator.faults.inject(
        faults.StreamRefused(on="interactive_stream_start", reason="x", message=said)
    )
    shown.fails(lambda: client.start_stream("A cat"))
    nothing_is_seen()


def test_nothing_is_seen_of_a_broadcast_that_refuses(
    client: Odyssey, secrets: Secrets, shown: Shown, nothing_is_seen: Check
) -> None:
    announced: queue.Queue[BroadcastInfo] = queue.Queue()
    client.connect(on_broadcast_ready=announced.put)
    wrong = secrets.add("a wrong token", "wrong-5ec2e7-0123456789")
    with client.stream("A cat", broadcast=True):
        info = announced.get(timeout=10)
        shown.fails(lambda: connect_to_stream(info.webrtc_url, wrong), OdysseyAuthError)
        shown.fails(lambda: connect_to_stream(info.webrtc_url + "x", info.spectator_token))
        spoilt = info.spectator_token + "\n"
        shown.fails(lambda: connect_to_stream(info.webrtc_url, spoilt), ValueError)
        shown.add("an address", WhepAddress(info.webrtc_url, wrong))
    nothing_is_seen()
