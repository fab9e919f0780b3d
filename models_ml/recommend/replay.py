"""A played market shown to rankers, as it happened: what each would have recommended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models_ml.recommend.simulation.play import DAY_US, Event, Played

LISTED: Final = 20
"""How long the lists are that are judged."""


class Question(NamedTuple):
    """A buyer comes at `at` (days); `allowed` are the homes on offer that are not his yet."""

    buyer: int
    at: float
    allowed: NDArray[np.int64]


class Ranker(Protocol):
    name: str

    def observe(self, event: Event) -> None:
        """What happened next."""
        ...

    def top(self, question: Question) -> Sequence[int]:
        """At most LISTED homes, best first."""
        ...


class Judged(NamedTuple):
    """One purchase: the list before it, and where the bought home was in it; -1 if nowhere.
    `acts` are those of the buyer before."""

    buyer: int
    at: float
    home: int
    allowed: list[int]
    acts: int
    tops: dict[str, list[int]]
    places: dict[str, int]


def replay(played: Played, rankers: Sequence[Ranker], since: float) -> list[Judged]:
    """Every purchase from `since` (days) on, judged by lists made when its visit began."""
    on_offer = np.zeros(len(played.homes.lead_ids), dtype=np.bool_)
    bought: dict[int, set[int]] = {}
    acts: dict[int, int] = {}
    found = []
    for event in played.events:
        if event.kind == "visit":
            if event.at >= since:
                allowed = on_offer.copy()
                allowed[list(bought.get(event.buyer, ()))] = False
                question = Question(event.buyer, event.at, np.flatnonzero(allowed))
                found.append(_judged(event, question, rankers, acts.get(event.buyer, 0)))
            continue
        if event.kind in ("listed", "gone"):
            on_offer[event.home] = event.kind == "listed"
        else:
            acts[event.buyer] = acts.get(event.buyer, 0) + 1
        if event.kind == "bought":
            bought.setdefault(event.buyer, set()).add(event.home)
        for ranker in rankers:
            ranker.observe(event)
    return found


def micros(days: float) -> int:
    """Days of the play as µs since the epoch: it begins on a day long past 1970."""
    return round((20_000 + days) * DAY_US)


def _judged(event: Event, question: Question, rankers: Sequence[Ranker], acts: int) -> Judged:
    tops = {ranker.name: [int(home) for home in ranker.top(question)] for ranker in rankers}
    places = {
        name: top.index(event.home) if event.home in top else -1 for name, top in tops.items()
    }
    allowed = [int(home) for home in question.allowed]
    return Judged(event.buyer, event.at, event.home, allowed, acts, tops, places)
