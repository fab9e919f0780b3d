"""Contests as anyone could check them from the journal, and as the naive market decides them."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from engine.market import events as e
from engine.market.outcome import Entry
from tests.engine.market.naive_claims import Ranked, Round, claim_id_of, order_id_of, sha
from tests.engine.market.naive_standing import local

if TYPE_CHECKING:
    from tests.engine.market.trading_floor import TradingFloor


class ContestAudit:
    """`commitments` are the last ones told of each lead; what standing orders have bought is
    counted here once more, from the journal alone."""

    def __init__(self, floor: TradingFloor) -> None:
        self.floor = floor
        self.commitments: dict[str, str] = {}
        self.spent: Counter[str] = Counter()
        self.bought_on: Counter[tuple[str, date]] = Counter()

    def commit(self, lead_id: str, commitment: str) -> None:
        """A lead is on offer anew. What was committed to before stays so: no second try."""
        if commitment:
            known = self.commitments.setdefault(lead_id, commitment)
            assert commitment == known, "another seed than the one committed to"

    def audit(self, rounds: list[tuple[str, Round]], entries: list[Entry]) -> None:
        """`rounds` are the naive market's, in order of deciding."""
        events = [entry.event for entry in entries]
        records = [event for event in events if isinstance(event, e.ClaimsDecided)]
        contests = [(lead_id, each) for lead_id, each in rounds if each.is_contest]
        assert [record.lead_id for record in records] == [lead_id for lead_id, _ in contests]
        for record, (_, contest) in zip(records, contests, strict=True):
            self._audit_decision(record, contest)
        sales = [event for event in events if isinstance(event, e.LeadSold)]
        fills = [sale for sale in sales if sale.standing_order_id is not None]
        assert [(fill.standing_order_id, fill.lead_id, fill.price) for fill in fills] == [
            (id_, lead_id, price) for lead_id, each in rounds for id_, price in each.fills.items()
        ]
        for fill in fills:
            self._audit_fill(fill)

    def _audit_fill(self, fill: e.LeadSold) -> None:
        """No cap was passed, whatever the naive market thinks."""
        assert fill.standing_order_id is not None
        id_, terms = fill.standing_order_id, self.floor.naive.orders[fill.standing_order_id].terms
        assert fill.order_id == order_id_of(id_, fill.lead_id)
        today = local(self.floor.now, self.floor.rules.zone).date()
        self.spent[id_] += fill.price
        self.bought_on[id_, today] += 1
        assert self.floor.naive.leads[fill.lead_id].price <= terms.price_max
        assert terms.budget is None or self.spent[id_] <= terms.budget, "beyond its budget"
        assert terms.per_day is None or self.bought_on[id_, today] <= terms.per_day, "too many"

    def read(self, record: e.ClaimsDecided) -> None:
        """What whoever knows the journal alone can check."""
        assert sha(record.seed) == self.commitments.get(record.lead_id), "not the seed committed to"
        self.commitments[record.lead_id] = record.next_commitment
        for entry in record.entries:
            assert entry.claim_id == claim_id_of(entry.user_id, record.lead_id)
            assert entry.draw == sha(f"{record.seed}:{entry.claim_id}")
        ranks = [(-entry.priority, entry.wins, entry.draw) for entry in record.entries]
        assert ranks == sorted(ranks), "not in the order that the rule says"
        winners = [entry.user_id for entry in record.entries if entry.result == "won"]
        assert len(set(winners)) == len(winners) == record.seats
        first = list(dict.fromkeys(entry.user_id for entry in record.entries))
        assert winners == first[: record.seats], "a seat for one who came later"

    def _audit_decision(self, record: e.ClaimsDecided, contest: Round) -> None:
        assert (record.round, record.seats) == (contest.round, contest.seats)
        assert (record.seed, record.next_commitment) == (contest.seed, contest.next_commitment)
        assert [
            (each.user_id, each.kind, each.priority, each.wins, each.draw, each.standing_order_id)
            for each in record.entries
        ] == [_facts(each) for each in contest.ranked]
        granted = {each.user_id for each in contest.ranked if each.is_granted}
        assert granted == {each.user_id for each in record.entries if each.result == "won"}


def _facts(each: Ranked) -> tuple[str, str, int, int, str, str | None]:
    return (
        each.user_id, each.kind, each.priority, each.wins, each.draw, each.standing_order_id
    )  # fmt: skip
