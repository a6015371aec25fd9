"""A real kernel, as a notebook has one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

BEGIN = """
from odyssey import Odyssey
from odyssey.emulator import Emulator, faults
emulator = Emulator().__enter__()
client = Odyssey(emulator.api_key, api_url=emulator.url, timeout=15)
"""
END = "client.close(); emulator.__exit__(None, None, None)"


class Kernel:
    """Runs cells; keeps the messages that each one caused."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.pid = int(manager.provisioner.pid)  # type: ignore[union-attr]
        self.client = client
        self.messages: list[dict[str, Any]] = []

    def run(self, code: str) -> dict[str, Any]:
        """The cell's reply; fails if it raised."""
        reply = self.attempt(code)
        assert reply["status"] == "ok", "\n".join(reply.get("traceback", []))
        return reply

    def attempt(self, code: str) -> dict[str, Any]:
        self.messages.clear()
        reply: dict[str, Any] = self.client.execute_interactive(
            code, timeout=60, output_hook=self._came
        )
        return dict(reply["content"])

    def interrupted(self, code: str) -> dict[str, Any]:
        """The reply of a cell that is interrupted once it has printed `waiting`."""
        self.messages.clear()

        def hook(message: dict[str, Any]) -> None:
            self._came(message)
            if "waiting" in message["content"].get("text", ""):
                # As `interrupt_kernel` does, which inside a hook leaves an event loop behind.
                os.kill(self.pid, signal.SIGINT)

        reply: dict[str, Any] = self.client.execute_interactive(code, timeout=30, output_hook=hook)
        return dict(reply["content"])

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [dict(m["content"]) for m in self.messages if m["msg_type"] == kind]

    def _came(self, message: dict[str, Any]) -> None:
        self.messages.append(message)


def run_notebook(notebook: NotebookNode, folder: Path, environment: dict[str, str]) -> None:
    """Runs all cells in a kernel of their own, and keeps their outputs in the notebook."""
    client = NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    asyncio.run(client.async_execute(env=environment))  # `execute` leaves its event loop open


@contextlib.contextmanager
def kernel() -> Iterator[Kernel]:
    """With `client`, of an emulator of its own."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        running = Kernel(manager, client)
        running.run(BEGIN)
        yield running
        running.run(END)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
