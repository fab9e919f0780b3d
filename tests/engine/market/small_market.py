"""A market of a few words, for tests that look at one thing."""

from __future__ import annotations

from engine.market import commands as c
from engine.market.account import Account
from engine.market.answers import Answer, Request
from engine.market.batch import decide_batch
from engine.market.book import Book
from engine.market.listing import Listing
from engine.market.outcome import Outcome
from engine.market.plan import Plan
from engine.market.rules import Rules

NOW = 1_750_000_000_000_000
WINDOW = 250_000
PLAN = Plan("basic", {"15m": 900_000_000}, 900_000_000, 10, 0)


class SmallMarket:
    """A book and its clock. Everybody has 100 credits, in each batch anew."""

    def __init__(self, window_us: int = 0) -> None:
        self.book = Book(Rules(claim_window_us=window_us, secret=b"secret"))
        self.now = NOW
        self.asked = self.position = 0

    def batch(self, *requests: Request, heard: dict[str, list[str]] | None = None) -> Outcome:
        """`heard` are the standing orders that ask for each lead to be decided."""
        users = {getattr(request.command, "user_id", "") for request in requests} | {"ann", "bob"}
        outcome = decide_batch(
            self.book,
            requests,
            known={},
            accounts={user: Account(user, 100, PLAN) for user in users},
            now=self.now,
            position=self.position,
            feed_seq=self.position,
            candidates=heard,
        )
        self.position = outcome.position
        return outcome

    def send(self, *commands: c.Command) -> Outcome:
        """One batch of commands, each under an id of its own."""
        first, self.asked = self.asked, self.asked + len(commands)
        return self.batch(
            *(Request(b"%d" % id_, command) for id_, command in enumerate(commands, start=first))
        )

    def say(self, command: c.Command) -> Answer:
        return self.send(command).replies[0]


def listing(lead_id: str = "lead", price: int = 10, seats: int = 1) -> c.ListLead:
    return c.ListLead(lead_id, price, seats, Listing())
