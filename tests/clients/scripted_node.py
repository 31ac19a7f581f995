"""Another node, by its wire alone: it lists models and answers with scripted, realistic results.

A process of its own, on the standard library: nothing of the product answers here. What it says
of a file is computed from the file, so that an answer proves which bytes arrived.
"""

import base64
import json
import struct
import sys
import zlib
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODELS = {
    "google/vit-base-patch16-224": "image-classification",
    "facebook/detr-resnet-50": "object-detection",
    "facebook/detr-resnet-50-panoptic": "image-segmentation",
    "Salesforce/blip-image-captioning-base": "image-to-text",
    "openai/clip-vit-large-patch14": "zero-shot-image-classification",
    "dandelin/vilt-b32-finetuned-vqa": "visual-question-answering",
    "impira/layoutlm-document-qa": "document-question-answering",
    "stabilityai/sdxl-turbo": "text-to-image",
    "timbrooks/instruct-pix2pix": "image-to-image",
    "openai/whisper-tiny": "automatic-speech-recognition",
    "superb/hubert-base-superb-er": "audio-classification",
    "facebook/mms-tts-eng": "text-to-speech",
    "openai-community/gpt2": "text-generation",
    "distilbert/distilbert-base-uncased-finetuned-sst-2-english": "sentiment-analysis",
    "dslim/bert-base-NER": "token-classification",
    "distilbert/distilroberta-base": "fill-mask",
    "facebook/bart-large-cnn": "summarization",
    "google-t5/t5-small": "translation",
    "google/tapas-base-finetuned-wtq": "table-question-answering",
}
STORY = ["Once", " upon", " a", " time"]


def size_of(png: bytes) -> tuple[int, int]:
    """The width and height that a PNG says."""
    return struct.unpack(">II", png[16:24])


def seconds_of(wav: bytes) -> float:
    """How long a plain WAV file plays."""
    rate = struct.unpack("<I", wav[28:32])[0]
    return (len(wav) - 44) / rate


def said(spec: dict[str, Any], *names: str) -> str:
    """The payload's text under the first of `names` that is there."""
    return next((str(spec["payload"][name]) for name in names if name in spec["payload"]), "")


def labels_of(spec: dict[str, Any], first: str) -> list[dict[str, object]]:
    """Two labels, cut by top_k as a pipeline cuts them."""
    found: list[dict[str, object]] = [
        {"label": first, "score": 0.9},
        {"label": "something else", "score": 0.1},
    ]
    return found[: spec["extra_args"].get("top_k", 2)]


def seen(task: str, spec: dict[str, Any], image: bytes) -> Any:
    """What a picture gets."""
    width, height = size_of(image)
    box = {"xmin": 0, "ymin": 0, "xmax": width, "ymax": height}
    named = spec["payload"].get("candidate_labels", [])
    mask = base64.b64encode(image).decode()
    return {
        "image-classification": labels_of(spec, f"{width}x{height}"),
        "object-detection": [{"label": "cat", "score": 0.98, "box": box}],
        "image-segmentation": {"masks": [{"label": "sky", "score": 0.7, "mask_base64": mask}]},
        "image-to-text": {"generated_text": f"a picture, {width} wide and {height} high"},
        "zero-shot-image-classification": [
            {"label": label, "score": 1 / (1 + number)} for number, label in enumerate(named)
        ],
        "visual-question-answering": [{"answer": f"{width}", "score": 0.8}],
        "document-question-answering": [
            {"answer": f"{height}", "score": 0.8, "start": 3, "end": 4}
        ],
    }[task]


def heard(task: str, spec: dict[str, Any], audio: bytes) -> Any:
    """What a sound gets."""
    words = f"{seconds_of(audio):g} seconds of silence"
    if task == "audio-classification":
        return labels_of(spec, words)
    return {"text": words}


def read(task: str, spec: dict[str, Any]) -> Any:
    """What a text gets."""
    text = said(spec, "prompt", "mask_sentence")
    return {
        "text-generation": {"generated_text": "".join(STORY)},
        "sentiment-analysis": labels_of(spec, "POSITIVE"),
        "token-classification": [
            {"entity_group": "PER", "score": 0.99, "word": "Sarah", "start": 11, "end": 16}
        ],
        "fill-mask": {
            "result_1": [
                {
                    "score": 0.7,
                    "token": 812,
                    "token_str": " capital",
                    "sequence": text.replace("<mask>", "capital"),
                }
            ]
        },
        "summarization": {"summary_text": text[:10]},
        "translation": {"translation_text": "Guten Morgen"},
        "table-question-answering": {
            "answer": "700000",
            "coordinates": [[0, 1]],
            "cells": ["700000"],
            "aggregator": "NONE",
        },
    }[task]


class Handler(BaseHTTPRequestHandler):
    """Two paths: the list of models, and inference."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        rows = [{"id": name, "object": "model", "tasks": [task]} for name, task in MODELS.items()]
        self.answer("application/json", json.dumps({"object": "list", "data": rows}).encode())

    def do_POST(self) -> None:
        spec, files = self.form()
        task = spec["task"]
        if spec["model_id"] not in MODELS:
            missing = {
                "error": "model not found",
                "reason": "no such model",
                "kind": "model_not_found",
            }
            self.answer("application/json", json.dumps(missing).encode(), status=404)
        elif task == "text-generation" and "event-stream" in self.headers["Accept"]:
            self.answer("text/event-stream", self.events())
        elif task == "text-to-speech":
            self.answer("audio/wav", wav(1))
        elif task in ("text-to-image", "image-to-image"):
            # The picture comes back as it was; a new one is as large as was asked.
            sent = files.get("image") or png(spec["extra_args"].get("width", 8), 4)
            self.answer("image/png", sent)
        else:
            found = (
                seen(task, spec, files["image"])
                if "image" in files
                else heard(task, spec, files["audio"])
                if "audio" in files
                else read(task, spec)
            )
            document = found if isinstance(found, dict) else {"result": found}
            self.answer("application/json", json.dumps(document).encode())

    def form(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Read a form: its spec, and its files by name."""
        body = b"".join(self.pieces())
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
            for part in BytesParser().parsebytes(head + body).walk()
            if not part.is_multipart()
        }
        files = {name: data for name, data in parts.items() if isinstance(data, bytes)}
        return json.loads(files.pop("spec")), files

    def pieces(self) -> Iterator[bytes]:
        """The body, with its length ahead of it or in chunks."""
        if "Content-Length" in self.headers:
            yield self.rfile.read(int(self.headers["Content-Length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def events(self) -> bytes:
        """The story, a token an event."""
        lines: list[str] = []
        for number, text in enumerate(STORY, start=1):
            is_last = number == len(STORY)
            event = {
                "index": number,
                "token": {"id": number, "text": text, "logprob": -0.1, "special": False},
                "generated_text": "".join(STORY) if is_last else None,
                "details": {"finish_reason": "length", "generated_tokens": 4, "input_length": 2}
                if is_last
                else None,
            }
            lines.append(f"data: {json.dumps(event)}\n\n")
        return "".join(lines).encode()

    def answer(self, content_type: str, body: bytes, *, status: int = 200) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def part(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")


def wav(seconds: int) -> bytes:
    """Silence."""
    rate = 8000
    data = bytes(2 * rate * seconds)
    form = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdout.close()
    server.serve_forever()
