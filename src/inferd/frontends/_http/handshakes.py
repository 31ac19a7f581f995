"""WebSocket handshakes: until one is accepted, it is answered as any GET is."""

from starlette.types import Message, Scope, Send

_DENIAL = "websocket.http.response"
_POLICY = 1008
_START, _BODY = "http.response.start", "http.response.body"


def as_handshake(scope: Scope, send: Send) -> Send:
    """Return a `send` that takes an HTTP response too, by which the handshake is refused."""
    if _DENIAL not in scope.get("extensions", {}):
        return _closing(send)

    async def refuse(message: Message) -> None:
        if message["type"] in (_START, _BODY):
            message = {**message, "type": f"websocket.{message['type']}"}
        await send(message)

    return refuse


def _closing(send: Send) -> Send:
    """For servers by which a handshake can only be refused: 403, whatever the reason."""

    async def refuse(message: Message) -> None:
        if message["type"] == _START:
            await send({"type": "websocket.close", "code": _POLICY})
        elif message["type"] != _BODY:
            await send(message)

    return refuse
