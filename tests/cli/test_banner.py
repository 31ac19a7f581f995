"""What a node that has just started proposes: only what can work."""

from pathlib import Path

import pytest

from inferd.cli.banner import banner
from inferd.config.load import load
from tests.http1.upstream import CERTS

URL = "https://127.0.0.1:8000"
OFF = "[local]\nenabled = false\n"
GPU = '[[backends]]\nname = "gpu"\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'


def said(folder: Path, toml: str, url: str = "http://127.0.0.1:8000") -> str:
    (folder / "inferd.toml").write_text(toml)
    return banner(url, load(environ={"HOME": str(folder)}, cwd=folder))


def test_with_models_of_its_own_it_proposes_those(tmp_path: Path) -> None:
    told = said(tmp_path, GPU)
    assert '{"model": "minilm", "input": "Hello"}' in told
    assert "run sentiment-analysis 'The food was wonderful'" in told


@pytest.mark.parametrize(
    ("toml", "path", "body", "command"),
    [
        ("", "/v1/models", "", "models"),
        (GPU, "/v1/models", "", "models"),
        (GPU + 'models = ["it\'s"]\n', "/v1/models", "", "models"),
        (
            GPU + 'models = ["llama", "other"]\n',
            "/v1/chat/completions",
            '{"model": "llama", "messages": [{"role": "user", "content": "Hello"}]}',
            "run chat Hello --model llama",
        ),
        (
            GPU + 'models = ["e5"]\ntasks = ["embeddings"]\n',
            "/v1/embeddings",
            '{"model": "e5", "input": "Hello"}',
            "run feature-extraction Hello --model e5",
        ),
        (
            GPU + 'models = ["whisper"]\ntasks = ["automatic-speech-recognition"]\n',
            "/v1/models",
            "",
            "models",
        ),
    ],
)
def test_without_it_proposes_a_backend_s_or_the_list(
    tmp_path: Path, toml: str, path: str, body: str, command: str
) -> None:
    told = said(tmp_path, OFF + toml)
    assert "minilm" not in told
    [curl] = [line for line in told.splitlines() if line.startswith("  try ")]
    assert f"curl http://127.0.0.1:8000{path}" in curl
    assert (f"-d '{body}'" in curl) if body else curl.endswith(path)
    [ours] = [line for line in told.splitlines() if line.startswith("  or ")]
    assert ours.endswith(command)


def test_over_tls_curl_is_told_whom_to_trust(tmp_path: Path) -> None:
    certificate = CERTS / "server.pem"

    def curl(url: str) -> str:
        told = said(tmp_path, f'[server]\ntls_certificate = "{certificate}"\n', url)
        [line] = [line for line in told.splitlines() if line.startswith("  try ")]
        return line

    assert f"curl --cacert {certificate} {URL}/v1/embeddings" in curl(URL)
    # It isn't made out to that one.
    other = URL.replace("127.0.0.1", "127.0.0.2")
    assert f"curl --insecure {other}/v1/embeddings" in curl(other)
