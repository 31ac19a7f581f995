"""What it means that a tool failed: its exit code, and what it said of it."""

import logging
import re

from inferd.core.errors import (
    BackendFailed,
    BackendLimited,
    BackendUnavailable,
    ModelNotFound,
    NodeError,
)
from inferd.core.hiding import Secrets

logger = logging.getLogger(__name__)

_NOT_SIGNED_IN = re.compile(
    r"not (?:logged|signed) in|(?:please|must|to) (?:log|sign) ?in|/login|unauthori[sz]ed|\b401\b"
    r"|(?:invalid|missing|no|incorrect|expired) (?:api[ _-]?key|token|credential)"
    r"|authenticat|auth method|set (?:the|an) auth",
    re.IGNORECASE,
)
_LIMITED = re.compile(
    r"(?:rate|usage|session|weekly|5-hour) limit|\bquota\b|too many requests|\b429\b|\b529\b"
    r"|overloaded|out of credits|resource[ _]exhausted",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"(?:model|gguf)\b.{0,80}(?:not found|not supported|doesn't exist|does not exist|unknown)"
    r"|(?:unknown|invalid|no such) model|issue with the selected model|failed to load model"
    r"|pull model manifest",
    re.IGNORECASE | re.DOTALL,
)
_LOGGED = 200
_NOT_EXECUTABLE, _NO_PROGRAM = 126, 127


def failure_of(
    name: str, code: int, said: str, *, prompt: str, secrets: Secrets, sign_in: str, model: str
) -> NodeError:
    """Return what the end of a run means. `said` is what it told of it, and is shown to nobody.

    The log gets the last line of that without our secrets, unless it repeats the prompt.
    """
    logger.warning("%s: %s%s", name, ended(code), _last_line(said, prompt, secrets))
    if code in (_NOT_EXECUTABLE, _NO_PROGRAM):
        return BackendUnavailable(
            f"{name} can't be run: {ended(code)}", hint="install what its command names"
        )
    if _LIMITED.search(said):
        return BackendLimited(
            f"{name} has reached a limit of its account", hint="wait, or name another backend"
        )
    if _NO_MODEL.search(said):
        return ModelNotFound(
            f"{name} has no model called {model or 'as it is set up'}",
            hint="check `models` of that backend",
        )
    if _NOT_SIGNED_IN.search(said):
        return BackendUnavailable(
            f"{name} isn't signed in",
            hint=sign_in or "sign in with the tool itself, as the user that the node runs as",
        )
    return BackendFailed(f"{name} failed: {ended(code)}", hint="the node's log has its last line")


def ended(code: int) -> str:
    """Say how a program ended."""
    if code < 0:
        return f"it was killed by signal {-code}"
    return f"exit code {code}"


def _last_line(said: str, prompt: str, secrets: Secrets) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines or lines[-1] in prompt:
        return ""
    line = "".join(
        sign if sign.isprintable() else " " for sign in secrets.hide(lines[-1])[:_LOGGED]
    )
    return f": {line}"
