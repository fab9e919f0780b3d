"""Markets with one thing wrong about claims and contests each."""

from __future__ import annotations

from msgspec.structs import replace

from engine.market import claims
from engine.market.batch import _Batch
from engine.market.book import Book
from engine.market.claims import ClaimDesk
from engine.market.commands import Refused
from engine.market.contest import Contest

# --- who goes first ------------------------------------------------------------------


class FirstComeFirstServed(Contest):
    @property
    def claims(self):
        return self._claims


class StandingOrdersFirst(Contest):
    @property
    def claims(self):
        return sorted(super().claims, key=lambda claim: claim.kind != "standing")


class WinsIgnored(Contest):
    def _claim(self, account, kind):
        return super()._claim(account, kind)._replace(wins=0)


class PriorityIgnored(Contest):
    def _claim(self, account, kind):
        return super()._claim(account, kind)._replace(priority=0)


class WinsGoFirst(Contest):
    """Before the plan's priority: the rule turned round."""

    @property
    def claims(self):
        return sorted(super().claims, key=lambda claim: claim.wins)


class HighestDrawWins(Contest):
    @property
    def claims(self):
        return sorted(
            self._claims, key=lambda claim: (-claim.priority, claim.wins, -int(claim.draw, 16))
        )


class AnotherSeedThanCommittedTo(Contest):
    def __init__(self, book, lead_id, now):
        super().__init__(book, lead_id, now)
        self._seed = claims.seed_of(book.rules.secret, lead_id, self._lead.rounds + 1)


class TheSameSeedForEveryContest(Contest):
    def __init__(self, book, lead_id, now):
        super().__init__(book, lead_id, now)
        self._seed = claims.seed_of(book.rules.secret, lead_id, 0)


class DrawNotFromTheSeed(Contest):
    def _claim(self, account, kind):
        claim = super()._claim(account, kind)
        return claim._replace(draw=claims.claim_id_of(account.user_id, self._lead_id))


class DrawAnewForEveryClaim(Contest):
    """Who sends more claims has more chances."""

    def _claim(self, account, kind):
        claim = super()._claim(account, kind)
        return claim._replace(draw=claims.draw_of(self._seed, f"{claim.draw}{len(self._claims)}"))


# --- the record ----------------------------------------------------------------------


class NoRecordOfAContest(Contest):
    def decided(self):
        return None


class RecordOfNoContest(Contest):
    """Seats for all, and a win is counted against each."""

    def decided(self):
        seats, self._lead.max_buyers = self._lead.max_buyers, self._lead.sold + self._lead.held
        try:
            return super().decided() if self._claims else None
        finally:
            self._lead.max_buyers = seats


class RecordsAnotherWinner(Contest):
    def decided(self):
        record = super().decided()
        if record is None:
            return None
        results = [entry.result for entry in reversed(record.entries)]
        return replace(
            record,
            entries=tuple(
                replace(entry, result=result)
                for entry, result in zip(record.entries, results, strict=True)
            ),
        )


class ClaimsOfAStranger(Contest):
    """The record names a claim under another's pseudonym."""

    def _entry(self, claim, result):
        return replace(super()._entry(claim, result), claim_id=claims.claim_id_of("x", "y"))


# --- when ----------------------------------------------------------------------------


class ClaimsDecidedAsTheyCome(_Batch):
    def _collect(self, request):
        return None


class ClaimTriedAgain(_Batch):
    """Who asks again is refused what may be bought for them after all."""

    def _pending(self, request):
        return None


class LosersAreNotTold(_Batch):
    def _promise(self, request, answer):
        if not isinstance(answer, Refused):
            super()._promise(request, answer)


class ClaimsForgotten(_Batch):
    def decide_claims(self, lead_id, standing_order_ids):
        self.book.claims.drop(lead_id)
        super().decide_claims(lead_id, standing_order_ids)


class _NoTurn(ClaimDesk):
    def deciding(self, leads, now, limit):
        return []


class _Hasty(ClaimDesk):
    def deciding(self, leads, now, limit):
        return super().deciding(leads, now + 1, limit)


class _Late(ClaimDesk):
    def deciding(self, leads, now, limit):
        return super().deciding(leads, now - 1, limit)


class _Tenacious(ClaimDesk):
    def drop(self, lead_id):
        pass


class _Forgetful(ClaimDesk):
    def won(self, user_id, at):
        pass


class _Unforgiving(ClaimDesk):
    def wins(self, user_id, now):
        return len(self._wins.get(user_id, ()))


class NeverDecides(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.claims = _NoTurn()


class DecidesTooEarly(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.claims = _Hasty()


class DecidesTooLate(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.claims = _Late()


class ClaimsOutliveTheOffer(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.claims = _Tenacious()


class WinsNotCounted(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.claims = _Forgetful()


class WinsNeverForgotten(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.claims = _Unforgiving()


class WindowOneMicrosecondShort(Book):
    def _opening(self, lead_id, rounds, now):
        decide_at, commitment = super()._opening(lead_id, rounds, now)
        return decide_at and decide_at - 1, commitment


class CommitsOnlyWhenAsked(Book):
    def _opening(self, lead_id, rounds, now):
        decide_at, commitment = super()._opening(lead_id, rounds, now)
        return decide_at, commitment if decide_at else ""
