"""A web server that has the key hands out sessions to programs that have none.

    python examples/credentials_server.py

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set. Needs Flask.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading

import flask
import requests
from service import open_client
from werkzeug.serving import make_server

from odyssey import ClientCredentials, Odyssey


def make_app(client: Odyssey) -> flask.Flask:
    app = flask.Flask(__name__)

    @app.post("/session")
    def session() -> flask.Response:
        # Who may ask is for the application to say: each answer lets one program stream once.
        return flask.jsonify(client.create_client_credentials().to_dict())

    return app


def watch(server: str) -> None:
    """The other program: no key, only the address of the server above."""
    os.environ.pop("ODYSSEY_API_KEY", None)
    answer = requests.post(f"{server}/session", timeout=30)
    answer.raise_for_status()
    credentials = ClientCredentials.from_dict(answer.json())
    with Odyssey() as client:
        client.connect_with_credentials(credentials)
        with client.stream("A paper boat on a pond") as stream:
            print(f"without a key: {len(stream.frames.take(48))} frames", flush=True)


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with open_client() as client:
        server = make_server("127.0.0.1", 0, make_app(client), threaded=True)
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            print(f"handing out sessions at {url}/session")
            program = multiprocessing.get_context("spawn").Process(target=watch, args=(url,))
            program.start()
            program.join(30)
            print(f"the program ended with exit code {program.exitcode}")
        finally:
            server.shutdown()
            server.server_close()


if __name__ == "__main__":
    main()
