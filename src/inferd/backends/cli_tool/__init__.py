"""Command-line tools: claude, codex, gemini, ollama, llama.cpp's, or any command.

A command is a list of arguments from the local file alone; the prompt goes to stdin. Each run has
an empty folder, a short list of the environment, and a process group that ends with it.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from inferd.backends import Settings
from inferd.backends.cli_tool.backend import CliToolBackend
from inferd.backends.cli_tool.options import Options, tool_of
from inferd.backends.cli_tool.runs import Runs
from inferd.core.backend import Backend
from inferd.core.clock import Clock

__all__ = ["Options", "open_backend"]


@asynccontextmanager
async def open_backend(settings: Settings, *, node: str, clock: Clock) -> AsyncGenerator[Backend]:
    """Lend a tool; leaving ends whatever runs.

    Raises:
        ValueError: It can't be set up like this, or not on this system.
    """
    if not hasattr(os, "killpg"):
        raise ValueError(f"backend {settings.name}: command-line tools need process groups")
    options, tool = tool_of(settings)
    runs = Runs(
        settings.name,
        most=options.concurrency,
        waiting=options.queue,
        grace_seconds=options.grace,
    )
    try:
        yield CliToolBackend(settings, options, tool, runs, clock)
    finally:
        await runs.close()
