"""What a backend offers, found by name."""

from hypothesis import given
from hypothesis import strategies as st

from inferd.core.backend import Capabilities, Model

NAMES = st.sampled_from(["a", "b", "c", "d"])
TASKS = st.frozensets(st.sampled_from(["chat", "text-generation", "embeddings"]))
MODELS = st.lists(
    st.builds(Model, id=NAMES, tasks=TASKS, aliases=st.lists(NAMES, max_size=2).map(tuple)),
    max_size=6,
)


def looked_up(offers: Capabilities, task: str, name: str) -> str | None:
    for model in offers.models:
        if task in model.tasks and (not name or name == model.id or name in model.aliases):
            return model.id
    return name if task in offers.open_tasks else None


@given(models=MODELS, open_tasks=TASKS, asked=st.lists(st.tuples(NAMES | st.just(""), TASKS)))
def test_a_name_means_the_first_model_that_has_it_and_does_the_task(
    models: list[Model], open_tasks: frozenset[str], asked: list[tuple[str, frozenset[str]]]
) -> None:
    offers = Capabilities(models=tuple(models), open_tasks=open_tasks)
    assert offers.listed_tasks == frozenset(task for model in models for task in model.tasks)
    assert offers.tasks == open_tasks | offers.listed_tasks
    for name, tasks in asked:
        for task in {*tasks, "unheard-of"}:
            assert offers.find(task, name) == looked_up(offers, task, name)


def test_a_listing_is_gone_through_once_for_a_task_however_often_it_is_asked() -> None:
    class Counted(tuple[Model, ...]):
        rounds = 0

        def __iter__(self):
            Counted.rounds += 1
            return super().__iter__()

    models = Counted(Model(id=f"m{n}", tasks=frozenset({"chat"})) for n in range(10))
    offers = Capabilities(models=models)
    for name in ("", "m9", "nobody's", "m9"):
        offers.find("chat", name)
        offers.find("embeddings", name)
    assert Counted.rounds == 2
    assert offers.tasks is offers.tasks


def test_what_was_looked_up_makes_no_difference_between_equals() -> None:
    one, other = (Capabilities(models=(Model(id="a", tasks=frozenset({"chat"})),)) for _ in "12")
    one.find("chat", "a")
    assert one == other
