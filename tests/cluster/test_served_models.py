"""What callers get of a served model, put together from its answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from actors.models import Scored


class EachByAnother:
    """Answers every call by another version, with thresholds of its own."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def call(self, method: str, *arguments: Any, seconds: float | None = None) -> Any:
        lead_ids, rows, advertisers = arguments
        assert (method, len(rows)) == ("score", len(lead_ids))
        self.asked.append(len(lead_ids))
        version = len(self.asked)
        known = {place: [advertisers[place]] for place in advertisers}
        return Scored(
            [version] * len(lead_ids),
            [0.1 * version] * len(lead_ids),
            [known.get(place, []) for place in range(len(lead_ids))],
            {version: (0.2 * version, 0.3 * version)},
        )


async def test_many_leads_go_in_parts_and_nothing_of_any_answer_is_lost(
    ray_cluster: None,
) -> None:
    # With it comes Ray, which reads its environment once.
    from actors.served_models import ROWS_MAX, ServedFraudScorer

    app = EachByAnother()
    count = ROWS_MAX + 3
    lead_ids = [f"lead {number}" for number in range(count)]
    advertisers: dict[int, Any] = {1: "one", ROWS_MAX + 2: "two"}
    found = await ServedFraudScorer(app).score(  # type: ignore[arg-type]
        lead_ids, np.zeros((count, 4)), advertisers
    )
    assert app.asked == [ROWS_MAX, 3]
    assert found.versions == [1] * ROWS_MAX + [2] * 3
    assert found.probabilities == [0.1] * ROWS_MAX + [0.2] * 3
    assert {n: why for n, why in enumerate(found.reasons) if why} == {
        1: ["one"],
        ROWS_MAX + 2: ["two"],
    }
    # A model's own thresholds go with its scores, or leads are judged by the usual ones.
    assert found.thresholds == {1: (0.2, 0.3), 2: (0.4, 0.6)}
