"""The pages of the viewer."""

from __future__ import annotations

from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from odyssey.client import Odyssey
from odyssey.errors import OdysseyError, OdysseyNotFoundError, OdysseyServerError, printable
from odyssey.viewer.guard import Guard
from odyssey.viewer.live import BOUNDARY, ViewerStream
from odyssey.viewer.media import serve
from odyssey.viewer.texts import Card, Event, count_text, seconds_text

PAGE_SIZE = 12
MOST_PAGES = 1_000_000
MOST_EVENTS = 1000
#: How long the page of a stream that has just ended waits for its recording.
FRESH_SECONDS = 15.0


def make_app(client: Odyssey, live: ViewerStream, guard: Guard) -> Flask:
    """Makes the application, for a client that has a key."""
    app = Flask("odyssey.viewer")
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    guard.install(app)
    for shown in (printable, count_text, seconds_text):
        app.add_template_filter(shown)
    app.register_error_handler(Exception, _failed)
    _add_recordings(app, client)
    _add_live(app, live)
    return app


def _add_recordings(app: Flask, client: Odyssey) -> None:
    @app.get("/")
    def index() -> AnyResponse:
        return redirect(url_for("recordings"))

    @app.get("/recordings")
    def recordings() -> str:
        number = max(1, min(request.args.get("page", 1, type=int), MOST_PAGES))
        page = client.recordings.list(limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
        pages = max(1, min(-(-page.total // PAGE_SIZE), MOST_PAGES))
        cards = [Card.of(info) for info in page.recordings]
        return render_template(
            "recordings.html", cards=cards, total=page.total, number=number, pages=pages
        )

    @app.get("/recordings/<stream_id>")
    def recording(stream_id: str) -> str:
        if "fresh" in request.args:
            found = client.recordings.wait(stream_id, FRESH_SECONDS, interval=0.2)
        else:
            found = client.recordings.get(stream_id)
        problem = None
        try:
            events = client.recordings.events(found)
        except OdysseyError as exc:
            # What stands before a broken line is there all the same.
            events = (exc.partial if isinstance(exc, OdysseyServerError) else None) or []
            problem = str(exc)
        seconds = found.duration_seconds or 0.0
        shown = [Event.of(dict(event), seconds) for event in events[:MOST_EVENTS]]
        return render_template(
            "recording.html",
            recording=found,
            stream_id=stream_id,
            events=shown,
            more=len(events) - len(shown),
            problem=problem,
        )

    @app.get("/recordings/<stream_id>/<name>")
    def file(stream_id: str, name: str) -> Response:
        asked = request.headers.get("Range")
        return serve(client, stream_id, name, asked, save="save" in request.args)


def _add_live(app: Flask, live: ViewerStream) -> None:
    @app.get("/live")
    def live_page() -> str:
        return render_template("live.html")

    @app.get("/live/state")
    def state() -> Response:
        return jsonify(live.state())

    @app.get("/live/video")
    def video() -> Response:
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        return Response(live.pictures(), content_type=kind)

    @app.post("/live/start")
    def start() -> Response:
        live.start(_prompt(), portrait=not request.form.get("landscape"))
        return jsonify(live.state())

    @app.post("/live/interact")
    def interact() -> Response:
        live.interact(_prompt())
        return jsonify(live.state())

    @app.post("/live/end")
    def end() -> Response:
        live.end()
        return jsonify(live.state())


def _prompt() -> str:
    prompt = request.form.get("prompt", "").strip()
    if not prompt:
        raise ValueError("say what to show: the prompt is empty")
    return prompt


def _failed(error: Exception) -> tuple[Response | str, int]:
    """Shows an error in words: as JSON to a script, else as a page."""
    if isinstance(error, HTTPException):
        status, text = error.code or 500, error.description or error.name
    elif isinstance(error, OdysseyNotFoundError):
        status, text = 404, str(error)
    elif isinstance(error, OdysseyError):
        status, text = 502, str(error)
    elif isinstance(error, ValueError):
        status, text = 400, str(error)
    else:
        raise error
    text = printable(text)
    if request.path.startswith("/live/"):
        return jsonify(error=text), status
    return render_template("error.html", text=text, status=status), status
