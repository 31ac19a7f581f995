"""A conversation's answer as OpenAI tells it: at `/v1`, and at a model's own URL."""

from inferd.core.request import InferenceRequest
from inferd.core.result import Result
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.relay import Whole
from inferd.wire import openai_chat


class ChatVoice:
    """How one request's answer is told, whole or as events."""

    def __init__(self, exchange: Exchange, request: InferenceRequest) -> None:
        self._exchange = exchange
        self._request = request

    def whole(self, result: Result) -> Whole:
        """Return the completion."""
        model = result.finish.model or self._request.model
        body = openai_chat.encode_result(result, id=self._id, model=model, created=self._created)
        return Whole(body=body)

    def events(self, model: str) -> openai_chat.ChunkEncoder:
        """Return a writer of its chunks."""
        return openai_chat.ChunkEncoder(
            self._id, model, self._created, include_usage=openai_chat.wants_usage(self._request)
        )

    @property
    def _id(self) -> str:
        return f"chatcmpl-{self._exchange.request_id}"

    @property
    def _created(self) -> int:
        return int(self._exchange.context.clock.wall())
