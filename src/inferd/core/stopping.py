"""How a request that is cancelled knows that it is the node that stops, not the caller."""

STOPPING = "the node is stopping"
"""The word with which the server cancels what still runs when the time to end is over."""

_SHUTDOWNS = frozenset({STOPPING, "Task cancelled, timeout graceful shutdown exceeded"})
"""The second is uvicorn's own, for who starts the app without our server."""


def is_stopping(error: BaseException) -> bool:
    """Whether it was the server that cancelled, for want of time."""
    return bool(error.args) and error.args[0] in _SHUTDOWNS
