"""What the intake and the operators ask of a book: listing, merging, withdrawing, repricing."""

from __future__ import annotations

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.book_state import BookState
from engine.market.claims import commitment_of, seed_of
from engine.market.commands import Refused
from engine.market.lead import (
    AVAILABLE,
    HELD,
    MOVES,
    QUARANTINED,
    SOLD,
    WITHDRAWN,
    Lead,
    Move,
)

NOT_FOUND = Refused("not-found", "no such lead")
# Of the open ones the seats tell. A lead under review stays, so that no twin of it slips by.
_PROGRESS = {SOLD: 3, QUARANTINED: 2, HELD: 1, AVAILABLE: 1, WITHDRAWN: 0}


class LeadDecisions(BookState):
    """Decisions about leads themselves; each answers with an event, a refusal, or None."""

    def _list(self, command: c.ListLead, now: int, account: Account | None) -> e.Event | Refused:
        if command.lead_id in self.leads:
            return Refused("validation", f"lead {command.lead_id} is listed already")
        if command.price < 1 or command.max_buyers < 1:
            return Refused("validation", "price and max_buyers must be at least 1")
        return e.LeadListed(
            command.lead_id,
            command.price,
            command.max_buyers,
            command.listing,
            *self._opening(command.lead_id, 0, now),
            unseen=bool(command.quarantine),
        )

    def _opening(self, lead_id: str, rounds: int, now: int) -> tuple[int, str]:
        """(when claims on a lead newly on offer are decided, the commitment to its seed).

        Committed to in any case: standing orders may contest the lead at a later price.
        """
        window = self.rules.claim_window_us
        decide_at = now + window if window or self.standing else 0
        return decide_at, commitment_of(seed_of(self.rules.secret, lead_id, rounds))

    def _update(
        self, command: c.UpdateLead, now: int, account: Account | None
    ) -> e.Event | Refused:
        return self._move(command.lead_id, "update") or e.LeadUpdated(
            command.lead_id, command.listing
        )

    def _withdraw(
        self, command: c.Withdraw, now: int, account: Account | None
    ) -> e.Event | Refused:
        return self._move(command.lead_id, "withdraw") or e.LeadWithdrawn(
            command.lead_id, command.reason, command.merged_into, self._ended(command.lead_id)
        )

    def _ended(self, lead_id: str) -> tuple[e.EndedHold, ...]:
        """The holds that end with the lead, and the fees that are given back."""
        lead = self.leads[lead_id]
        taken = lead.taken or {}
        return tuple(e.EndedHold(user_id, taken[user_id].fee) for user_id in self.holders(lead))

    def _merge(
        self, command: c.Merge, now: int, account: Account | None
    ) -> e.Event | Refused | None:
        older, younger = self.leads.get(command.lead_id), self.leads.get(command.other_id)
        if older is None or younger is None:
            return NOT_FOUND
        if older is younger:
            return Refused("validation", "a lead can't be merged with itself")
        stays, goes = command.lead_id, command.other_id
        if _progress(younger) > _progress(older):
            stays, goes = goes, stays
        if (self.leads[goes].state, "merge") not in MOVES:
            return None
        return e.LeadWithdrawn(goes, "merged", stays, self._ended(goes))

    def _quarantine(
        self, command: c.Quarantine, now: int, account: Account | None
    ) -> e.Event | Refused:
        return self._move(command.lead_id, "quarantine") or e.LeadQuarantined(
            command.lead_id, command.reason, self._ended(command.lead_id)
        )

    def _approve(self, command: c.Approve, now: int, account: Account | None) -> e.Event | Refused:
        return self._move(command.lead_id, "approve") or e.LeadApproved(
            command.lead_id, *self._opening(command.lead_id, self._rounds(command.lead_id), now)
        )

    def _relist(self, command: c.Relist, now: int, account: Account | None) -> e.Event | Refused:
        return self._move(command.lead_id, "relist") or e.LeadRelisted(
            command.lead_id,
            *self._opening(command.lead_id, self._rounds(command.lead_id), now),
            unseen=bool(command.quarantine),
        )

    def _rounds(self, lead_id: str) -> int:
        return self.leads[lead_id].rounds

    def _move(self, lead_id: str, move: Move) -> Refused | None:
        lead = self.leads.get(lead_id)
        if lead is None:
            return NOT_FOUND
        if (lead.state, move) not in MOVES:
            return Refused("lead-unavailable", f"the lead is {lead.state}: no {move}")
        return None

    def _reprice(
        self, command: c.Reprice, now: int, account: Account | None
    ) -> e.Event | Refused | None:
        """Prices that change nothing, of leads no longer offered, or that set out from another
        price than the lead's are left out."""
        if len(command.lead_ids) != len(command.prices):
            return Refused("validation", "lead_ids and prices differ in length")
        for column in (command.previous, command.parts):
            if column and len(column) != len(command.lead_ids):
                return Refused("validation", "previous and parts are in step with lead_ids")
        if len(command.lead_ids) > c.REPRICE_LEADS_MAX:
            return Refused("validation", f"more than {c.REPRICE_LEADS_MAX} leads in one command")
        if any(price < 1 for price in command.prices):
            return Refused("validation", "a price is at least 1 credit")
        changed = [
            (lead_id, price)
            for number, (lead_id, price) in enumerate(
                zip(command.lead_ids, command.prices, strict=True)
            )
            if (lead := self.leads.get(lead_id)) is not None
            and (lead.state, "reprice") in MOVES
            and lead.price != price
            and (not command.previous or lead.price == command.previous[number])
        ]
        if not changed:
            return None
        lead_ids, prices = zip(*changed, strict=True)
        return e.LeadsRepriced(lead_ids[0], lead_ids, prices, command.reason)


def _progress(lead: Lead) -> tuple[int, int, int]:
    """How far along a lead is, for comparing."""
    return _PROGRESS[lead.state], lead.sold, lead.held
