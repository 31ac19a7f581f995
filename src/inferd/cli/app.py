"""The commands by name; each is imported when it is used, so that `--help` and `up` stay quick."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, UnknownCommandError, UnknownOptionError

from inferd import __version__
from inferd.cli.failure import Failure, Misuse, did_you_mean, tell

COMMANDS = {
    "up": ("inferd.cli.up:up", "Start a node and serve until it is told to stop."),
    "run": ("inferd.cli.run:run", "Run a task, on the running node or right here."),
    "models": ("inferd.cli.models:models", "List models and where each of them runs."),
    "tasks": ("inferd.cli.tasks:tasks", "List the tasks, or describe one with an example."),
    "usage": ("inferd.cli.usage:usage", "Show who used what, from the ledger."),
    "mcp": (
        "inferd.cli.mcp:mcp",
        "Serve MCP on standard input and output, for a client's program.",
    ),
    "discover": (
        "inferd.cli.discover:discover",
        "Look round the node's machine for what runs models.",
    ),
    "doctor": ("inferd.cli.doctor.command:doctor", "Check this machine, the node and all it asks."),
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
        result_action="return_value",
    )
    for name, (path, help_text) in COMMANDS.items():
        app.command(path, name=name, help=help_text)
    app.register_install_completion_command(help="Install completion for your shell.")
    return app


def main(tokens: Sequence[str] | None = None) -> None:
    """Run a command; leave with status 0, 1 if it failed, or 2 if it wasn't understood."""
    try:
        _run(tokens)
        sys.stdout.flush()
    except Failure as failure:
        tell(failure)
        sys.exit(failure.status)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run(tokens: Sequence[str] | None) -> None:
    try:
        build()(tokens, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise _misuse(error) from error


def _misuse(error: CycloptsError) -> Misuse:
    """Say what wasn't understood as every other failure is said."""
    match error:
        case UnknownOptionError():
            word = (error.token.keyword or error.token.value).partition("=")[0]
            known = [name for each in error.argument_collection for name in each.names]
            hint = did_you_mean(word, known, "--help lists the options")
            return Misuse(f"there is no option {word}", hint=hint)
        case UnknownCommandError():
            word = error.unused_tokens[0] if error.unused_tokens else ""
            known = [name for name in error.app or () if not name.startswith("-")]
            hint = did_you_mean(word, known, f"commands are {', '.join(known)}")
            return Misuse(f"there is no command {word}", hint=hint)
        case _:
            text = str(error).strip().removesuffix(".")
            return Misuse(text[:1].lower() + text[1:], hint="--help explains the command")
