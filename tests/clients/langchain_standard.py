"""LangChain's own standard tests, of a chat model and of embeddings behind a node.

Run by pytest in an environment of langchain-openai and langchain-tests.
"""

import os
from typing import Any

import httpx  # noqa: TID251  the suite's own, which is to fetch nothing
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests

NODE = {"base_url": f"{os.environ['NODE']}/v1", "api_key": os.environ["NODE_KEY"]}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures, sounds and documents that some tests fetch: these bytes, from nowhere."""
    monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(200, content=b"a file"))


class TestChat(ChatModelIntegrationTests):
    """Everything that a chat model may claim, and OpenAI's API can say."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**NODE, "model": "acme/openai", "stream_usage": True}

    @property
    def model_override_value(self) -> str:
        return "acme/vllm"

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True


class TestEmbeddings(EmbeddingsIntegrationTests):
    """Vectors of texts."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return OpenAIEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        # Without it the package fetches a tokenizer of OpenAI's to send token ids.
        return {**NODE, "model": "acme/embed-tiny", "check_embedding_ctx_length": False}
