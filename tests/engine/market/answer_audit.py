"""What is answered, beside what the naive market says; and what is kept for who asks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.market import commands as c
from engine.market.answers import (
    Answer,
    Bought,
    Claimed,
    Done,
    Held,
    Merged,
    Queued,
    Request,
    StandingKept,
)
from engine.market.outcome import Outcome, StoredAnswer
from tests.engine.market.naive_claims import Round
from tests.engine.market.naive_facts import Expected

if TYPE_CHECKING:
    from tests.engine.market.trading_floor import TradingFloor

# Refusals that promise nothing: the next may be decided otherwise.
UNSTORED = ("not-found", "validation", "idempotency-mismatch")


def audit_answers(
    floor: TradingFloor, requests: list[Request], rounds: list[tuple[str, Round]], outcome: Outcome
) -> None:
    """Raises AssertionError unless every reply is what the naive market says, in order, and
    repeats repeat. The naive market moves on."""
    assert len(outcome.replies) == len(requests)
    promised = _promised_to_claims(floor, rounds, outcome)
    for request, reply in zip(requests, outcome.replies, strict=True):
        stored = floor.stored.get(request.command_id) or promised.get(request.command_id)
        if stored is not None:
            same = stored.request_hash == request.request_hash
            expected = stored.answer if same else "idempotency-mismatch"
            assert reply == expected or getattr(reply, "code", None) == expected
            continue
        expected = floor.naive.ask(request, floor.now)
        assert said(reply) == expected, (request.command, reply, expected)
        _audit_reply(floor, request.command, reply)
        promise = StoredAnswer(request.request_hash, reply)
        if outcome.answers.get(request.command_id) == promise:
            promised[request.command_id] = promise
        else:
            _audit_unstored(request, reply)
    assert promised == outcome.answers
    floor.stored |= promised
    floor.replies += outcome.replies


def _promised_to_claims(
    floor: TradingFloor, rounds: list[tuple[str, Round]], outcome: Outcome
) -> dict[bytes, StoredAnswer]:
    """What waits for those who claimed, whether they won or lost."""
    promised = {}
    for _, decided in rounds:
        for request, expected in decided.answers:
            promise = outcome.answers[request.command_id]
            assert said(promise.answer) == expected, (request.command, promise.answer, expected)
            assert promise.request_hash == request.request_hash
            promised[request.command_id] = promise
            floor.replies.append(promise.answer)
    return promised


def _audit_unstored(request: Request, reply: Answer) -> None:
    """Whatever changed something, or was keyed, must be answered alike for ever."""
    promises_nothing = isinstance(reply, Claimed) or getattr(reply, "code", None) in UNSTORED
    assert promises_nothing or request.request_hash is None, "a keyed answer was not stored"
    assert not isinstance(reply, (Bought, Queued, StandingKept)), "a change was not stored"


def _audit_reply(floor: TradingFloor, command: c.Command, reply: Answer) -> None:
    if isinstance(reply, Bought):
        assert isinstance(command, c.Buy)
        seat = (floor.book.leads[reply.lead_id].taken or {})[command.user_id]
        assert (seat.order_id, seat.price) == (command.order_id, reply.price)
        assert reply.order_id == command.order_id
        assert reply.bought_at == floor.now
        assert reply.balance == floor.naive.balances[command.user_id]
    if isinstance(reply, Held):
        assert reply.held_until > floor.now, "a hold that is over already"


def said(answer: Answer) -> Expected:
    match answer:
        case Bought():
            return ("bought", answer.price)
        case Held():
            return ("held", answer.price, answer.hold, answer.held_until)
        case Merged():
            return ("merged", answer.survivor, answer.merged, answer.is_link)
        case Queued():
            return ("queued", answer.position, answer.waiting)
        case StandingKept():
            return ("kept", answer.standing_order_id, answer.revision)
        case Claimed():
            return ("claimed", answer.decide_at)
        case Done():
            return ("done",)
        case c.Refused():
            return answer.code
