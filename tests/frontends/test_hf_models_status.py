"""GET on a model's URL: what it does, where it runs, whether it can, and what is hidden."""

from inferd.core.backend import Model
from inferd.gateway.admission.policy import Rule
from tests.frontends.fakes import FakeBackend, says
from tests.frontends.nodes import open_node

VIT = Model(id="google/vit", tasks=frozenset({"image-classification"}), aliases=("vit",))


async def test_a_model_tells_of_itself() -> None:
    async with open_node(FakeBackend(says(), models=(VIT,))) as node:
        shown = await node.client.get("/models/vit")
        info = await node.client.get("/hf-inference/models/google/vit/info")
        health = await node.client.get("/models/vit/health")
        missing = await node.client.get("/models/else/where")
        tasks = await node.client.get("/models")
    assert shown.json() == info.json() == health.json()
    said = shown.json()
    assert (said["id"], said["tasks"], said["loaded"]) == (
        "google/vit",
        ["image-classification"],
        True,
    )
    assert said["runs"][0]["backend"] == "fake"
    assert missing.status_code == 404
    assert "available_tasks" in tasks.json()


async def test_a_model_that_can_not_run_is_not_healthy() -> None:
    async with open_node(FakeBackend(says(), models=(VIT,))) as node:
        [member] = node.gateway.pool
        member.error = "its disk is full"
        shown = await node.client.get("/models/vit")
        health = await node.client.get("/models/vit/health")
    assert (shown.status_code, shown.json()["state"]) == (200, "Unavailable")
    assert (health.status_code, "its disk is full" in health.json()["error"]) == (503, True)


async def test_what_is_hidden_from_a_caller_is_not_told_by_its_tasks() -> None:
    eye = Model(id="acme/eye", tasks=frozenset({"image-to-text", "object-detection"}))
    rules = [Rule(principal="secret:*", models=("google/*",))]
    headers = {"Authorization": "Bearer abc"}
    backend = FakeBackend(says(), models=(VIT, eye))
    async with open_node(backend, secrets=["abc"], rules=rules) as node:
        named = await node.client.post("/models/acme/eye", json={"odd": 1}, headers=headers)
        unnamed = await node.client.post("/models/", json={"odd": 1}, headers=headers)
    assert (named.status_code, unnamed.status_code) == (403, 400)
    assert "object-detection" not in named.text + unnamed.text


async def test_a_url_that_names_no_model_says_so() -> None:
    async with open_node(FakeBackend(says(), models=(VIT,))) as node:
        nameless = await node.client.get("/models/")
    assert nameless.status_code == 400
    assert nameless.json()["error"].startswith("the URL names no model")
