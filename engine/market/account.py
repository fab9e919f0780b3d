"""A buyer as a batch of decisions sees them: balance, plan and live holds, read under lock."""

from __future__ import annotations

from engine.market.plan import Plan


class Account:
    """`balance`, and over all markets `live_holds` and the credits they add up to
    (`held_value`), move with each decision. Who may not trade can still be given back a fee.
    """

    __slots__ = ("balance", "held_value", "live_holds", "may_trade", "plan", "user_id")

    def __init__(
        self,
        user_id: str,
        balance: int,
        plan: Plan,
        live_holds: int = 0,
        held_value: int = 0,
        *,
        may_trade: bool = True,
    ) -> None:
        self.user_id = user_id
        self.balance = balance
        self.plan = plan
        self.live_holds = live_holds
        self.held_value = held_value
        self.may_trade = may_trade
