"""How the naive market decides who gets a lead that many want at once."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.market import commands as c
from engine.market.answers import Request
from engine.market.rules import RECENT_WINS_US
from tests.engine.market.naive_facts import Expected, NaiveClaim, NaiveWin
from tests.engine.market.naive_seats import discounted, sell
from tests.engine.market.naive_standing import failed_rules

if TYPE_CHECKING:
    from tests.engine.market.naive_market import NaiveMarket

SHOWN_MAX = 100


@dataclass
class Ranked:
    """One claim in its place; `claim` is None of a standing order's."""

    user_id: str
    kind: str
    priority: int
    wins: int
    draw: str
    claim: NaiveClaim | None
    standing_order_id: str | None
    is_granted: bool = False


@dataclass
class Round:
    """What deciding on a lead came to: `answers` to claims, in order, `fills` by standing order."""

    is_contest: bool = False
    round: int = 0
    seats: int = 0
    seed: str = ""
    next_commitment: str = ""
    ranked: list[Ranked] = field(default_factory=list)
    answers: list[tuple[Request, Expected]] = field(default_factory=list)
    fills: dict[str, int] = field(default_factory=dict)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def seed_of(secret: bytes, lead_id: str, number: int) -> str:
    return hmac.new(secret, f"{lead_id}:{number}".encode(), hashlib.sha256).hexdigest()


def commitment_of(secret: bytes, lead_id: str, number: int) -> str:
    return sha(seed_of(secret, lead_id, number))


def claim_id_of(user_id: str, lead_id: str) -> str:
    return sha(f"{user_id}:{lead_id}")


def order_id_of(standing_order_id: str, lead_id: str) -> str:
    return sha(f"fill:{standing_order_id}:{lead_id}")[:32]


def decide(market: NaiveMarket, lead_id: str, candidates: list[str], now: int) -> Round:
    """Rank what was collected and what stands, and grant it in that order."""
    market.undecided.discard(lead_id)
    market.repriced.discard(lead_id)
    lead, secret = market.leads[lead_id], market.rules.secret
    seed = seed_of(secret, lead_id, lead.rounds)
    outcome = Round(round=lead.rounds)
    claims = []
    for claim in market.claims.pop(lead_id, []):
        # What is no longer possible, whoever else asks, takes no part.
        decision = market.judge(claim.request.command, now)
        if isinstance(decision, str):
            outcome.answers.append((claim.request, decision))
        else:
            claims.append(claim)
    standing = [id_ for id_ in candidates if not failed_rules(market, id_, lead_id, now)]
    ranked = outcome.ranked = _rank(market, lead_id, claims, standing, seed, now)
    is_open = market.state(lead_id) == "available"
    outcome.seats = market.seats_left(lead_id) if is_open else 0
    outcome.is_contest = is_open and len({each.user_id for each in ranked}) > outcome.seats
    if outcome.is_contest:
        outcome.seed = seed
        lead.rounds += 1
        outcome.next_commitment = commitment_of(secret, lead_id, lead.rounds)
    for each in ranked:
        _grant(market, lead_id, each, outcome, now)
    if outcome.is_contest:
        winners = {each.user_id for each in ranked[:SHOWN_MAX] if each.is_granted}
        market.wins += [NaiveWin(user_id, now) for user_id in sorted(winners)]
    return outcome


def recent_wins(market: NaiveMarket, user_id: str, now: int) -> int:
    return sum(win.user_id == user_id and now - win.at < RECENT_WINS_US for win in market.wins)


def _rank(
    market: NaiveMarket,
    lead_id: str,
    claims: list[NaiveClaim],
    standing: list[str],
    seed: str,
    now: int,
) -> list[Ranked]:
    """Highest plan, fewest wins, draw; of one buyer's own, the manual ones as they came, then
    the standing ones as they were placed."""

    def ranked(user_id: str, kind: str, claim: NaiveClaim | None, id_: str | None) -> Ranked:
        return Ranked(
            user_id,
            kind,
            market.plans[user_id].claim_priority,
            recent_wins(market, user_id, now),
            sha(f"{seed}:{claim_id_of(user_id, lead_id)}"),
            claim,
            id_,
        )

    manual = [
        ranked(
            claim.request.command.user_id,
            "buy" if isinstance(claim.request.command, c.Buy) else "hold",
            claim,
            None,
        )
        for claim in claims
    ]
    placed = sorted(standing, key=lambda id_: (market.orders[id_].placed_at, id_))
    orders = [ranked(market.orders[id_].user_id, "standing", None, id_) for id_ in placed]
    # Sorting is stable: what ties stays in this order.
    return sorted(manual + orders, key=lambda each: (-each.priority, each.wins, each.draw))


def _grant(market: NaiveMarket, lead_id: str, each: Ranked, outcome: Round, now: int) -> None:
    if each.claim is not None:
        decision = market.judge(each.claim.request.command, now)
        answer = decision if isinstance(decision, str) else decision()
        outcome.answers.append((each.claim.request, answer))
        each.is_granted = not isinstance(decision, str)
        return
    assert each.standing_order_id is not None
    each.is_granted = not failed_rules(market, each.standing_order_id, lead_id, now)
    if not each.is_granted:
        return
    order = market.orders[each.standing_order_id]
    price = discounted(market.plans[order.user_id], market.leads[lead_id].price)
    sell(market, lead_id, order.user_id, price)
    order.spent += price
    order.fills.append(now)
    outcome.fills[each.standing_order_id] = price
