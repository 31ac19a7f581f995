"""What happened: one row a request, and one line each time words leave for another node."""

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request as the ledger keeps it: who, what, where, how much. Never its words.

    `at` is seconds since the epoch; `outcome` is `ok`, an error kind, `aborted` when the caller
    left, or `stopped` when the node's own end cut it. `tier` is how far the words went; empty where
    they went nowhere. Tokens of an answer that was cut before it told its usage are estimates.
    """

    at: float
    id: str
    principal: str
    task: str
    model: str
    backend: str
    node: str
    source: str
    tier: str = ""
    input_tokens: int
    output_tokens: int
    units: int
    seconds: float
    outcome: str


class Detour(Row, frozen=True, kw_only=True, gc=False):
    """A request that failed elsewhere before it came to `backend`."""

    after: tuple[str, ...] = ()
    """The backends that failed, in turn. The ledger doesn't keep them."""


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at another node, as the audit log keeps it."""

    at: float
    id: str
    principal: str
    task: str
    model: str
    backend: str
    node: str
    sent_bytes: int
    seconds: float
    outcome: str
