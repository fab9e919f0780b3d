"""Finds, for leads whose turn it is, the standing orders that are to be heard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.market.account import Account
from engine.market.book import Book
from engine.market.contest import Contest
from engine.market.lead import AVAILABLE, HELD
from engine.market.listing import Listing
from engine.market.plan import Plan
from engine.ports import BookStorage, Standing

# Of one lead's standing orders as many are heard as there are seats, and a few more in case
# some can't pay after all; the others only if there is a seat left after them. Each that is
# heard has its wallet locked and stands in the contest's record.
SPARE = 5
# Facts of leads kept so that a tick of prices reads none again: about 60 MB.
FACTS_MAX = 100_000


class Found(NamedTuple):
    """Standing orders to be heard by lead, and the leads that more of them ask for."""

    heard: dict[str, list[str]]
    cut: list[str]


class Matcher:
    """One book's look-up of what rests on a lead. It reads, and locks nothing."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self._plans = plans
        self._facts: dict[str, Listing] = {}

    def forget(self, lead_ids: Iterable[str]) -> None:
        """Something new is said of these leads."""
        for lead_id in lead_ids:
            self._facts.pop(lead_id, None)

    async def find(
        self, store: BookStorage, book: Book, lead_ids: Sequence[str], now: int
    ) -> Found:
        """Every lead of `lead_ids` with the standing orders that ask for it and, as far as is
        known before the locks, may buy it at `now` (µs); best first."""
        found = Found({lead_id: [] for lead_id in lead_ids}, [])
        # A hold that ends now may give a held lead back before it is decided.
        deadline = book.next_deadline()
        states = {AVAILABLE, HELD} if deadline is not None and deadline <= now else {AVAILABLE}
        open_ids = [lead_id for lead_id in lead_ids if book.leads[lead_id].state in states]
        if not book.standing or not open_ids:
            return found
        facts = await self._facts_of(store, open_ids)
        matching = {
            lead_id: book.standing.matching(facts[lead_id], book.leads[lead_id])
            for lead_id in open_ids
            if lead_id in facts
        }
        await _keep_those_saying(store, book, matching)
        owners = {
            book.standing.orders[order_id].user_id
            for order_ids in matching.values()
            for order_id in order_ids
        }
        if not owners:
            return found
        standings = await store.standings(list(owners), self._plans)
        for lead_id, order_ids in matching.items():
            best = _best(book, lead_id, order_ids, standings, now)
            heard = book.leads[lead_id].seats_left + SPARE
            found.heard[lead_id] = best[:heard]
            if len(best) > heard:
                found.cut.append(lead_id)
        return found

    async def _facts_of(self, store: BookStorage, lead_ids: Sequence[str]) -> dict[str, Listing]:
        unknown = [lead_id for lead_id in lead_ids if lead_id not in self._facts]
        if unknown:
            if len(self._facts) + len(unknown) > FACTS_MAX:
                self._facts.clear()
                unknown = list(lead_ids)
            self._facts.update(await store.facts(unknown))
        return self._facts


async def _keep_those_saying(
    store: BookStorage, book: Book, matching: dict[str, list[str]]
) -> None:
    """Leave out orders that ask for words a lead's text does not have."""
    asked = {
        (lead_id, order_id): text
        for lead_id, order_ids in matching.items()
        for order_id, text in book.standing.with_text(order_ids)
    }
    if not asked:
        return
    pairs = {(lead_id, text) for (lead_id, _), text in asked.items()}
    saying = await store.saying(sorted(pairs))
    for lead_id, order_ids in matching.items():
        order_ids[:] = [
            order_id
            for order_id in order_ids
            if (text := asked.get((lead_id, order_id))) is None or (lead_id, text) in saying
        ]


def _best(
    book: Book,
    lead_id: str,
    order_ids: Iterable[str],
    standings: Mapping[str, Standing],
    now: int,
) -> list[str]:
    contest = Contest(book, lead_id, now)
    for order_id in order_ids:
        order = book.standing.orders[order_id]
        standing = standings.get(order.user_id)
        if standing is not None:
            account = Account(order.user_id, standing.balance, standing.plan)
            contest.claim_standing(account, order)
    return [claim.standing_order_id for claim in contest.claims if claim.standing_order_id]
