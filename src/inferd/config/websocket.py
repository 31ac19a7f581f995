"""WebSockets: what one may cost."""

from typing import Annotated

from inferd.config.values import Positive, PositiveSeconds, Section, Size, setting


class WebSocket(Section):
    """`/ws/{client_id}`: inferences and news of the node over one connection."""

    enabled: Annotated[bool, setting("Whether there are WebSockets.")] = True
    max_message: Annotated[
        Size,
        setting(
            "The longest message that is read; a longer one ends its connection.",
            words="1MiB",
            example='"1MiB"',
        ),
    ] = 1 << 20
    max_connections: Annotated[
        Positive, setting("WebSockets that one caller may have open at a time.")
    ] = 16
    max_inferences: Annotated[
        Positive, setting("Inferences that may run at a time on one WebSocket.")
    ] = 16
    ping_interval: Annotated[
        PositiveSeconds,
        setting("How long a client may be silent before it is asked whether it is there."),
    ] = 20.0
