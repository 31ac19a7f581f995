"""What one caller's WebSockets may cost."""

import msgspec


class SocketSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`connections` are a principal's, `inferences` run at a time on one of them."""

    max_message_bytes: int = 1 << 20
    connections: int = 16
    inferences: int = 16
