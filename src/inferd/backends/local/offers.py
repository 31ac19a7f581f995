"""Which of the embedded models are there. Cheap to ask: it looks at files, and imports nothing."""

from pathlib import Path

from inferd.core.backend import Model
from inferd.engine.embedded import catalogue, ceilings, weights

TASKS = frozenset(task for model in catalogue.MODELS for task in model.tasks)


def offers(folder: Path) -> tuple[Model, ...]:
    """Return the models whose files are in `folder`."""
    return tuple(
        _offer(model) for model in catalogue.MODELS if weights.is_present(folder, *model.files)
    )


def _offer(model: catalogue.EmbeddedModel) -> Model:
    detail: dict[str, object] = {
        "licence": model.licence,
        "about": model.about,
        "size_bytes": model.size_bytes,
    }
    if model.max_tokens:
        detail["max_tokens"] = model.max_tokens
        detail["max_tokens_per_request"] = ceilings.TOKENS
    for unit, most in model.most.items():
        detail[f"max_{unit}_per_request"] = most
    if model.dimension:
        detail["dimension"] = model.dimension
    return Model(id=model.id, tasks=frozenset(model.tasks), aliases=model.aliases, detail=detail)
