"""Tools that are known: how each is asked without a terminal, with its own tools off.

Written from their documentation and sources; docs/backends.md says which were run.
"""

from collections.abc import Mapping

import msgspec

from inferd.backends.cli_tool.command import Argument
from inferd.backends.cli_tool.reading import Form, Paths
from inferd.core.request import Tier


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """How a tool is asked, and what it prints.

    `models` maps names for callers to the tool's own; an empty one is whichever it takes by
    itself. `listing` is a command that prints a model a line, its name first. `inherits` are the
    names of the environment that it may see beside the usual ones, `env` is set for it. `tail` is
    what it prints after an answer, and isn't the model's.
    """

    command: tuple[Argument, ...]
    form: Form = "text"
    paths: Paths = Paths()
    models: Mapping[str, str] = {}
    listing: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    tier: Tier = Tier.CLOUD
    sign_in: str = ""
    tail: str = ""


_CLAUDE = Tool(
    command=(
        "claude",
        "--print",
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
        "--no-session-persistence",
        "--disable-slash-commands",
        "--strict-mcp-config",
        "--setting-sources",
        "",
        "--tools",
        "",
        ("--model", "{model}"),
    ),
    form="stream-json",
    paths=Paths(
        text="event.delta.text",
        when={"type": "stream_event", "event.delta.type": "text_delta"},
        whole="result",
        fails={"type": "result", "is_error": "true"},
        error="result",
        input_tokens="usage.input_tokens",
        output_tokens="usage.output_tokens",
    ),
    models={
        "claude-code": "",
        "claude-code/sonnet": "sonnet",
        "claude-code/opus": "opus",
        "claude-code/haiku": "haiku",
    },
    inherits=("CLAUDE_CONFIG_DIR",),
    sign_in="run `claude` once and sign in, as the user that the node runs as",
)

_CODEX = Tool(
    command=(
        "codex",
        "exec",
        "--json",
        "--ephemeral",
        "--skip-git-repo-check",
        "--ignore-user-config",
        "--ignore-rules",
        "--sandbox",
        "read-only",
        "--disable",
        "shell_tool",
        "--disable",
        "unified_exec",
        ("--model", "{model}"),
        "-",
    ),
    form="stream-json",
    paths=Paths(
        text="item.text",
        when={"type": "item.completed", "item.type": "agent_message"},
        fails={"type": "turn.failed"},
        error="error.message",
        input_tokens="usage.input_tokens",
        output_tokens="usage.output_tokens",
    ),
    models={"codex": ""},
    inherits=("CODEX_HOME",),
    sign_in="run `codex login`, as the user that the node runs as",
)

_GEMINI = Tool(
    command=(
        "gemini",
        "--output-format",
        "stream-json",
        "--approval-mode",
        "default",
        "--extensions",
        "none",
        "--allowed-mcp-server-names",
        "none",
        ("--model", "{model}"),
    ),
    form="stream-json",
    paths=Paths(
        text="content",
        when={"type": "message", "role": "assistant"},
        fails={"type": "result", "status": "error"},
        error="error.message",
        input_tokens="stats.input_tokens",
        output_tokens="stats.output_tokens",
    ),
    models={
        "gemini-cli": "",
        "gemini-cli/pro": "pro",
        "gemini-cli/flash": "flash",
        "gemini-cli/flash-lite": "flash-lite",
    },
    inherits=("GEMINI_CLI_HOME",),
    # The folder that it runs in is empty, and ours.
    env={"GEMINI_CLI_TRUST_WORKSPACE": "true"},
    sign_in="run `gemini` once and sign in, as the user that the node runs as",
)

_OLLAMA = Tool(
    command=("ollama", "run", "--nowordwrap", "--", "{model}"),
    listing=("ollama", "list"),
    inherits=("OLLAMA_HOST", "OLLAMA_MODELS"),
    tier=Tier.LOCAL,
)


def _llama(program: str) -> Tool:
    return Tool(
        command=(
            program,
            "-no-cnv",
            "--simple-io",
            "--no-display-prompt",
            "--no-warmup",
            "--file",
            "/dev/stdin",
            ("--model", "{model}"),
            ("--predict", "{max_tokens}"),
            ("--temp", "{temperature}"),
            ("--top-p", "{top_p}"),
            ("--seed", "{seed}"),
        ),
        inherits=("LLAMA_CACHE", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"),
        tier=Tier.LOCAL,
        tail=" [end of text]",
    )


PRESETS: Mapping[str, Tool] = {
    "claude": _CLAUDE,
    "codex": _CODEX,
    "gemini": _GEMINI,
    "llama-cli": _llama("llama-cli"),
    "llama-completion": _llama("llama-completion"),
    "ollama": _OLLAMA,
}
