"""Decisions out of a journal: which lead, at which price, and what it said then."""

from __future__ import annotations

import math

import msgspec

from engine.intake.offer import starting_price
from engine.market import events as e
from engine.market.listing import Listing, QualityParts
from engine.market.pricing.considering import PATIENCE_US, Signal
from engine.market.pricing.experiment import market_prices, plan_of
from engine.market.pricing.parts import HOUR_US
from engine.market.pricing.trust import DAY_US
from models_ml.value.recorded_decisions import RecordedDecisions, Row
from models_ml.value.trials_table import of_rows

NOW = 20_000 * DAY_US
LISTING = Listing(
    list_price=300_000,
    quality=0.7,
    property_type="Residential",
    quality_parts=QualityParts(completeness=0.75, contactability=0.5),
)


class Journal:
    """Folds entries as a reader does."""

    def __init__(self) -> None:
        self.prices = market_prices(plan_of("fixed@1", ""))
        self.recorded = RecordedDecisions(self.prices)
        self.prices.accounts.know(dict.fromkeys(("ann", "bob"), NOW - 100 * DAY_US))
        for user in ("ann", "bob"):
            for _ in range(3):
                self.prices.accounts.paid(user)

    def tell(self, event: e.Event, at: int = NOW) -> None:
        self.recorded.before(event)
        self.prices.apply(event, at)

    def see(self, user_id: str, at: int, kind: str = "view") -> None:
        self.prices.observe([Signal(kind, "lead", user_id, at)])  # type: ignore[arg-type]

    def decided(self, now: int) -> list[Row]:
        self.prices.learn(now)
        return self.recorded.take()


def listed(price: int = 40) -> Journal:
    journal = Journal()
    journal.tell(e.LeadListed("lead", price, 3, LISTING))
    return journal


def test_who_buys_and_who_only_looks() -> None:
    journal = listed()
    journal.see("ann", NOW + 1)
    journal.see("bob", NOW + 2)
    journal.tell(e.LeadsRepriced("lead", ("lead",), (44,), "test"), NOW + 3)
    journal.tell(e.LeadSold("lead", "ann", 1, 44, "o"), NOW + 4)
    rows = journal.decided(NOW + 2 * PATIENCE_US)
    assert [(row["bought"], row["price"]) for row in rows] == [(1, 40), (0, 40)]
    assert rows[0]["lead"] == "lead"
    assert rows[0]["table"] == starting_price(LISTING, 3)
    assert (rows[0]["completeness"], rows[0]["contactability"]) == (0.75, 0.5)
    assert rows[0]["agreement"] is None
    assert rows[0]["weight"] > 0
    assert journal.decided(NOW + 3 * PATIENCE_US) == []
    assert len(of_rows(rows).price) == 2
    assert not {"ann", "bob"} & {str(value) for row in rows for value in row.values()}


def test_bought_before_the_look_was_told_of_at_the_price_of_then() -> None:
    journal = listed()
    journal.tell(e.LeadsRepriced("lead", ("lead",), (31,), "test"), NOW + 1)
    journal.tell(e.LeadSold("lead", "ann", 1, 31, "o"), NOW + 2)
    journal.tell(e.LeadsRepriced("lead", ("lead",), (44,), "test"), NOW + 3)
    journal.see("ann", NOW + 1)
    (row,) = journal.decided(NOW + 4)
    assert (row["bought"], row["price"]) == (1, 31)


def test_a_look_after_an_impression_counts_at_its_own_price() -> None:
    journal = listed()
    journal.see("ann", NOW + 1, "impression")
    journal.tell(e.LeadsRepriced("lead", ("lead",), (31,), "test"), NOW + 2)
    journal.see("ann", NOW + 3)
    (row,) = journal.decided(NOW + 2 * PATIENCE_US)
    assert (row["bought"], row["price"]) == (0, 31)


def test_a_hold_let_go_is_a_no() -> None:
    journal = listed()
    journal.tell(e.LeadHeld("lead", "ann", 1, 40, "15m", NOW, NOW + HOUR_US, HOUR_US), NOW + 1)
    journal.tell(e.LeadReleased("lead", "ann", "released"), NOW + 2)
    (row,) = journal.decided(NOW + 3)
    assert row["bought"] == 0


def test_what_is_decided_late_or_by_a_stranger_is_left_out() -> None:
    journal = listed()
    journal.see("ann", NOW + 30 * HOUR_US)
    journal.see("stranger", NOW + 1)
    assert journal.decided(NOW + 40 * HOUR_US) == []


def test_a_lead_that_goes_leaves_nothing_behind() -> None:
    journal = listed()
    journal.see("ann", NOW + 1)
    journal.tell(e.LeadWithdrawn("lead", "gone"), NOW + 2)
    assert journal.decided(NOW + 2 * PATIENCE_US) == []


def test_features_are_those_of_then() -> None:
    journal = listed()
    better = QualityParts(completeness=0.95, contactability=1.0)
    journal.see("ann", NOW + 1)
    journal.tell(e.LeadUpdated("lead", msgspec.structs.replace(LISTING, quality_parts=better)))
    journal.tell(e.LeadSold("lead", "ann", 1, 40, "o"), NOW + 2)
    journal.see("ann", NOW + 1)
    (row,) = journal.decided(NOW + 3)
    assert row["completeness"] == 0.95


def test_homes_near_by_are_compared_with() -> None:
    journal = Journal()
    place = {"latitude": 30.27, "longitude": -97.74, "bedrooms_total": 3, "living_area": 1_500}
    home = msgspec.structs.replace(LISTING, **place)
    for number in range(6):
        journal.tell(e.LeadListed(f"n{number}", 40, 3, home))
    fraud = msgspec.structs.replace(home, list_price=1, fraud_flag=True)
    journal.tell(e.LeadListed("fraud", 40, 3, fraud))
    journal.tell(e.LeadListed("lead", 40, 3, home))
    journal.tell(e.LeadSold("lead", "ann", 1, 40, "o"), NOW + 2)
    journal.see("ann", NOW + 1)
    (row,) = journal.decided(NOW + 3)
    assert row["price_to_comparables"] == 0.0
    assert row["comparables_log"] == round(math.log(7), 6)
