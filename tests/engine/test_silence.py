"""A node writes nowhere but into its own home, and so do the libraries that it runs models with."""

import re
from pathlib import Path

import httpx2

from tests.node.nodes import run_node

SOURCE = Path(__file__).parents[2] / "src" / "inferd"


def test_one_module_imports_onnxruntime() -> None:
    imports = re.compile(
        r"^ *(?:import|from) onnxruntime(?! import InferenceSession)", re.MULTILINE
    )
    found = [path.name for path in SOURCE.rglob("*.py") if imports.search(path.read_text("utf-8"))]
    assert found == ["runtime.py"]


def test_a_node_leaves_nothing_in_its_user_s_home(tmp_path: Path) -> None:
    person = tmp_path / "person"
    person.mkdir()
    with run_node(tmp_path / "node", {"HOME": str(person)}) as node:
        asked = {"model": "minilm", "input": "Where does this go?"}
        vectors = httpx2.post(f"{node.url}/v1/embeddings", json=asked, timeout=30)
        feeling = node.infer("sentiment-analysis", {"prompt": "I like it here."})
        flower = node.infer("tabular-classification", {"features": [[5.1, 3.5, 1.4, 0.2]]})
    assert [answer.status_code for answer in (vectors, feeling, flower)] == [200, 200, 200]
    assert [*person.rglob("*")] == []
