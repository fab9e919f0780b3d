"""Requests that spend leads once, and the interleaved comparison of two sides."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks import load
from benchmarks.stand import BUYERS, SEATS, Side, lead_id

CONNECTIONS = 64


class Deck:
    """Pairs of lead and buyer, each dealt once: every seat of a lead to another buyer.

    `hot` deals every lead to one buyer alone, so that all requests meet in one wallet.
    """

    def __init__(self, leads: int) -> None:
        self.leads = leads
        self._next = 0

    def pairs(self) -> Iterator[tuple[int, int]]:
        for number in itertools.count(self._next):
            lead, seat = divmod(number, SEATS)
            if lead >= self.leads:
                raise RuntimeError("the deck is used up: seed more leads")
            self._next = number + 1
            yield lead, (lead * 7 + seat * 131) % BUYERS

    def hot_pairs(self) -> Iterator[tuple[int, int]]:
        lead = -(-self._next // SEATS)
        while True:
            if lead >= self.leads:
                raise RuntimeError("the deck is used up: seed more leads")
            self._next = (lead + 1) * SEATS
            yield lead, 0
            lead += 1


def buys(side: Side, pairs: Iterator[tuple[int, int]], run: str) -> Iterator[bytes]:
    for lead, buyer in pairs:
        yield load.request(
            "POST",
            f"/v1/leads/{lead_id(lead)}/buy",
            side.tokens[buyer],
            b'{"max_price":100}',
            f"{run}-{lead}-{buyer}",
        )


def holds(side: Side, pairs: Iterator[tuple[int, int]], run: str) -> Iterator[bytes]:
    for lead, buyer in pairs:
        body = f'{{"lead_id":"{lead_id(lead)}","hold":"15m"}}'.encode()
        yield load.request(
            "POST", "/v1/cart/items", side.tokens[buyer], body, f"{run}-{lead}-{buyer}"
        )


class Rates(NamedTuple):
    """One side's figures over the runs: answered 2xx a second, p99 seconds, generator's CPU."""

    rates: list[float]
    p99s: list[float]
    cpus: list[float]

    def line(self, name: str) -> str:
        return (
            f"  {name:<12} {statistics.median(self.rates):8,.0f}/s"
            f" ({min(self.rates):,.0f}-{max(self.rates):,.0f})"
            f"   p99 {statistics.median(self.p99s) * 1e3:7.1f} ms"
            f" ({min(self.p99s) * 1e3:.1f}-{max(self.p99s) * 1e3:.1f})"
            f"   generator {statistics.median(self.cpus):.0%} of a core"
        )


Drive = Callable[[Side, int], load.Result]


def compare(title: str, sides: list[Side], drive: Drive, runs: int) -> dict[str, Rates]:
    """`drive(side, run)` for each side in turn, `runs` times after one warm-up each."""
    print(title, flush=True)
    found = {side.name: Rates([], [], []) for side in sides}
    for run in range(-1, runs):
        for side in sides:
            result = drive(side, run)
            if run >= 0:
                figures = found[side.name]
                figures.rates.append(result.rate)
                figures.p99s.append(result.quantile(0.99))
                figures.cpus.append(result.cpu / result.seconds)
    for name, figures in found.items():
        print(figures.line(name), flush=True)
    return found


def ratio(one: list[float], other: list[float]) -> str:
    """Median of the pairwise ratios, with their spread."""
    ratios = [a / b for a, b in zip(one, other, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
