"""Which provider is asked: the configured one, the caller's, or the first that can."""

import re
from collections.abc import Iterable

import msgspec

from inferd.backends.huggingface.mappings import Mappings
from inferd.core.errors import ModelNotFound, UnsupportedTask
from inferd.core.hub import is_model_id
from inferd.core.request import InferenceRequest
from inferd.core.tasks import task_named
from inferd.wire import hf_inference
from inferd.wire.hf_inference_providers import WAYS, Provider

OWN = "hf-inference"
AUTO = "auto"
POLICIES = frozenset({AUTO, "fastest", "cheapest", "preferred"})
"""What may stand for a provider where the router chooses: in chat."""

CHATS = frozenset({"chat", "image-text-to-text"})
TASKS = hf_inference.TASKS | CHATS
"""Everything that some provider can be asked for."""

_CONVERSATIONAL = "conversational"
_STATUSES = {"live": 0, "staging": 1}
_SUFFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SIMILAR = (
    frozenset({"feature-extraction", "sentence-similarity"}),
    frozenset({"text-to-speech", "text-to-audio"}),
    frozenset({"text-generation", "text2text-generation"}),
)
"""Tasks that the Hub's own provider runs with one another's models."""

_SOUGHT = "https://huggingface.co/models?inference_provider=all"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked. `is_chat` where he only converses."""

    provider: Provider
    model: str
    is_chat: bool = False
    warnings: tuple[str, ...] = ()


class Chooser:
    """Takes names apart and finds who serves them."""

    def __init__(self, name: str, provider: str, mappings: Mappings) -> None:
        self._name = name
        self._provider = provider
        self._mappings = mappings

    def parted(self, name: str) -> tuple[str, str]:
        """Return a model's id and its provider, or what stands for one: `id` or `id:provider`.

        Raises:
            ModelNotFound: No model of the Hub can be called that.
        """
        model, colon, wanted = name.partition(":")
        if not is_model_id(model) or (colon and not _SUFFIX.fullmatch(wanted)):
            shown = name if len(name) <= 100 else name[:100] + "…"
            raise ModelNotFound(
                f"{self._name} has no model called {shown!r}",
                hint="models of the Hub are called owner/name, or owner/name:provider",
            )
        return model, wanted or self._provider

    def chat_model(self, name: str) -> str:
        """Return the router's name for a model that is to converse."""
        model, provider = self.parted(name)
        return model if provider == AUTO else f"{model}:{provider}"

    async def choose(self, request: InferenceRequest, name: str) -> Chosen:
        """Return who does a task other than chat with the model called `name`.

        Raises:
            ModelNotFound: Nobody serves it.
            UnsupportedTask: Nobody does this task with it, or nobody whom this node can ask.
            NodeError: The Hub can't be asked.
        """
        task = request.task
        model, wanted = self.parted(name)
        if wanted == OWN:
            return Chosen(provider=Provider(name=OWN, id=model, task=task), model=model)
        serving = await self._mappings.of(model, request.deadline)
        if not serving:
            raise ModelNotFound(
                f"no inference provider serves {model}", hint=f"{_SOUGHT} lists those that are"
            )
        if wanted not in POLICIES:
            serving = _only(wanted, serving, model)
        doing = [each for each in serving if _does(each, task)]
        if not doing:
            does = _listed(_task_of(each) for each in serving)
            raise UnsupportedTask(f"{model} is served for {does}, not for {task}")
        askable = [each for each in doing if _is_askable(each, task)]
        if not askable:
            raise _unspoken(doing, model, task)
        # Sorting is stable: the account's own order holds within each status.
        best = min(askable, key=lambda each: _STATUSES.get(each.status, 2))
        return Chosen(
            provider=best,
            model=model,
            is_chat=best.task == _CONVERSATIONAL,
            warnings=_warnings(best),
        )

    async def tasks_of(self, name: str, chats: frozenset[str]) -> frozenset[str]:
        """Return what this node can have done with a model; `chats` are those that converse.

        Raises:
            NodeError: The Hub can't be asked, or has no such model.
        """
        model, wanted = self.parted(name)
        serving = await self._mappings.of(model, None)
        if wanted not in POLICIES:
            serving = [each for each in serving if each.name == wanted]
        found = {
            task
            for task in hf_inference.TASKS
            for each in serving
            if _does(each, task) and _is_askable(each, task)
        }
        if model in chats or any(each.task == _CONVERSATIONAL for each in serving):
            found |= {"chat", "text-generation"}
        return frozenset(found)


def _only(wanted: str, serving: tuple[Provider, ...], model: str) -> tuple[Provider, ...]:
    found = tuple(each for each in serving if each.name == wanted)
    if not found:
        others = _listed(each.name for each in serving)
        raise ModelNotFound(f"{wanted} doesn't serve {model}", hint=f"served by {others}")
    return found


def _does(provider: Provider, task: str) -> bool:
    theirs = _task_of(provider)
    if theirs == task:
        return True
    if provider.task == _CONVERSATIONAL:
        return task == "text-generation"
    return provider.name == OWN and any({theirs, task} <= pair for pair in _SIMILAR)


def _is_askable(provider: Provider, task: str) -> bool:
    if provider.task == _CONVERSATIONAL or provider.name == OWN:
        return True
    return (provider.name, task) in WAYS


def _task_of(provider: Provider) -> str:
    """Return our name for the task; the Hub's where we know none."""
    try:
        return task_named(provider.task).name
    except UnsupportedTask:
        return provider.task


def _unspoken(doing: list[Provider], model: str, task: str) -> UnsupportedTask:
    names = _listed(each.name for each in doing)
    spoken = sorted({name for name, does in WAYS if does == task} | {OWN})
    return UnsupportedTask(
        f"{model} is served for {task} by {names}, whose API this node doesn't speak",
        hint=f"for {task} it can ask {', '.join(spoken)}: choose a model that one of them serves",
    )


def _warnings(provider: Provider) -> tuple[str, ...]:
    if provider.status == "staging":
        return (f"{provider.name} serves this model for tests only",)
    if provider.status not in _STATUSES:
        return (f"{provider.name} failed the Hub's last check of this model",)
    return ()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
