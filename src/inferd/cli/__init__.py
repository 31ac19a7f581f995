"""The command line: `inferd`, and `python -m inferd`.

app        the commands by name; each is imported when it is used
settings   the flags that say which configuration, which home folder, which node
failure    what went wrong, for people
screen     the terminal
client     finding a node and calling it
here       the node that runs with the same home folder
inputs     words of the command line as a task's payload
examples   a command to copy for each task
program    this very program, as the user can call it
render     results, drawn
mcp        standard input and output as a line of the Model Context Protocol
up, run, models, tasks, config, usage, doctor   one command each
"""

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command that the process was started with."""
    try:
        # Inside, so that Ctrl-C ends even a command that is still being imported without a trace.
        from inferd.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
