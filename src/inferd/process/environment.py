"""What a program sees of the node's environment: what it is allowed, and nothing else."""

from collections.abc import Iterable, Mapping

_PASSED = frozenset(
    {
        "HOME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TZ",
        "USER",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
    }
)
"""Where its owner's home is, how to speak and whom to trust: no key, no token."""

_PLAIN = {"TERM": "dumb", "NO_COLOR": "1", "CI": "1"}
"""What makes programs print for other programs: no colours, no questions, no spinners."""


def environment(
    environ: Mapping[str, str],
    *,
    inherited: Iterable[str] = (),
    own: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return what a program is to see of `environ`.

    `inherited` are names that it may see besides; `own` are set for it, whatever `environ` says.
    """
    wanted = _PASSED.union(inherited)
    seen = {
        name: value for name, value in environ.items() if name in wanted or name.startswith("LC_")
    }
    return seen | _PLAIN | dict(own or {})
