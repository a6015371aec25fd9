"""`odyssey doctor`: what works here, what doesn't, and what to do about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
import click

from odyssey.cli._output import Failed, Screen, json_option, print_json
from odyssey.cli._service import Service, with_service

if TYPE_CHECKING:
    from odyssey import Odyssey


@click.command(
    help="""Check the key, the service, the network, and what is installed.

    Takes a session for about a second to see whether media get through; no stream is started, and
    the session is released at once. Exit code 1 if something is not well. The key is never shown.

    \b
    Examples:
      odyssey doctor
      odyssey doctor --emulator        whether this machine is well, without a key
      odyssey doctor --no-connect --json
    """
)
@click.option(
    "--connect/--no-connect",
    "connects",
    default=True,
    help="Whether to take a session for a second and connect, without a stream. Default: yes.",
)
@with_service
@json_option
def doctor(connects: bool, service: Service, as_json: bool) -> None:
    from odyssey.cli.doctor.checks import Examination, needed_failures

    screen = Screen(to_stderr=as_json)
    findings = []
    with _client(service) as (client, trouble):
        examination = Examination(client, trouble, connects=connects, emulated=service.emulated)
        for finding in examination.findings():
            findings.append(finding)
            screen.say(f"{finding.outcome:<8} {finding.check:<10} {finding.seen}")
            if finding.advice:
                screen.say(f"{'':<19} -> {finding.advice}")
    if as_json:
        print_json([attrs.asdict(finding) for finding in findings])
    failed = needed_failures(findings)
    if failed:
        raise Failed(f"not well: {', '.join(failed)}")


@contextlib.contextmanager
def _client(service: Service) -> Iterator[tuple[Odyssey | None, str]]:
    """As other commands have it; but a key that is missing or wrong is one of the findings."""
    if service.emulated:
        with service.client() as client:
            yield client, ""
        return
    from odyssey import Odyssey

    try:
        made = Odyssey()
    except ValueError as exc:
        yield None, str(exc)
        return
    with made as client:
        yield client, ""
