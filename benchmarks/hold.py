"""Durable holds over HTTP, beside holds that are Redis keys with a time to live.

    python -m benchmarks.hold [--runs 5] [--requests 12000]

The baseline's holds live in Redis with an append-only file written every second: a crash
loses up to a second of them. Ours are committed rows.
"""

from __future__ import annotations

import argparse

from benchmarks import load
from benchmarks.stand import SEATS, Side, stand
from benchmarks.trading import CONNECTIONS, Deck, compare, holds, ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--requests", type=int, default=12_000)
    options = parser.parse_args()
    leads = (options.runs + 1) * options.requests // SEATS + 1_000
    with stand(leads) as stood:
        assert stood.baseline is not None
        sides = [stood.marketplace, stood.baseline]
        decks = {side.name: Deck(leads) for side in sides}

        def closed(side: Side, run: int) -> load.Result:
            requests = holds(side, decks[side.name].pairs(), f"h{run}")
            return load.closed("127.0.0.1", side.port, requests, options.requests, CONNECTIONS)

        rates = compare("hold, closed loop", sides, closed, options.runs)
        print(f"  ratio: {ratio(rates['marketplace'].rates, rates['baseline'].rates)}")


if __name__ == "__main__":
    main()
