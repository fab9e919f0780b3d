"""Durable purchases over HTTP, beside the design that most teams would build.

    python -m benchmarks.purchase [--runs 5] [--requests 12000]

Closed loop with 64 connections, uniform buyers and then one hot buyer; then the same
offered rate on both sides, 70 % of the baseline's greatest, for the tail.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks import load
from benchmarks.cpu_shares import CpuShares
from benchmarks.stand import SEATS, Side, Stand, stand
from benchmarks.trading import CONNECTIONS, Deck, buys, compare, ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--requests", type=int, default=12_000)
    options = parser.parse_args()
    rounds = options.runs + 1
    leads = rounds * options.requests * 3 // SEATS + rounds * options.requests + 1_000
    with stand(leads) as stood:
        assert stood.baseline is not None
        sides = [stood.marketplace, stood.baseline]
        decks = {side.name: Deck(leads) for side in sides}

        def count(side: Side) -> int:
            # The slower side gets fewer, so that both run for about as long.
            return options.requests if side is stood.marketplace else options.requests // 3

        def uniform(side: Side, run: int) -> load.Result:
            requests = buys(side, decks[side.name].pairs(), f"u{run}")
            return load.closed("127.0.0.1", side.port, requests, count(side), CONNECTIONS)

        def hot(side: Side, run: int) -> load.Result:
            requests = buys(side, decks[side.name].hot_pairs(), f"h{run}")
            return load.closed("127.0.0.1", side.port, requests, count(side), CONNECTIONS)

        uniform_rates = compare("buy, uniform buyers, closed loop", sides, uniform, options.runs)
        _say_ratio(uniform_rates)
        hot_rates = compare("buy, one hot buyer, closed loop", sides, hot, options.runs)
        _say_ratio(hot_rates)

        _profile(stood, decks["marketplace"], options.requests)
        greatest = statistics.median(uniform_rates["baseline"].rates)
        offered = 0.7 * greatest

        def paced(side: Side, run: int) -> load.Result:
            requests = buys(side, decks[side.name].pairs(), f"p{run}")
            return load.paced(
                "127.0.0.1", side.port, requests, options.requests // 3, offered, CONNECTIONS
            )

        tails = compare(f"buy, offered {offered:,.0f}/s on both", sides, paced, options.runs)
        print(
            "  p99 marketplace / baseline:"
            f" {ratio(tails['marketplace'].p99s, tails['baseline'].p99s)}"
        )


def _profile(stood: Stand, deck: Deck, count: int) -> None:
    """One more run on our side, with the CPU time of each part."""
    side = stood.marketplace
    shares = CpuShares(stood.settings.data_dir)
    requests = buys(side, deck.pairs(), "profile")
    result = load.closed("127.0.0.1", side.port, requests, count, CONNECTIONS)
    used = {**shares.since(), "generator": result.cpu}
    print(f"where the time goes, at {result.rate:,.0f}/s; CPU microseconds a purchase")
    for part, seconds in used.items():
        print(f"  {part:<12} {seconds / count * 1e6:6.0f}")
    print(f"  {'all':<12} {sum(used.values()) / count * 1e6:6.0f}", flush=True)


def _say_ratio(rates: dict) -> None:
    print(f"  ratio: {ratio(rates['marketplace'].rates, rates['baseline'].rates)}", flush=True)


if __name__ == "__main__":
    main()
