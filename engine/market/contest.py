"""One contest for the free seats of a lead: who claims, in what order, and what became of it."""

from __future__ import annotations

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Request
from engine.market.book import Book
from engine.market.claims import (
    ENTRIES_MAX,
    Claim,
    claim_id_of,
    commitment_of,
    draw_of,
    fill_order_id,
    ranked,
    seed_of,
)
from engine.market.lead import AVAILABLE
from engine.market.standing_orders import StandingOrder


class Contest:
    """Take claims, then read `claims` (best first), `decided` and carry them out in order."""

    def __init__(self, book: Book, lead_id: str, now: int) -> None:
        self._book = book
        self._lead_id = lead_id
        self._lead = book.leads[lead_id]
        self._now = now
        self._seed = seed_of(book.rules.secret, lead_id, self._lead.rounds)
        self._claims: list[Claim] = []
        self._ranked: list[Claim] | None = None

    def claim(self, account: Account, *, request: Request) -> None:
        kind = "buy" if isinstance(request.command, c.Buy) else "hold"
        self._claims.append(self._claim(account, kind)._replace(request=request))

    def claim_standing(self, account: Account, order: StandingOrder) -> None:
        """Of a standing order whose filter matches; one that may not buy now makes no claim."""
        if not self.failed_rules(account, order):
            claim = self._claim(account, "standing")
            self._claims.append(
                claim._replace(standing_order_id=order.standing_order_id, placed_at=order.placed_at)
            )

    def failed_rules(self, account: Account, order: StandingOrder) -> list[str]:
        """Why a matching standing order may not buy the lead at this moment."""
        lead, terms = self._lead, order.terms
        failed = []
        if lead.price > terms.price_max:
            failed.append("price")
        price = account.plan.discounted(lead.price)
        failed += order.failed_limits(price, self._now, self._book.rules.zone)
        if price > account.balance:
            failed.append("credits")
        seat = lead.taken.get(order.user_id) if lead.taken else None
        if seat is not None:
            failed.append("already_bought" if seat.order_id is not None else "already_held")
        elif self._book.has_bought_as_another(self._lead_id, order.user_id):
            failed.append("already_bought")
        if lead.state != AVAILABLE:
            failed.append("lead_state")
        return failed

    def _claim(self, account: Account, kind: str) -> Claim:
        claim_id = claim_id_of(account.user_id, self._lead_id)
        return Claim(
            account.user_id,
            kind,  # type: ignore[arg-type]
            account.plan.claim_priority,
            self._book.claims.wins(account.user_id, self._now),
            draw_of(self._seed, claim_id),
        )

    @property
    def claims(self) -> list[Claim]:
        if self._ranked is None:
            self._ranked = ranked(self._claims)
        return self._ranked

    def decided(self) -> e.ClaimsDecided | None:
        """The record of the contest; None if there were seats for all who claimed."""
        seats = self._lead.seats_left
        if len({claim.user_id for claim in self._claims}) <= seats:
            return None
        winners: set[str] = set()
        entries: list[e.ClaimEntry] = []
        for claim in self.claims:
            won = claim.user_id not in winners and len(winners) < seats
            if won:
                winners.add(claim.user_id)
            if len(entries) < ENTRIES_MAX:
                entries.append(self._entry(claim, "won" if won else "lost"))
        return e.ClaimsDecided(
            self._lead_id,
            self._lead.rounds,
            seats,
            self._seed,
            commitment_of(seed_of(self._book.rules.secret, self._lead_id, self._lead.rounds + 1)),
            tuple(entries),
        )

    def _entry(self, claim: Claim, result: str) -> e.ClaimEntry:
        return e.ClaimEntry(
            claim_id_of(claim.user_id, self._lead_id),
            claim.kind,
            claim.user_id,
            claim.priority,
            claim.wins,
            claim.draw,
            result,
            claim.standing_order_id,
        )

    def lost(self, refused: c.Refused) -> c.Refused:
        """The refusal of who came too late in the order, with where to check it."""
        if refused.code != "lead-unavailable":
            return refused
        return c.Refused(
            "lead-unavailable",
            f"{len(self.claims)} claims on this lead were decided together, and those before"
            f" yours took every seat; GET /v1/leads/{self._lead_id}/claims shows the order",
        )

    def fill(self, standing_order_id: str, account: Account) -> e.LeadSold | None:
        """The purchase of a standing order whose turn it is, if there is still a seat."""
        order = self._book.standing.orders[standing_order_id]
        if self.failed_rules(account, order):
            return None
        return e.LeadSold(
            self._lead_id,
            order.user_id,
            self._lead.free_seat(),
            account.plan.discounted(self._lead.price),
            fill_order_id(standing_order_id, self._lead_id),
            standing_order_id=standing_order_id,
        )
