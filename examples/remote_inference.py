"""Send an image and a question to a node, as the project's brief does it; needs `requests`.

    python examples/remote_inference.py http://127.0.0.1:8000/inference --image photo.jpg

The token comes from REMOTE_INFERENCE_TOKEN. A node that can't run the model itself forwards the
request, image and all, to one that can, and says so in X-Inference-Source.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000/inference")
    parser.add_argument("--model", default="google/gemma-2-2b-it")
    parser.add_argument("--task", default="text-generation")
    parser.add_argument("--prompt", default="Describe the image.")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--use-remote", choices=["true", "false"])
    asked = parser.parse_args()

    session = requests.Session()
    session.headers.update({"Accept": "application/json"})
    if token := os.environ.get("REMOTE_INFERENCE_TOKEN"):
        session.headers.update({"Authorization": f"Bearer {token}"})

    spec = {"model_id": asked.model, "task": asked.task, "payload": {"inputs": asked.prompt}}
    files: dict[str, tuple[str | None, str | bytes, str]] = {
        "spec": (None, json.dumps(spec), "application/json")
    }
    if asked.image:
        files["image"] = (asked.image.name, asked.image.read_bytes(), "image/jpeg")
    form = {"use_remote": asked.use_remote} if asked.use_remote else {}
    response = session.post(asked.url, files=files, data=form, timeout=120)

    print("status:", response.status_code)
    for name in ("Source", "Backend", "Node", "Warning"):
        if value := response.headers.get(f"X-Inference-{name}"):
            print(f"{name.lower()}: {value}")
    print(json.dumps(response.json(), indent=2))
    if not response.ok:
        sys.exit(1)


if __name__ == "__main__":
    main()
