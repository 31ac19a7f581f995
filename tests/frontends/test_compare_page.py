"""What Compare shows of the places that its address names."""

from inferd.core.answer import Answer
from inferd.core.backend import Model
from inferd.core.request import InferenceRequest
from inferd.core.result import Finish, Value
from inferd.core.tasks import TASKS
from tests.frontends.browsers import Browser
from tests.frontends.fakes import FakeBackend, says
from tests.frontends.nodes import open_node

TINY = Model(id="tiny", tasks=frozenset(TASKS))
PAGE = "/compare?task=text-generation"


def named(name: str) -> FakeBackend:
    answer = says(Value({"generated_text": "hello"}), Finish())

    async def infer(backend: FakeBackend, request: InferenceRequest) -> Answer:
        return await answer(backend, request)

    return FakeBackend(infer, name, models=(TINY,))


async def test_the_only_place_of_a_model_stays_when_another_is_lost() -> None:
    async with open_node(named("local")) as node, Browser(node) as browser:
        query = "&model=tiny@local&model=tiny@gone&model=tiny&model=nothing"
        page = (await browser.visit(PAGE + query)).text
    assert page.count('aria-label="tiny"') == 3
    assert page.count("Run it alone") == 2
    assert ">gone doesn’t offer it now." in page
    assert page.count("Can’t run here now") >= 2
    assert "No place here has it." in page


async def test_this_node_s_own_engine_goes_by_the_node_s_name() -> None:
    async with open_node(named("local"), named("there")) as node, Browser(node) as browser:
        page = (await browser.visit(PAGE + "&model=tiny@local&model=tiny@there")).text
    assert "Only on local" not in page
    assert "Only on there" in page
