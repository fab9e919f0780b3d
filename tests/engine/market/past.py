"""A market's past at random, made by the book itself: what its journal says afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Request
from engine.market.batch import decide_batch
from engine.market.book import Book
from engine.market.lead import AVAILABLE
from engine.market.lead_history import Entry, PricePoint
from engine.market.listing import Listing
from engine.market.plan import Plan
from engine.market.rules import Rules
from engine.market.standing_terms import Hours, StandingFilter, StandingTerms

ZONE = ZoneInfo("America/Chicago")
# Half an hour before a Sunday of 23 hours begins there.
START = 1_772_947_800_000_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
PLAN = Plan("pro", {"15m": 15 * MINUTE}, 15 * MINUTE, 1000, 10, standing_orders_max=100)
ME, OTHERS = "me", ("ann", "bob")
KINDS = ("Land", "Residential", None)


def random_listing(rng: random.Random) -> Listing:
    return Listing(
        property_type=rng.choice(KINDS),
        list_price=rng.choice((None, 100, 200, 300)),
        sources=tuple(rng.sample(("zillow", "redfin"), rng.randrange(3))),
        latitude=rng.choice((None, 30.0, 30.1)),
        longitude=-97.0,
    )


def random_terms(rng: random.Random) -> StandingTerms:
    def perhaps(value: Any) -> Any:
        return value if rng.random() < 0.4 else None

    near = perhaps((30.0, -97.0))
    return StandingTerms(
        name="x",
        price_max=rng.randrange(1, 20),
        filter=StandingFilter(
            near=near,
            radius_m=5_000 if near else None,
            property_type=rng.choice(((), ("Land",), ("Land", "Residential"))),
            source=rng.choice(((), ("zillow",))),
            list_price_max=perhaps(200),
            price_min=perhaps(rng.randrange(1, 8)),
        ),
        seats=rng.choice(("any", "any", "exclusive", "shared")),
        per_day=perhaps(rng.randrange(1, 4)),
        budget=perhaps(rng.randrange(5, 60)),
        hours=(Hours(rng.choice(((5, 6), (6,), (0, 6))), 0, rng.choice((60, 600, 1440))),)
        if rng.random() < 0.3
        else (),
    )


class Past:
    """Plays random commands; `entries` and `points` are the journal, `fills` what standing
    orders bought, which is not among the entries. `balance` is what everybody always has."""

    def __init__(
        self,
        rng: random.Random,
        *,
        seats: tuple[int, ...],
        traders: tuple[str, ...],
        balance: int = 10**9,
    ) -> None:
        self._balance = balance
        self._rng = rng
        self._seats = seats
        self._traders = traders
        window = rng.choice((0, 250_000, 40 * SECOND))
        self._book = Book(
            Rules(claim_window_us=window, offer_us=5 * MINUTE, zone=ZONE, secret=b"s")
        )
        self.now = START
        self.position = 0
        self._commands = 0
        self.journal: list[tuple[int, int, e.Event]] = []
        self.entries: dict[str, list[Entry]] = {}
        self.points: dict[str, list[PricePoint]] = {}
        self.ticks: list[tuple[int, int, list[tuple[str, int]]]] = []
        self.fills: list[tuple[int, e.LeadSold]] = []
        self.fill_entries: dict[str, list[Entry]] = {}
        self.lead_looked_at = ""

    def play(self, steps: int, *, pause: int = 0) -> None:
        """At least `pause` µs lie between two commands."""
        waits = (0, 0, 0, 1, SECOND, SECOND, 4 * MINUTE, 16 * MINUTE, 90 * MINUTE)
        for _ in range(steps):
            self._wait(pause + self._rng.choice(waits))
            self.send(self._command())

    def send(self, command: c.Command) -> None:
        self._commands += 1
        self._batch([Request(self._commands.to_bytes(16, "big"), command)])
        self._settle()

    def rest(self) -> None:
        """Let everything that is due come to its moment."""
        self._wait(60 * MINUTE)

    def _wait(self, micros: int) -> None:
        """As the book's shell does: whenever something is due, a batch of its own."""
        until = self.now + micros
        while True:
            due = [at for at in (self._book.next_deadline(), self._book.claims.next_at()) if at]
            if not due or min(due) > until:
                break
            self.now = max(self.now, min(due))
            self._batch([])
            self._settle()
        self.now = until

    def _settle(self) -> None:
        while self._book.deciding(self.now):
            self._batch([])

    def _batch(self, requests: list[Request]) -> None:
        book = self._book
        accounts = {user: Account(user, self._balance, PLAN) for user in (ME, *OTHERS)}
        outcome = decide_batch(
            book,
            requests,
            known={},
            accounts=accounts,
            now=self.now,
            position=self.position,
            feed_seq=0,
            candidates={id_: self._candidates(id_) for id_ in book.deciding(self.now)},
        )
        self.position = outcome.position
        for entry in outcome.entries:
            self._journal(entry.position, entry.event)

    def _candidates(self, lead_id: str) -> list[str]:
        lead = self._book.leads[lead_id]
        if lead.state != AVAILABLE:
            return []
        return self._book.standing.matching(self._listing(lead_id), lead)

    def _listing(self, lead_id: str) -> Listing:
        """The listing as the table of leads has it: the point stays what it was first."""
        said = [
            entry.event.listing
            for entry in self.entries[lead_id]
            if isinstance(entry.event, (e.LeadListed, e.LeadUpdated))
        ]
        latitude = next((each.latitude for each in said if each.latitude is not None), None)
        return Listing(
            property_type=said[-1].property_type,
            list_price=said[-1].list_price,
            sources=said[-1].sources,
            latitude=latitude,
            longitude=-97.0,
        )

    def _journal(self, position: int, event: e.Event) -> None:
        self.journal.append((position, self.now, event))
        if isinstance(event, e.LeadsRepriced):
            pairs = list(zip(event.lead_ids, event.prices, strict=True))
            self.ticks.append((position, self.now, pairs))
            for lead_id, price in pairs:
                points = self.points.setdefault(lead_id, [])
                points.append(PricePoint(position, self.now, price))
            return
        if isinstance(event, e.LeadSold) and event.standing_order_id is not None:
            self.fills.append((self.now, event))
            self.fill_entries.setdefault(event.lead_id, []).append(Entry(position, self.now, event))
            return
        price = None
        if isinstance(event, (e.LeadRelisted, e.LeadApproved)):
            price = self._book.leads[event.lead_id].price
        entries = self.entries.setdefault(event.lead_id, [])
        entries.append(Entry(position, self.now, event, price))

    def with_fills(self, lead_id: str) -> list[Entry]:
        """All entries of a lead, with what standing orders bought."""
        return sorted([*self.entries[lead_id], *self.fill_entries.get(lead_id, [])])

    def leads(self) -> Iterator[str]:
        return iter(self._book.leads)

    def _command(self) -> c.Command:
        rng, leads = self._rng, list(self._book.leads)
        if not leads or rng.random() < 0.2:
            lead_id = f"lead-{len(leads)}"
            price, seats = rng.randrange(1, 25), rng.choice(self._seats)
            return c.ListLead(lead_id, price, seats, random_listing(rng))
        lead_id, user_id = rng.choice(leads), rng.choice(self._traders)
        if rng.random() < 0.3:
            some = rng.sample(leads, rng.randrange(1, len(leads) + 1))
            return c.Reprice(tuple(some), tuple(rng.randrange(1, 25) for _ in some), "test")
        trades = (
            c.Hold(lead_id, user_id, "15m"),
            c.Release(lead_id, user_id),
            c.Buy(lead_id, user_id, f"order-{self._commands}"),
            c.Join(lead_id, user_id),
            c.Leave(lead_id, user_id),
        )
        return rng.choice(
            (
                *trades,
                *trades[:1] * 4,
                *trades[3:4] * 2,
                c.UpdateLead(lead_id, random_listing(rng)),
                c.Withdraw(lead_id, "test"),
                c.Relist(lead_id),
                c.Quarantine(lead_id, "test"),
                c.Approve(lead_id),
            )
        )
