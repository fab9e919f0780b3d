"""The book of a simulated market, with who trades in it and who prices it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Answer, Request
from engine.market.batch import decide_batch
from engine.market.book import Book
from engine.market.outcome import Outcome
from engine.market.plan import load_plans
from engine.market.pricing.considering import Signal, SignalKind
from models_ml.pricing.simulation.pricers import HOUR_US, Pricer, Tick
from models_ml.pricing.simulation.record import Record
from models_ml.pricing.simulation.world import World

OPENED_AT = 1_800_000_000_000_000
# More than any buyer spends; what they can afford is in their valuations.
CREDITS = 10**9
_NO_PARTS: Mapping[str, bytes] = {}


class Desk:
    """Decides commands as a market's flush does, and tells pricer and record of every event.

    Read `book`, `accounts` and `record`; `awaited` counts the standing orders that wait for each
    lead, and is kept by who places them.
    """

    def __init__(self, world: World, pricer: Pricer) -> None:
        self.book = Book()
        self.record = Record(world)
        self.awaited: Counter[str] = Counter()
        self._plan = load_plans()["basic"]
        self._pricer = pricer
        self._listings = world.leads.listings
        self._number = {lead_id: number for number, lead_id in enumerate(world.leads.ids)}
        self._signals: list[Signal] = []
        self._position = self._feed_seq = self._asked = 0
        ids = world.accounts.ids
        self.accounts = {id_: Account(id_, CREDITS, self._plan) for id_ in ids}
        created = (OPENED_AT + int(hours * HOUR_US) for hours in world.accounts.created.tolist())
        pricer.know(dict(zip(ids, created, strict=True)))
        pricer.credit(dict(zip(ids, world.accounts.bought.tolist(), strict=True)))

    def enrol(self, user_id: str, created_at: int) -> None:
        """An account beyond those of the world's buyers, made at `created_at` µs."""
        self.accounts[user_id] = Account(user_id, CREDITS, self._plan)
        self._pricer.know({user_id: created_at})

    def see(self, kind: SignalKind, lead_id: str, user_id: str, now: int) -> None:
        """Somebody sees a lead."""
        self._signals.append(Signal(kind, lead_id, user_id, now))

    def tell_signals(self) -> None:
        """Hand over to the pricer what was seen."""
        self._pricer.observe(self._signals)
        self._signals = []

    def reprice(self, tick: Tick, now: int) -> None:
        command = c.Reprice(tick.lead_ids, tick.prices, tick.reason, tick.previous, tick.parts)
        self._ask([command], now, dict(zip(tick.lead_ids, tick.parts, strict=False)))

    def ask(self, commands: Sequence[c.Command], now: int) -> list[Answer]:
        """Decide commands at `now` (µs), then what rests on the leads they moved."""
        return self._ask(commands, now, _NO_PARTS).replies

    def _ask(self, commands: Sequence[c.Command], now: int, parts: Mapping[str, bytes]) -> Outcome:
        requests = []
        for command in commands:
            self._asked += 1
            requests.append(Request(self._asked.to_bytes(16, "big"), command))
        outcome = self._decide(requests, now, {}, parts)
        while deciding := self.book.deciding(now):
            candidates = self._candidates(deciding)
            if candidates:
                self._decide([], now, candidates, _NO_PARTS)
        return outcome

    def _candidates(self, lead_ids: Sequence[str]) -> dict[str, list[str]]:
        """The standing orders that ask for each of these leads. One whose price has moved and
        that nobody waits for needs no decision."""
        book = self.book
        found: dict[str, list[str]] = {}
        for lead_id in lead_ids:
            lead = book.leads[lead_id]
            if self.awaited[lead_id]:
                listing = self._listings[self._number[lead_id]]
                found[lead_id] = book.standing.matching(listing, lead)
            elif lead.decide_at:
                found[lead_id] = []
            else:
                book.claims.done(lead_id)
        return found

    def _decide(
        self,
        requests: Sequence[Request],
        now: int,
        candidates: Mapping[str, Sequence[str]],
        parts: Mapping[str, bytes],
    ) -> Outcome:
        outcome = decide_batch(
            self.book,
            requests,
            known={},
            accounts=self.accounts,
            now=now,
            position=self._position,
            feed_seq=self._feed_seq,
            candidates=candidates,
        )
        self._position, self._feed_seq = outcome.position, outcome.feed_seq
        if self._signals and outcome.entries:
            # Looks come before what they lead to.
            self.tell_signals()
        for entry in outcome.entries:
            event = entry.event
            made: list[bytes] = []
            if isinstance(event, e.LeadsRepriced) and parts:
                made = [parts[lead_id] for lead_id in event.lead_ids]
            self._pricer.apply(event, now, made)
            self.record.see(event, now, self._number)
        return outcome
