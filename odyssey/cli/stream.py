"""`odyssey stream`: one stream, steered and kept."""

from __future__ import annotations

import queue
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from odyssey.cli._counting import Count
from odyssey.cli._options import TimedPrompt, finite, in_order, interact_option
from odyssey.cli._output import (
    Failed,
    Screen,
    copyable,
    file_size,
    json_option,
    print_json,
    setting,
)
from odyssey.cli._service import Service, with_service
from odyssey.errors import OdysseyConnectionError, OdysseyError

if TYPE_CHECKING:
    from odyssey import BroadcastInfo, Odyssey, Stream
    from odyssey._video.writing.saver import Saver


def _checked_target(_context: object, _option: object, value: Path | None) -> Path | None:
    from odyssey._video.writing.target import check_target

    try:
        if value is not None:
            check_target(value)
    except (ValueError, OSError) as exc:
        raise click.BadParameter(str(exc)) from exc
    return value


save_option = click.option(
    "--save",
    type=click.Path(path_type=Path),
    callback=_checked_target,
    help="Where to keep the frames: NAME.mp4, NAME.gif, NAME.npz, or a folder for PNGs. "
    "A file of that name is replaced at the end.",
)


def saved_lines(saver: Saver) -> list[str]:
    """Reports the saved files as lines of text."""
    lines = []
    for saved in saver.files:
        size = "" if saved.path.is_dir() else f", {file_size(saved.path)}"
        seconds = saved.milliseconds / 1000
        lines.append(f"Saved {saved.path}: {saved.frames} frames, {seconds:.1f} s{size}")
    if saver.left_out:
        lines.append(f"{saver.left_out} frames were left out: this machine could not keep up")
    return lines


def saved_as_json(saver: Saver) -> dict[str, Any]:
    """Reports the saved files as JSON."""
    files = [
        {"path": str(file.path), "frames": file.frames, "duration_ms": file.milliseconds}
        for file in saver.files
    ]
    return {"saved": files, "left_out": saver.left_out}


@attrs.frozen
class Options:
    """The options of the command."""

    prompt: str
    image: Path | None
    landscape: bool
    seconds: float | None
    prompts: list[TimedPrompt]
    broadcast: bool


@click.command(
    help="""Stream from PROMPT, steer, and save what comes.

    Frames keep the times that they have in the stream. Ctrl-C ends the stream and completes the
    file. With --json what was done is printed at the end, and the rest goes to stderr.

    \b
    Examples:
      odyssey stream "A cat" --interact 3:"It yawns" --seconds 8 --save cat.mp4
      odyssey stream "A cat" --emulator --seconds 4 --save cat.gif
      odyssey stream "It comes alive" --image cat.jpg --landscape --seconds 5 --save frames/
      odyssey stream "A cat" --broadcast
    """
)
@click.argument("prompt", default="")
@click.option(
    "--image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A picture to begin with.",
)
@click.option("--landscape", is_flag=True, help="1280x704 instead of 704x1280.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    callback=finite,
    help="Length of the video. Default: until Ctrl-C, or the service's limit.",
)
@interact_option
@click.option("--broadcast", is_flag=True, help="Let others watch; prints what they need.")
@save_option
@with_service
@json_option
def stream(
    prompt: str,
    image: Path | None,
    landscape: bool,
    seconds: float | None,
    prompts: list[TimedPrompt],
    broadcast: bool,
    save: Path | None,
    service: Service,
    as_json: bool,
) -> None:
    from odyssey._video.writing.saver import Saver

    if not prompt.strip() and image is None:
        raise click.UsageError('say what to show: odyssey stream "A cat on a windowsill"')
    options = Options(prompt, image, landscape, seconds, in_order(prompts, seconds), broadcast)
    screen = Screen(to_stderr=as_json)
    saver = Saver(save)
    run = Run(options, screen, saver)
    try:
        # The pool outside the client: closing that wakes a prompt which still waits here.
        with saver, ThreadPoolExecutor(1, "odyssey-prompts") as pool, service.client() as client:
            run.play(client, pool)
    finally:
        run.tell(service)
        if as_json and run.stream_id:
            print_json(run.as_json())
    if run.refused:
        raise Failed(f"{run.refused} of the prompts had no effect")


@attrs.define(eq=False)
class Run:
    """The stream of one command."""

    options: Options
    screen: Screen
    saver: Saver
    count: Count = attrs.field(factory=Count)
    stream_id: str = ""
    broadcast: BroadcastInfo | None = None
    steps: list[dict[str, Any]] = attrs.field(factory=list)
    refused: int = 0
    # What the callbacks say, for this thread: it alone prints.
    _news: queue.SimpleQueue[BroadcastInfo | str] = attrs.field(factory=queue.SimpleQueue)

    def play(self, client: Odyssey, pool: ThreadPoolExecutor) -> None:
        """Connects, and goes on until the time is over or the stream is."""
        began = time.monotonic()
        client.connect(
            on_broadcast_ready=self._news.put,
            on_stream_error=lambda reason, message: self._news.put(f"{reason}: {message}"),
        )
        self.screen.say(f"Connected in {_ms_since(began)}.")
        if self.options.prompt:
            self.screen.say(f"> {self.options.prompt}")
        began = time.monotonic()
        with client.stream(
            self.options.prompt,
            portrait=not self.options.landscape,
            image=self.options.image,
            broadcast=self.options.broadcast,
        ) as stream:
            self.stream_id = stream.id
            self.screen.say(f"  stream {stream.id}, started after {_ms_since(began)}")
            self._read(stream, pool)

    def tell(self, service: Service) -> None:
        """Prints what came of the stream."""
        if self.count.frames:
            self.screen.say(self.count.line())
        for line in saved_lines(self.saver):
            self.screen.say(line)
        if self.stream_id and service.keeps:
            self.screen.say(f"Its recording: {service.command_to_download(self.stream_id)}")

    def as_json(self) -> dict[str, Any]:
        shown = self.broadcast and attrs.asdict(self.broadcast)
        return {
            "stream_id": self.stream_id,
            **self.count.as_json(),
            "prompts": self.steps,
            "broadcast": shown,
            **saved_as_json(self.saver),
        }

    def _read(self, stream: Stream, pool: ThreadPoolExecutor) -> None:
        due = list(self.options.prompts)
        sent: list[tuple[dict[str, Any], Future[tuple[str, float]]]] = []
        for frame in stream:
            at = self.count.add(frame)
            while due and at >= due[0].seconds:
                prompt = due.pop(0).prompt
                self.screen.say(f"> {prompt}")
                step = {"prompt": prompt, "at_seconds": round(at, 3)}
                sent.append((step, pool.submit(_interact, stream, prompt)))
            while sent and sent[0][1].done():
                self._acknowledged(*sent.pop(0))
            self._print_news()
            is_over = self.options.seconds is not None and at >= self.options.seconds
            if not is_over:
                self.saver.add(frame)
                self.screen.progress(self.count.line())
            elif not sent:
                return

    def _acknowledged(self, step: dict[str, Any], answer: Future[tuple[str, float]]) -> None:
        """Reports the answer to a prompt. A refused one changes nothing, and the stream goes on."""
        self.steps.append(step)
        try:
            applied, milliseconds = answer.result()
        except OdysseyConnectionError:
            raise
        except (OdysseyError, ValueError) as exc:
            self.refused += 1
            step["error"] = str(exc)
            self.screen.say(f"  {exc}")
            return
        step |= {"applied": applied, "acknowledged_ms": round(milliseconds, 1)}
        self.screen.say(f"  acknowledged after {milliseconds:.1f} ms")
        if applied != step["prompt"]:
            self.screen.say(f"  applied as: {applied}")

    def _print_news(self) -> None:
        while not self._news.empty():
            news = self._news.get()
            if isinstance(news, str):
                self.screen.say(f"  {news}")
                continue
            self.broadcast = news
            self.screen.say("  Others can watch, as long as it lasts, with")
            self.screen.say("    " + setting("ODYSSEY_SPECTATOR_TOKEN", news.spectator_token))
            self.screen.say(f"    odyssey watch {copyable(news.webrtc_url)}")


def _interact(stream: Stream, prompt: str) -> tuple[str, float]:
    """Sends a prompt; returns it as applied, and the milliseconds that took."""
    began = time.monotonic()
    applied = stream.interact(prompt)
    return applied, (time.monotonic() - began) * 1000


def _ms_since(moment: float) -> str:
    return f"{(time.monotonic() - moment) * 1000:.0f} ms"
