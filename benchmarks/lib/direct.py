"""A model called in-process, with no server: what a request costs at least.

    python benchmarks/lib/direct.py onnxruntime --texts FILE --model FILE --vocabulary FILE
    python benchmarks/lib/direct.py sentence-transformers --texts FILE --model FOLDER

It loads the model, says `ready`, and then for each line `SECONDS BATCH THREADS` on its standard
input calls the model for so long and says how many texts it embedded. It ends with its input.
Nothing here is imported from the benchmarks, since each runs in an environment of its own.
"""

import argparse
import importlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Embed = Callable[[list[str]], object]


def onnxruntime_model(model: Path, vocabulary: Path) -> Embed:
    """Return our int8 model on onnxruntime, one thread a call, our WordPiece in front."""
    import os

    import numpy as np

    # It reports to its makers otherwise, and would be measured at it.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    from inferd.engine.embedded.wordpiece import WordPiece, read_vocabulary

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(model), sess_options=options, providers=["CPUExecutionProvider"]
    )
    with vocabulary.open(encoding="utf-8", newline="\n") as lines:
        words = WordPiece(read_vocabulary(lines))

    def embed(batch: list[str]) -> object:
        rows = [words.frame(words.encode(text)) for text in batch]
        longest = max(map(len, rows))
        ids = np.array([row + [0] * (longest - len(row)) for row in rows], np.int64)
        mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows], np.int64)
        return session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})

    return embed


def sentence_transformer(model: Path) -> Embed:
    """Return the fp32 model in torch, one thread."""
    importlib.import_module("torch").set_num_threads(1)
    library = importlib.import_module("sentence_transformers")
    encode = library.SentenceTransformer(str(model), device="cpu").encode

    def embed(batch: list[str]) -> object:
        return encode(batch, batch_size=len(batch), show_progress_bar=False)

    return embed


def run(embed: Embed, texts: Sequence[str], seconds: float, batch: int, threads: int) -> int:
    """Embed for so long in so many threads; return the number of texts."""
    ends = time.perf_counter() + seconds
    done: list[int] = []

    def work(batches: Iterator[list[str]]) -> None:
        count = 0
        while time.perf_counter() < ends:
            embed(next(batches))
            count += batch
        done.append(count)

    workers = [
        threading.Thread(target=work, args=(_batches(texts, batch, start),))
        for start in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done)


def _batches(texts: Sequence[str], batch: int, start: int) -> Iterator[list[str]]:
    endless = itertools.cycle(texts[start:])
    while True:
        yield list(itertools.islice(endless, batch))


def main(arguments: Sequence[str]) -> int:
    """Load, then do as told until there is nothing more to do."""
    parser = argparse.ArgumentParser(description="Call a model in-process.")
    parser.add_argument("engine", choices=["onnxruntime", "sentence-transformers"])
    parser.add_argument("--texts", type=Path, required=True, help="one text a line")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--vocabulary", type=Path)
    given = parser.parse_args(arguments)
    texts = given.texts.read_text(encoding="utf-8").splitlines()
    if given.engine == "onnxruntime":
        embed = onnxruntime_model(given.model, given.vocabulary)
    else:
        embed = sentence_transformer(given.model)
    embed(texts[:1])
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, batch, threads = line.split()
        print(run(embed, texts, float(seconds), int(batch), int(threads)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
