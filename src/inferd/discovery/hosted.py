"""Hosted APIs: those whose keys the node was given."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from inferd.core.backend import BackendType
from inferd.core.found import Found, Verdict
from inferd.core.request import Tier
from inferd.discovery.asking import Said, ask
from inferd.discovery.offer import Offer, Taken, toml
from inferd.discovery.servers import is_same_place

_KIND = "openai"
_MOST_SHOWN = 200


class Hosted(msgspec.Struct, frozen=True, kw_only=True):
    """A hosted API as OpenAI's clients see it. `variable` is where its key usually stands.

    `models` are named where it has no list of them; `headers` go beside the key, which stands for
    `{key}` in them.
    """

    key: str
    name: str
    base_url: str
    variable: str
    models: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}

    def headers_with(self, key: str) -> dict[str, str]:
        """Return the headers with a key in them."""
        return {name: value.format(key=key) for name, value in self.headers.items()}


HOSTED = (
    Hosted(
        key="openai",
        name="OpenAI",
        base_url="https://api.openai.com/v1",
        variable="OPENAI_API_KEY",
    ),
    Hosted(
        key="anthropic",
        name="Anthropic",
        base_url="https://api.anthropic.com/v1",
        variable="ANTHROPIC_API_KEY",
        # Its list of models wants these; its chat, as OpenAI's clients ask it, the usual one.
        headers={"x-api-key": "{key}", "anthropic-version": "2023-06-01"},
    ),
    Hosted(
        key="gemini",
        name="Google Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        variable="GEMINI_API_KEY",
    ),
    Hosted(
        key="groq",
        name="Groq",
        base_url="https://api.groq.com/openai/v1",
        variable="GROQ_API_KEY",
    ),
    Hosted(
        key="mistral",
        name="Mistral",
        base_url="https://api.mistral.ai/v1",
        variable="MISTRAL_API_KEY",
    ),
    Hosted(
        key="openrouter",
        name="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        variable="OPENROUTER_API_KEY",
    ),
    Hosted(
        key="together",
        name="Together",
        base_url="https://api.together.xyz/v1",
        variable="TOGETHER_API_KEY",
    ),
    Hosted(
        key="deepseek",
        name="DeepSeek",
        base_url="https://api.deepseek.com/v1",
        variable="DEEPSEEK_API_KEY",
    ),
    Hosted(key="xai", name="xAI", base_url="https://api.x.ai/v1", variable="XAI_API_KEY"),
    Hosted(
        key="cohere",
        name="Cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        variable="COHERE_API_KEY",
        models=("command-a-03-2025", "command-r7b-12-2024", "embed-v4.0"),
    ),
    Hosted(
        key="huggingface",
        name="Hugging Face",
        base_url="https://router.huggingface.co/v1",
        variable="HF_TOKEN",
    ),
)


class HostedApis:
    """Looks at the hosted APIs whose keys are there; `keys` are by `Hosted.key`."""

    def __init__(self, keys: Mapping[str, str], hosted: Sequence[Hosted] = HOSTED) -> None:
        self._keys = {name: key for name, key in keys.items() if key}
        self._hosted = hosted

    async def __call__(self, taken: Sequence[Taken]) -> Sequence[Offer]:
        async with asyncio.TaskGroup() as tasks:
            looking = [tasks.create_task(self._at(each, taken)) for each in self._hosted]
        return [task.result() for task in looking]

    async def _at(self, hosted: Hosted, taken: Sequence[Taken]) -> Offer:
        key = self._keys.get(hosted.key, "")
        if not key:
            return _offer(hosted, "", Said(), Verdict.NEEDS_KEY, f"{hosted.variable} isn't set")
        if any(is_same_place(each.endpoint, hosted.base_url) for each in taken):
            # Its backend asks it; what that hears is told instead.
            return _offer(hosted, key, Said(), Verdict.USABLE, "its key is set")
        headers = [*hosted.headers_with(key).items(), ("authorization", f"Bearer {key}")]
        said = await ask(hosted.name, hosted.base_url, "/models", headers)
        return _offer(hosted, key, said, *_judged(hosted, said))


def _judged(hosted: Hosted, said: Said) -> tuple[Verdict, str]:
    if said.status in (400, 401, 403):
        return Verdict.NEEDS_KEY, f"it refuses the key in {hosted.variable}"
    if said.models or (hosted.models and said.status in (200, 404, 405)):
        return Verdict.USABLE, "its key is set, and it answers"
    if said.status:
        return Verdict.OFF, f"it answered {said.status}, and no list of models"
    return Verdict.OFF, said.why or "it gave no answer in time"


_HINTS = {
    Verdict.OFF: "check this machine's way to the internet; it is asked again in a minute",
    Verdict.USABLE: "",
}


def _offer(hosted: Hosted, key: str, said: Said, verdict: Verdict, reason: str) -> Offer:
    headers, told = hosted.headers_with(key), hosted.headers_with(f"env:{hosted.variable}")
    fields: dict[str, object] = {
        "base_url": hosted.base_url,
        "api_key": f"env:{hosted.variable}",
        "models": list(hosted.models),
        "options": {"headers": told} if told else {},
    }
    found = Found(
        id=f"api:{hosted.key}",
        name=hosted.name,
        kind=_KIND,
        type=BackendType.API,
        verdict=verdict,
        reason=reason,
        hint=_HINTS.get(verdict, f"set {hosted.variable} in the node's environment"),
        endpoint=hosted.base_url,
        models=(said.models or hosted.models)[:_MOST_SHOWN] if key else (),
        toml=toml(hosted.key, _KIND, fields),
    )
    return Offer(
        found=found,
        name=hosted.key,
        kind=_KIND,
        base_url=hosted.base_url,
        api_key=key,
        models={model: model for model in hosted.models},
        options={"headers": headers} if headers else {},
        tier=Tier.CLOUD,
    )
