"""A simulated market on the real book: what buyers do in it, hour by hour, to their draws.

Leads come in on the hour, as sources are read; then prices tick, then an hour of buyers follows.
"""

from __future__ import annotations

import heapq

import numpy as np

from engine.market import commands as c
from engine.market.answers import Held
from engine.market.lead import AVAILABLE
from engine.market.standing_terms import StandingFilter, StandingTerms
from models_ml.pricing.simulation.desk import OPENED_AT, Desk
from models_ml.pricing.simulation.pricers import HOUR_US, Pricer
from models_ml.pricing.simulation.record import Record
from models_ml.pricing.simulation.schemers import Acting, HearsOfSchemes, Schemers
from models_ml.pricing.simulation.world import World

_MINUTE_US = 60_000_000
_HOLD = "15m"
_HOLD_MINUTES = 15
# A standing order waits so long for its one lead.
_STANDING_US = 6 * HOUR_US
# A box around one place, degrees.
_AROUND = 1e-7

_ARRIVAL, _LEAVE, _CUT, _BOT = range(4)
# What is done later: (when, number, kind, lead, account, price or order id).
_CHECK_OUT, _GIVE_BACK, _CANCEL = "check out", "give back", "cancel"


class Floor:
    """One run of one pricer in one world. `run` once, then read `desk`.

    `acting` is what colluding accounts do, if the world has any.
    """

    def __init__(self, world: World, pricer: Pricer, *, acting: Acting = "market") -> None:
        self.world = world
        self.pricer = pricer
        self.desk = Desk(world, pricer)
        self._later_number = 0
        self._later: list[tuple[int, int, str, int, int, str]] = []
        self._rng = np.random.default_rng(world.prices_seed)
        self._values = world.valuations().tolist()
        self._rivals = self._rival_prices()
        self._on_offer: dict[object, list[int]] = {}
        has_schemers = world.terms.collusion is not None
        self._schemers = Schemers(world, self.desk, acting) if has_schemers else None

    def _rival_prices(self) -> list[float] | None:
        """What each arrival pays elsewhere; beyond reach for who does not compare."""
        world, rival = self.world, self.world.terms.rival
        if rival is None or world.weather.rival is None:
            return None
        arrivals = world.arrivals
        at = world.weather.rival[arrivals.at.astype(np.int64)]
        prices = world.levels(arrivals.lead, arrivals.at) * np.exp(at)
        found: list[float] = np.where(arrivals.other < rival.share, prices, np.inf).tolist()
        return found

    # --- time ------------------------------------------------------------------------

    def run(self) -> Record:
        world, leads = self.world, self.world.leads
        happenings = self._happenings()
        place, listed = 0, 0
        for hour in range(world.terms.hours):
            now = OPENED_AT + hour * HOUR_US
            self._catch_up(now)
            first = listed
            while listed < leads.size and leads.listed[listed] == hour:
                listed += 1
            self._list(range(first, listed), now)
            if self._schemers is not None:
                shadow = self.pricer if isinstance(self.pricer, HearsOfSchemes) else None
                self._schemers.act(hour, now, shadow)
            self._tick(hour, now)
            while place < len(happenings) and happenings[place][0] < hour + 1:
                at, kind, which = happenings[place]
                place += 1
                moment = OPENED_AT + int(at * HOUR_US)
                self._catch_up(moment)
                self._happen(kind, which, moment)
        # What somebody had put off until after the last hour.
        self._catch_up(OPENED_AT + world.terms.hours * HOUR_US + _STANDING_US)
        return self.desk.record

    def _happenings(self) -> list[tuple[float, int, int]]:
        """Everything that comes by itself, in order of time."""
        world, leads = self.world, self.world.leads
        cut = np.flatnonzero(leads.cut < leads.left)
        sources = [
            (world.arrivals.at, _ARRIVAL, np.arange(world.arrivals.size)),
            (leads.left, _LEAVE, np.arange(leads.size)),
            (leads.cut[cut], _CUT, cut),
        ]
        if world.bots is not None:
            sources.append((world.bots.at, _BOT, np.arange(len(world.bots.at))))
        at = np.concatenate([times for times, _, _ in sources])
        kind = np.concatenate([np.full(len(times), kind) for times, kind, _ in sources])
        which = np.concatenate([rows for _, _, rows in sources])
        order = np.argsort(at, kind="stable")
        return list(
            zip(at[order].tolist(), kind[order].tolist(), which[order].tolist(), strict=True)
        )

    def _happen(self, kind: int, which: int, now: int) -> None:
        if kind == _ARRIVAL:
            self._arrive(which, now)
        elif kind == _LEAVE:
            self._leave(which, now)
        elif kind == _CUT:
            self._cut(which, now)
        else:
            self._bot(which, now)

    # --- leads -----------------------------------------------------------------------

    def _list(self, numbers: range, now: int) -> None:
        leads = self.world.leads
        commands = []
        for number in numbers:
            id_, listing = leads.ids[number], leads.listings[number]
            seats = int(leads.seats[number])
            commands.append(c.ListLead(id_, int(leads.prices[number]), seats, listing))
            self._on_offer.setdefault(leads.segments[number], []).append(number)
        if commands:
            self.desk.ask(commands, now)
            self.pricer.value(
                [leads.ids[number] for number in numbers],
                [int(leads.seen[number]) for number in numbers],
            )

    def _leave(self, number: int, now: int) -> None:
        """The source shows the home no more."""
        leads = self.world.leads
        self._on_offer[leads.segments[number]].remove(number)
        if self.desk.book.leads[leads.ids[number]].state != "sold":
            self.desk.ask([c.Withdraw(leads.ids[number], "gone")], now)

    def _cut(self, number: int, now: int) -> None:
        """The list price is cut, and the lead is worth so much less."""
        leads = self.world.leads
        if self.desk.book.leads[leads.ids[number]].state == "sold":
            return
        self.desk.ask([c.UpdateLead(leads.ids[number], leads.listings[number])], now)
        seen = leads.seen[number] * np.exp(-self.world.terms.churn.cut)
        self.pricer.value([leads.ids[number]], [round(float(seen))])

    def _tick(self, hour: int, now: int) -> None:
        self.desk.tell_signals()
        for tick in self.pricer.propose(now, self._rng):
            self.desk.reprice(tick, now)
        self.desk.record.tick(hour)

    # --- buyers ----------------------------------------------------------------------

    def _arrive(self, which: int, now: int) -> None:
        world, arrivals = self.world, self.world.arrivals
        number, account = int(arrivals.lead[which]), int(arrivals.account[which])
        lead_id, user_id = world.leads.ids[number], world.accounts.ids[account]
        self._look_around(number, user_id, which, now)
        lead = self.desk.book.leads[lead_id]
        if lead.state != AVAILABLE:
            return
        self.desk.record.seen += 1
        self.desk.see("view", lead_id, user_id, now)
        terms, price, manner = world.terms, lead.price, float(arrivals.manner[which])
        wait = now + int(float(arrivals.patience[which]) * _HOLD_MINUTES * _MINUTE_US)
        if price <= self._values[which]:
            if self._rivals is not None and self._rivals[which] < price:
                self.desk.record.lost_to_rival += 1
            elif manner < terms.held_share:
                if self._hold(lead_id, user_id, now):
                    self._do_later(wait, _CHECK_OUT, number, account, str(which))
            else:
                self.desk.ask([c.Buy(lead_id, user_id, f"order-{which}", price)], now)
        elif manner < terms.idle_hold_share:
            if self._hold(lead_id, user_id, now) and manner < terms.idle_hold_share / 2:
                self._do_later(wait, _GIVE_BACK, number, account, "")
        elif manner < terms.idle_hold_share + terms.standing_share:
            self._rest(number, account, which, now)

    def _look_around(self, number: int, user_id: str, which: int, now: int) -> None:
        """The search answer through which the lead was found shows others of its segment."""
        leads = self.world.leads
        others = self._on_offer[leads.segments[number]]
        start = int(float(self.world.arrivals.other[which]) * len(others))
        for step in range(min(self.world.terms.impressions, len(others) - 1)):
            shown = others[(start + step) % len(others)]
            if shown != number:
                self.desk.see("impression", leads.ids[shown], user_id, now)

    def _hold(self, lead_id: str, user_id: str, now: int) -> bool:
        (reply,) = self.desk.ask([c.Hold(lead_id, user_id, _HOLD)], now)
        return isinstance(reply, Held)

    def _rest(self, number: int, account: int, which: int, now: int) -> None:
        """Who would not pay the price asks to have this lead for what they would pay."""
        listing, order_id = self.world.leads.listings[number], f"standing-{which}"
        top = int(self._values[which])
        if top < 1 or listing.latitude is None or listing.longitude is None:
            return
        x, y = listing.longitude, listing.latitude
        box = (x - _AROUND, y - _AROUND, x + _AROUND, y + _AROUND)
        filter_ = StandingFilter(
            bbox=box, list_price_min=listing.list_price, list_price_max=listing.list_price
        )
        terms = StandingTerms(name="this one", price_max=top, filter=filter_, per_day=1)
        user_id = self.world.accounts.ids[account]
        (placed,) = self.desk.ask([c.PlaceStanding(order_id, user_id, terms)], now)
        if not isinstance(placed, c.Refused):
            self.desk.awaited[self.world.leads.ids[number]] += 1
            self._do_later(now + _STANDING_US, _CANCEL, number, account, order_id)

    def _bot(self, which: int, now: int) -> None:
        bots = self.world.bots
        assert bots is not None
        lead_id = self.world.leads.ids[int(bots.lead[which])]
        user_id = f"bot-{int(bots.account[which])}"
        created = OPENED_AT + int(float(bots.created[which]) * HOUR_US)
        self.pricer.know({user_id: created})
        self.desk.see("view", lead_id, user_id, now)

    # --- later -----------------------------------------------------------------------

    def _do_later(self, at: int, kind: str, number: int, account: int, detail: str) -> None:
        self._later_number += 1
        heapq.heappush(self._later, (at, self._later_number, kind, number, account, detail))

    def _catch_up(self, now: int) -> None:
        """What was put off until `now`, and deadlines that have come."""
        while self._later and self._later[0][0] <= now:
            at, _, kind, number, account, detail = heapq.heappop(self._later)
            lead_id = self.world.leads.ids[number]
            user_id = self.world.accounts.ids[account]
            if kind == _CHECK_OUT:
                # A hold may have ended with its lead; the book says so then.
                self.desk.ask([c.Buy(lead_id, user_id, f"order-{detail}", from_cart=True)], at)
            elif kind == _GIVE_BACK:
                self.desk.ask([c.Release(lead_id, user_id)], at)
            else:
                self.desk.awaited[lead_id] -= 1
                self.desk.ask([c.CancelStanding(detail, user_id)], at)
        deadline = self.desk.book.next_deadline()
        if deadline is not None and deadline <= now:
            self.desk.ask([], now)
