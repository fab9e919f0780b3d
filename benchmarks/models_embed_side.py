"""One side of benchmarks/models_embed.py: an encoder in a process of its own, asked by lines.

python -m benchmarks.models_embed_side served|full|torch THREADS FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def main() -> None:
    name, threads, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    make = {"served": _served, "full": _full, "torch": _torch}[name]
    started = time.perf_counter()
    load = make(threads)
    imported = time.perf_counter()
    encode = load(folder)
    encode(["a first text"])
    loaded = time.perf_counter()
    _tell(imported=imported - started, loaded=loaded - imported, cpu=time.process_time())
    texts: dict[str, list[str]] = json.loads((folder / "texts.json").read_text())
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["what"] == "run":
            _tell(**_run(encode, texts[asked["kind"]], asked["batch"]))
        elif asked["what"] == "vectors":
            np.save(asked["path"], encode(texts[asked["kind"]]))
            _tell()
        else:
            _tell(now=psutil.Process().memory_info().rss, most=_most_bytes())


def _run(encode: Encode, texts: list[str], batch: int) -> dict[str, Any]:
    waits = []
    cpu, clock = time.process_time(), time.perf_counter()
    for start in range(0, len(texts), batch):
        before = time.perf_counter()
        encode(texts[start : start + batch])
        waits.append(time.perf_counter() - before)
    return {
        "texts": len(texts),
        "cpu": time.process_time() - cpu,
        "clock": time.perf_counter() - clock,
        "waits": waits,
    }


def _most_bytes() -> int:
    """The most memory that was resident at once. The kernel's usage record would count what the
    starting process had."""
    (line,) = (
        each
        for each in Path("/proc/self/status").read_text().splitlines()
        if each.startswith("VmHWM:")
    )
    return int(line.split()[1]) * 1024


def _served(threads: int) -> Callable[[Path], Encode]:
    """As in a replica: texts one by one, several on several threads."""
    from concurrent.futures import ThreadPoolExecutor

    from models_ml import bundle
    from models_ml.embedding import embedder
    from models_ml.served import PARTS_BYTES_MAX

    pool = ThreadPoolExecutor(threads)

    def load(folder: Path) -> Encode:
        content = (folder / "served.bundle").read_bytes()
        model = embedder.read(bundle.unpack(content, PARTS_BYTES_MAX))
        return lambda texts: model.embed(texts, pool)

    return load


def _full(threads: int) -> Callable[[Path], Encode]:
    from models_ml.embedding import weights
    from models_ml.embedding.embedder import TOKENS_MAX, session_of, tokenizer_of, vector_of

    def load(_: Path) -> Encode:
        folder = weights.weights_folder()
        session = session_of(weights.full_graph(folder)[0].SerializeToString(), threads)
        words = tokenizer_of((folder / "tokenizer.json").read_bytes(), TOKENS_MAX)
        return lambda texts: np.stack([vector_of(session, words.encode(text)) for text in texts])

    return load


def _torch(threads: int) -> Callable[[Path], Encode]:
    import torch
    from sentence_transformers import SentenceTransformer

    from models_ml.embedding.embedder import TOKENS_MAX
    from models_ml.embedding.weights import weights_folder

    torch.set_num_threads(threads)

    def load(_: Path) -> Encode:
        model = SentenceTransformer(str(weights_folder()), device="cpu")
        model.max_seq_length = TOKENS_MAX
        return lambda texts: model.encode(
            list(texts), batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False
        )

    return load


def _tell(**found: float | list[float]) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
