"""What was asked, and every reply that somebody saw: audits go by it."""

from __future__ import annotations

from engine.market import commands as c
from engine.market.answers import Answer, Reply, Undecided
from engine.market.commands import Refused
from serve_apps.api import checkout

# Refusals that a later copy of the same command may find otherwise.
OPEN = ("not-found", "validation")


class Asked:
    """One command under one id; replies as (instant, reply)."""

    __slots__ = ("asked_at", "command", "command_id", "market", "replies", "request_hash")

    def __init__(
        self,
        market: str,
        command: c.Command,
        command_id: bytes,
        request_hash: bytes | None,
        asked_at: float,
    ) -> None:
        self.market = market
        self.command = command
        self.command_id = command_id
        self.request_hash = request_hash
        self.asked_at = asked_at
        self.replies: list[tuple[float, Reply]] = []

    @property
    def last(self) -> Answer | Undecided | None:
        return self.replies[-1][1].answer if self.replies else None

    def is_promise(self, answer: Answer | Undecided) -> bool:
        """Whether a repeat must be answered with `answer` again."""
        if isinstance(answer, Refused):
            is_open = answer.code in OPEN and not getattr(self.command, "from_cart", False)
            return self.request_hash is not None and not is_open
        # A term that gains nothing changes nothing, and is promised to nobody without a key.
        return self.request_hash is not None or not isinstance(self.command, c.Extend)

    def may_come_late(self) -> bool:
        """Whether a copy that was overtaken may still be carried out: no answer was kept."""
        return isinstance(self.last, Refused) and not self.is_promise(self.last)


class Cart:
    """One checkout, and the outcomes that were told of it."""

    __slots__ = ("checkout_id", "lead_ids", "outcomes", "user_id")

    def __init__(self, checkout_id: bytes, user_id: str, lead_ids: list[str]) -> None:
        self.checkout_id = checkout_id
        self.user_id = user_id
        self.lead_ids = lead_ids
        self.outcomes: list[checkout.Outcome] = []


class Record:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.carts: list[Cart] = []
        # Credits that came from the house.
        self.granted = 0
