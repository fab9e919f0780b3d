"""The encoder as it serves beside sentence-transformers on PyTorch: rate, latency, memory, vectors.

    python -m benchmarks.models_embed [--rounds 5] [--texts 64] [--threads 1] [--neighbours 1500]

Texts are those of leads of a sample world, or of a folder of captures that AIQLEADS_CAPTURES
names. Each side is a process of its own, of as many threads; rounds take turns. A rate is texts a
second of CPU time, which other work on the machine disturbs less than the clock; texts a
second by the clock stand beside it. `batch` is how many texts a caller hands over at once.
Also: how far eight bits are from full precision in finding a lead's nearest among so many
leads (--neighbours 0 leaves it out).

PyTorch is in the extra `ml` only: `pip install 'aiqleads[ml]'` (about 1.5 GB; its CPU build is
enough). Without it the script shows its own side.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import util
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_ml.embedding import weights
from models_ml.embedding.embedder import TOKENS_MAX, tokenizer_of
from models_ml.embedding.lead_text import text_of
from models_ml.recommend.simulation.homes import MARKETS
from models_ml.value.sample_trials import market_leads

SERVED, FULL, TORCH = "served", "full", "torch"
NAMES = {SERVED: "ONNX, 8 bits", FULL: "ONNX, full", TORCH: "PyTorch"}
BATCHES = (1, 8, 32, 128)
USUAL_BATCH = 32
LEADS_LEAST = 400
NEAREST = 20
SEED = 21
LEADS_KIND = "leads"


class Load(NamedTuple):
    """`kind` of texts, handed over `batch` at once."""

    kind: str
    batch: int


class Side:
    """One side's process, asked by lines of JSON."""

    def __init__(self, name: str, threads: int, folder: Path) -> None:
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "TOKENIZERS_PARALLELISM": "false",
        }
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.models_embed_side", name, str(threads), str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.start: dict[str, float] = self._answer()

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        _file(self._process.stdin).write(json.dumps({"what": what, **more}) + "\n")
        _file(self._process.stdin).flush()
        return self._answer()

    def vectors(self, kind: str, folder: Path) -> NDArray[np.float32]:
        path = folder / f"{self.name}-{kind}.npy"
        self.ask("vectors", kind=kind, path=str(path))
        found: NDArray[np.float32] = np.load(path)
        return found

    def stop(self) -> None:
        _file(self._process.stdin).close()
        self._process.wait(timeout=30)

    def _answer(self) -> dict[str, Any]:
        line = _file(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"the {self.name} side ended")
        found: dict[str, Any] = json.loads(line)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--neighbours", type=int, default=1_500)
    options = parser.parse_args()
    has_torch = util.find_spec("torch") and util.find_spec("sentence_transformers")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told, texts = _texts(max(options.neighbours, LEADS_LEAST))
        kinds = _kinds(texts, options.texts)
        (folder / "texts.json").write_text(
            json.dumps(kinds | {LEADS_KIND: texts[: options.neighbours]})
        )
        (folder / "served.bundle").write_bytes(weights.packaged(folder))
        print(f"{len(texts):,} leads of {told}; {options.threads} thread(s) a side")
        with _sides([SERVED, TORCH] if has_torch else [SERVED], options, folder) as sides:
            _compare(sides, options.rounds, folder)
        if not has_torch:
            print("PyTorch's side is not shown: pip install 'aiqleads[ml]'")
        if options.neighbours:
            with _sides([SERVED, FULL], options, folder) as sides:
                _neighbours(sides, folder)


def _texts(count: int) -> tuple[str, list[str]]:
    captures = os.environ.get("AIQLEADS_CAPTURES")
    if captures:
        from serve_apps.cli.captured_listings import captured_homes

        listings = [each.listing for each in captured_homes(Path(captures))]
        told = "a folder of captures"
    else:
        listings = market_leads(SEED, MARKETS * count, "austin").listings
        told = f"sample world {SEED}"
    # Leads that say the same would be each other's nearest whatever the arithmetic.
    found = list(dict.fromkeys(text_of(listing) for listing in listings))
    order = np.random.default_rng(SEED).permutation(len(found))
    return told, [found[place] for place in order]


def _kinds(texts: list[str], count: int) -> dict[str, list[str]]:
    """Leads as they come, and by length in tokens: those of the shortest third and so on."""
    content = (weights.weights_folder() / "tokenizer.json").read_bytes()
    tokenizer = tokenizer_of(content, TOKENS_MAX)
    lengths = np.array([len(tokenizer.encode(text).ids) for text in texts])
    thirds = np.array_split(np.argsort(lengths, kind="stable"), 3)
    rng = np.random.default_rng(SEED)
    kinds = {"as they come": np.arange(min(count, len(texts)))}
    for name, third in zip(("short", "middle", "long"), thirds, strict=True):
        kinds[name] = rng.choice(third, size=min(count, len(third)), replace=False)
    for name, places in kinds.items():
        told = lengths[places]
        print(f"{name}: {told.mean():.0f} tokens ({told.min()}-{told.max()}), {len(places)} texts")
    return {name: [texts[place] for place in places] for name, places in kinds.items()}


@contextmanager
def _sides(names: list[str], options: argparse.Namespace, folder: Path) -> Iterator[list[Side]]:
    with ExitStack() as stack:
        sides = []
        for name in names:
            side = Side(name, options.threads, folder)
            stack.callback(side.stop)
            sides.append(side)
        yield sides


def _compare(sides: list[Side], rounds: int, folder: Path) -> None:
    loads = [Load("as they come", batch) for batch in BATCHES]
    loads += [Load(kind, USUAL_BATCH) for kind in ("short", "middle", "long")]
    rates: dict[tuple[str, Load], list[float]] = {}
    clocks: dict[tuple[str, Load], list[float]] = {}
    waits: dict[str, list[float]] = {side.name: [] for side in sides}
    for side in sides:
        side.ask("run", **loads[-1]._asdict())
    for number in range(rounds):
        for load in loads:
            # Whoever was second is first the next time.
            for side in sides if number % 2 else sides[::-1]:
                found = side.ask("run", **load._asdict())
                rates.setdefault((side.name, load), []).append(found["texts"] / found["cpu"])
                clocks.setdefault((side.name, load), []).append(found["texts"] / found["clock"])
                if load.batch == 1:
                    waits[side.name] += found["waits"]
    for load in loads:
        print(f"\n{load.kind}, batch {load.batch}: texts a CPU second (by the clock)")
        for side in sides:
            rate, clock = rates[side.name, load], clocks[side.name, load]
            print(f"  {NAMES[side.name]}: {_spread(rate)}; {_spread(clock)}")
        if len(sides) == 2:
            ours, other = (rates[side.name, load] for side in sides)
            print(f"  ratio {_spread([a / b for a, b in zip(ours, other, strict=True)], 2)}")
    print("\none text, milliseconds by the clock; memory; seconds to import and to load")
    for side in sides:
        p50, p99 = np.percentile(waits[side.name], (50, 99)) * 1e3
        memory = side.ask("memory")
        print(
            f"  {NAMES[side.name]}: p50 {p50:.1f}, p99 {p99:.1f};"
            f" {memory['now'] / 1e6:.0f} MB, at most {memory['most'] / 1e6:.0f};"
            f" {side.start['imported']:.1f} and {side.start['loaded']:.1f} s"
            f" ({side.start['cpu']:.1f} s of CPU)"
        )
    if len(sides) == 2:
        ours, other = (side.vectors("as they come", folder) for side in sides)
        cosines = (ours * other).sum(axis=1)
        print(f"\ncosine of their vectors: mean {cosines.mean():.4f}, least {cosines.min():.4f}")


def _neighbours(sides: list[Side], folder: Path) -> None:
    small, full = (side.vectors(LEADS_KIND, folder) for side in sides)
    cosines = (small * full).sum(axis=1)
    wanted = _nearest(full, NEAREST)
    print(
        f"\neight bits against full precision, {len(small):,} leads: cosine mean"
        f" {cosines.mean():.4f}, least {cosines.min():.4f}"
    )
    for looked_at in (NEAREST, 2 * NEAREST):
        found = _nearest(small, looked_at)
        shares = [len(a & b) / NEAREST for a, b in zip(wanted, found, strict=True)]
        print(
            f"  of the {NEAREST} nearest by full precision among the first {looked_at}:"
            f" {statistics.mean(shares):.3f}, for a tenth of leads at most"
            f" {np.percentile(shares, 10):.2f}"
        )
    # What comes in the place of a nearest lead matters little if it is nearly as near.
    best, given = _closeness(full, wanted), _closeness(full, _nearest(small, NEAREST))
    print(
        f"  cosine in full precision of the {NEAREST} nearest: {best:.4f},"
        f" of those found: {given:.4f}"
    )


def _closeness(vectors: NDArray[np.float32], near: list[set[int]]) -> float:
    """Mean cosine of each vector with those near it."""
    means = [
        float((vectors[list(places)] @ vector).mean())
        for vector, places in zip(vectors, near, strict=True)
    ]
    return statistics.mean(means)


def _nearest(vectors: NDArray[np.float32], count: int) -> list[set[int]]:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return [set(row) for row in np.argpartition(-cosines, count, axis=1)[:, :count].tolist()]


def _spread(values: list[float], digits: int = 0) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def _file(file: IO[str] | None) -> IO[str]:
    assert file is not None
    return file


if __name__ == "__main__":
    main()
