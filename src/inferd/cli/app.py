"""The commands by name; each is imported when it is used, so that `--help` and `up` stay quick."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from inferd import __version__
from inferd.cli.failure import Failure, tell

COMMANDS = {
    "up": ("inferd.cli.up:up", "Start a node and serve until it is told to stop."),
    "run": ("inferd.cli.run:run", "Run a task, on the running node or right here."),
    "models": ("inferd.cli.models:models", "List models and where each of them runs."),
    "usage": ("inferd.cli.usage:usage", "Show who used what, from the ledger."),
    "doctor": ("inferd.cli.doctor.command:doctor", "Check this machine, the node and its remotes."),
    "config": ("inferd.cli.config:app", "Show and check the configuration."),
    "version": ("inferd.cli.app:version", "Print the version."),
}


def version() -> None:
    """Print the version."""
    print(f"inferd {__version__}")


def build() -> App:
    """Return the command line."""
    app = App(
        name="inferd",
        help="One daemon on every machine. Ask any of them; whoever has the compute answers.",
        version=f"inferd {__version__}",
        help_format="plaintext",
        error_formatter=_one_line,
        result_action="return_value",
    )
    for name, (path, help_text) in COMMANDS.items():
        app.command(path, name=name, help=help_text)
    app.register_install_completion_command(help="Install completion for your shell.")
    return app


def main(tokens: Sequence[str] | None = None) -> None:
    """Run a command; leave with status 0, 1 if it failed, or 2 if it wasn't understood."""
    try:
        build()(tokens)
        sys.stdout.flush()
    except Failure as failure:
        tell(failure)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _one_line(error: CycloptsError) -> object:
    from rich.text import Text

    # Not a plain string: the console would read brackets in what was typed as its own marks.
    return Text(f"inferd: {error}")
