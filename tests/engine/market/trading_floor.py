"""The floor on which histories are played, and audited after every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from engine.market import commands as c
from engine.market.account import Account
from engine.market.answers import Answer, Request
from engine.market.batch import decide_batch
from engine.market.book import Book
from engine.market.outcome import Entry, Outcome, StoredAnswer
from engine.market.rules import Rules
from tests.engine.market import asking, naive_standing
from tests.engine.market.answer_audit import audit_answers
from tests.engine.market.cart_audit import CartAudit
from tests.engine.market.contest_audit import ContestAudit
from tests.engine.market.history import BUYERS, LEADS, PLANS, RULES, START, Step
from tests.engine.market.journal_audit import audit_entries
from tests.engine.market.money_audit import MARKET, MoneyAudit
from tests.engine.market.naive_market import NaiveMarket
from tests.engine.market.paper_tables import PaperTables
from tests.engine.market.state_audit import audit_state
from tests.engine.market.waits import instant_of

CLOSING = (c.Withdraw, c.Quarantine, c.Merge)
Candidates = dict[str, list[str]]


class TradingFloor:
    """Plays steps on a book and checks, after each, all that must hold.

    Raises AssertionError at the first thing that does not. `number` says by which rules is
    traded, and whether all that is due is decided at once or only two leads in a batch.
    """

    def __init__(self, make_book: Callable[[Rules], Book] = Book, number: int = 0) -> None:
        self.rules = RULES[number % len(RULES)]
        self.deciding_max = 2 if number % 3 == 2 else len(LEADS)
        self.make_book = make_book
        self.book = make_book(self.rules)
        # Folded and loaded books are of the same make, so that what is wrong in a fold must be
        # seen by the naive market and not by a fold that is right.
        self.shadow = make_book(self.rules)
        self.tables = PaperTables()
        balances = {user: credits for user, (_, credits) in BUYERS.items()}
        plans = {user: PLANS[plan] for user, (plan, _) in BUYERS.items()}
        self.naive = NaiveMarket(self.rules, plans, dict(balances))
        self.money = MoneyAudit(self, balances)
        self.contests = ContestAudit(self)
        self.carts = CartAudit(self)
        self.now = START
        self.position = self.feed_seq = 0
        self.stored: dict[bytes, StoredAnswer] = {}
        self.asked: list[Request] = []
        self.journal: list[tuple[Entry, int]] = []
        self.replies: list[Answer] = []
        self.feed: dict[str, tuple[str, int, int]] = {}
        self.most_deadlines = 0
        self.late: Counter[str] = Counter()

    def play(self, history: Iterable[Step]) -> TradingFloor:
        for step in history:
            self.step(step)
        return self

    def step(self, step: Step) -> None:
        self.now = max(self.now, instant_of(self, step))
        requests = self._requests(step)
        self.asked += requests
        candidates = self._candidates()
        accounts = self._accounts(requests, candidates)
        outcome = decide_batch(
            self.book,
            requests,
            known={
                r.command_id: self.stored[r.command_id]
                for r in requests
                if r.command_id in self.stored
            },
            accounts=accounts,
            now=self.now,
            position=self.position,
            feed_seq=self.feed_seq,
            candidates=candidates,
            market=MARKET,
        )
        self._audit(requests, candidates, accounts, outcome)

    def _audit(
        self,
        requests: list[Request],
        candidates: Candidates,
        accounts: dict[str, Account],
        outcome: Outcome,
    ) -> None:
        audit_entries(self, outcome.entries)
        assert outcome.position == self.position + len(outcome.entries)
        self.position, self.feed_seq = outcome.position, outcome.feed_seq
        self.naive.expire(self.now)
        rounds = [
            (lead_id, self.naive.decide(lead_id, ids, self.now))
            for lead_id, ids in candidates.items()
        ]
        self.contests.audit(rounds, outcome.entries)
        audit_answers(self, requests, rounds, outcome)
        self.money.audit(outcome)
        self.carts.audit(outcome)
        for user, account in accounts.items():
            held = self.naive.held_prices(user)
            assert account.balance == self.naive.balances[user]
            assert (account.live_holds, account.held_value) == (len(held), sum(held))
        self.tables.write(outcome, self.book, self.now)
        audit_state(self, outcome)

    # --- what a step asks ------------------------------------------------------------

    def _requests(self, step: Step) -> list[Request]:
        requests = []
        for ask in step.asks:
            if ask.kind in asking.ELSEWHERE:
                asking.happen(self, ask)
            elif ask.kind == "restart":
                self._restart()
            else:
                requests += asking.requests_of(self, ask)
        return requests

    def _restart(self) -> None:
        """Another book takes over, with what was written."""
        self.book = self.tables.load(lambda: self.make_book(self.rules), self.now)
        self.naive.forget_claims()

    # --- what a flush reads ----------------------------------------------------------

    def _candidates(self) -> Candidates:
        """The leads whose turn it is, with the standing orders that ask for each, as found by
        a scan of all, in no order that means anything."""
        deciding = self.book.deciding(self.now, self.deciding_max)
        due = self.naive.due(self.now)
        assert len(set(deciding)) == len(deciding) <= self.deciding_max
        assert not set(deciding) & (self.naive.undecided - due), "decided before its time"
        # Who has to wait, while others are decided, is not passed over for long.
        self.late = Counter({lead_id: self.late[lead_id] + 1 for lead_id in due - set(deciding)})
        late_max = 2 * len(LEADS) if self.deciding_max < len(LEADS) else 0
        assert all(batches <= late_max for batches in self.late.values()), "not decided in time"
        found = {lead_id: naive_standing.candidates(self.naive, lead_id) for lead_id in deciding}
        for lead_id, ids in found.items():
            listing, lead = self.naive.leads[lead_id].listing, self.book.leads[lead_id]
            assert sorted(self.book.standing.matching(listing, lead)) == sorted(ids)
            if self.position % 2:
                ids.reverse()
        return found

    def _accounts(self, requests: list[Request], candidates: Candidates) -> dict[str, Account]:
        """The accounts that a flush locks: all whom this batch can concern."""
        naive, commands = self.naive, [request.command for request in requests]
        concerned = {getattr(command, "user_id", "") for command in commands}
        concerned |= {naive.orders[id_].user_id for ids in candidates.values() for id_ in ids}
        for lead_id in candidates:
            claims = naive.claims.get(lead_id, ())
            concerned |= {claim.request.command.user_id for claim in claims}
        closing = {
            lead_id
            for command in commands
            if isinstance(command, CLOSING)
            for lead_id in (command.lead_id, getattr(command, "other_id", ""))
        }
        concerned |= {user for (lead_id, user), seat in naive.seats.items() if lead_id in closing}
        return {user: self._account(user) for user in BUYERS if user in concerned}

    def _account(self, user: str) -> Account:
        held = self.naive.held_prices(user)
        return Account(
            user,
            self.naive.balances[user],
            self.naive.plans[user],
            len(held),
            sum(held),
            may_trade=user not in self.naive.suspended,
        )


def refold(floor: TradingFloor) -> Book:
    """A fresh book folded from the journal."""
    book = Book(floor.rules)
    for entry, at in floor.journal:
        book.apply(entry.event, at)
    return book
