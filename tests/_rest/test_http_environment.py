"""Proxies and certificates from the environment, as `requests` takes them."""

from __future__ import annotations

import contextlib
import http.server
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey import OdysseyConnectionError, OdysseyTimeoutError
from odyssey._rest.client import HttpClient
from tests.support.certificates import self_signed
from tests.support.servers import (
    Make,
    Reply,
    TinyServer,
    always,
    free_port,
    make,
    raw_server,
    short_pauses,
    soon,
)

__all__ = ["make", "short_pauses"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


@contextlib.contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy for http (by absolute address) and https (by CONNECT); what it was asked for."""
    asked: list[str] = []

    def serve(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65536)
            if not data:
                return
            head += data
        line = head.split(b"\r\n")[0].decode()
        asked.append(line)
        method, target, _ = line.split()
        host = target if method == "CONNECT" else target.split("/")[2]
        name, _, port = host.partition(":")
        assert name == "service.test"  # which only the proxy finds
        with socket.create_connection(("127.0.0.1", int(port)), 10) as upstream:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(
                    head.replace(target.encode(), target[len("http://" + host) :].encode(), 1)
                )
            relay(client, upstream)

    with raw_server(serve) as url:
        yield url, asked


def relay(one: socket.socket, two: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([one, two], [], [], 10)
        for here in ready:
            data = here.recv(65536)
            if not data:
                return
            (two if here is one else one).sendall(data)
        if not ready:
            return


def test_a_proxy_for_http(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with TinyServer(always(Reply({"a": 1}))) as server, proxy() as (url, asked):
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("http_proxy", url)
        service = server.url.replace("127.0.0.1", "service.test")
        http = make(service)
        assert http.get("/thing", soon(), "could not").json("it") == {"a": 1}
        http.close()
        assert f"POST {service}/auth/token HTTP/1.1" in asked


def test_no_proxy_is_heeded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with TinyServer(always(Reply())) as server:
        assert make(server.url).get("/thing", soon(), "could not").status == 200


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_reached_without_a_proxy(
    make: Make, monkeypatch: pytest.MonkeyPatch, name: str, scheme: str, host: str
) -> None:
    """The key would go to the proxy, and the proxy can't reach this machine."""
    with TinyServer(always(Reply({"a": 1}))) as server, proxy() as (url, asked):
        monkeypatch.setenv(name, url.replace("http", scheme))
        http = make(server.url.replace("127.0.0.1", host))
        assert http.get("/thing", soon(), "could not").json("it") == {"a": 1}
    assert asked == []


def test_a_proxy_that_is_not_there(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:hidden@127.0.0.1:{free_port()}")
    with pytest.raises(OdysseyConnectionError, match="Connection refused") as caught:
        make("http://x").request("GET", "http://example.invalid/", soon(), "could not")
    assert "hidden" not in str(caught.value)


def test_a_proxy_that_is_silent_is_left_at_the_deadline(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with raw_server(serve) as url:
        for target in ("http://example.invalid/", "https://example.invalid/"):
            monkeypatch.setenv("http_proxy", url)
            monkeypatch.setenv("https_proxy", url)
            with pytest.raises(OdysseyTimeoutError, match="could not: the service did not answer"):
                make("http://x").request("GET", target, soon(0.2), "could not")


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed one for 127.0.0.1, with its key, in one file."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@contextlib.contextmanager
def tls_server(certificate: Path) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"safe")

        def log_message(self, *args: object) -> None:
            pass

    class Server(http.server.HTTPServer):
        def handle_error(self, *args: object) -> None:
            pass  # a client that refuses the certificate

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(http: HttpClient, url: str) -> bytes:
    return http.request("GET", url, soon(), "could not").body


def test_an_unknown_certificate_is_refused(make: Make, certificate: Path) -> None:
    with (
        tls_server(certificate) as url,
        pytest.raises(OdysseyConnectionError, match=r"(?i)certificate"),
    ):
        get(make("http://x"), url)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_of_the_environment(
    make: Make, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    with tls_server(certificate) as url:
        assert get(make("http://x"), url) == b"safe"


def test_tls_through_a_proxy(
    make: Make, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with tls_server(certificate) as server, proxy() as (url, asked):
        monkeypatch.setenv("https_proxy", url)
        http = make("http://x")
        assert get(http, server.replace("127.0.0.1", "service.test")) == b"safe"
        http.close()
        (line,) = asked
        assert line.startswith(f"CONNECT service.test:{server.split(':')[2][:-1]} HTTP/1.")


def test_a_certificate_file_that_is_not_there(
    make: Make, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with (
        tls_server(certificate) as url,
        pytest.raises(OdysseyConnectionError, match=r"/no/such/bundle\.pem"),
    ):
        get(make("http://x"), url)
