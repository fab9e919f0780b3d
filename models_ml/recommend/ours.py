"""The recommender itself as a ranker of a played market: the product's own code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from models_ml.recommend.facts import Kinds, Row, facts_of, row_of
from models_ml.recommend.recommend import recommend
from models_ml.recommend.replay import LISTED, Question, micros
from models_ml.recommend.settings import ActKind, Settings
from models_ml.recommend.shelf import Asked, Shelf
from models_ml.recommend.simulation.play import Event, Played
from models_ml.recommend.taste import Act, Past, Taste, taste_of

WANTED: Final[Mapping[ActKind, float]] = {"bought": 3.0, "held": 2.0, "viewed": 1.0}
"""How much each act adds to a lead's popularity."""


class Ours:
    """Follows a play as the recommender follows a market; without vectors as if the embedder
    were away all the time."""

    def __init__(
        self,
        played: Played,
        settings: Settings,
        name: str = "recommender",
        *,
        has_vectors: bool = True,
    ) -> None:
        self.name = name
        self.settings = settings
        self.shelf = Shelf("simulated", Kinds(), played.homes.vectors.shape[1])
        self._homes = played.homes
        self._has_vectors = has_vectors
        self._kinds = Kinds()
        self.rows: list[Row] = [
            row_of(self._kinds, listing, int(price), 0)
            for listing, price in zip(played.homes.listings, played.homes.price, strict=True)
        ]
        self._acts: dict[int, list[Act]] = {}
        self._places = {lead_id: n for n, lead_id in enumerate(played.homes.lead_ids)}

    def observe(self, event: Event) -> None:
        lead_id, at = self._homes.lead_ids[event.home], micros(event.at)
        if event.kind == "listed":
            self.rows[event.home] = self.rows[event.home]._replace(listed_at=at)
            self.shelf.put(lead_id, self.rows[event.home])
            if self._has_vectors:
                self.shelf.put_vectors([lead_id], self._homes.vectors[[event.home]])
        elif event.kind == "gone":
            self.shelf.drop(lead_id)
        elif event.kind != "visit":
            self.shelf.want(lead_id, WANTED[event.kind], at)
            self._acts.setdefault(event.buyer, []).append(Act(lead_id, event.kind, at))

    def taste(self, buyer: int, at: float) -> Taste:
        acts = self._acts.get(buyer, [])
        places = [self._places[act.lead_id] for act in acts]
        facts = facts_of([self.rows[place] for place in places])
        vectors = self._homes.vectors[np.array(places, dtype=np.int64)]
        if not self._has_vectors:
            vectors = np.zeros_like(vectors)
        return taste_of(Past(acts, facts, vectors), micros(at), self.settings)

    def bought_by(self, buyer: int) -> frozenset[str]:
        acts = self._acts.get(buyer, [])
        return frozenset(act.lead_id for act in acts if act.kind == "bought")

    def lead_id(self, home: int) -> str:
        return self._homes.lead_ids[home]

    def top(self, question: Question) -> list[int]:
        picks = recommend(
            [self.shelf],
            self.taste(question.buyer, question.at),
            Asked(without=self.bought_by(question.buyer)),
            LISTED,
            micros(question.at),
            self.settings,
            seed=str(question.buyer),
        )
        return [self._places[pick.lead_id] for pick in picks]
