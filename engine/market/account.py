"""A buyer as a batch of decisions sees them: balance, plan and live holds, read under lock."""

from __future__ import annotations

from engine.market.plan import Plan


class Account:
    """`balance` in credits and `live_holds` (over all markets) move with each decision."""

    __slots__ = ("balance", "live_holds", "plan", "user_id")

    def __init__(self, user_id: str, balance: int, plan: Plan, live_holds: int = 0) -> None:
        self.user_id = user_id
        self.balance = balance
        self.plan = plan
        self.live_holds = live_holds
