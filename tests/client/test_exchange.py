"""How calls are repeated, waited for and signed: no network, no clock."""

from __future__ import annotations

import json
import pickle

import pytest

from aiqleads.client import errors
from aiqleads.client.answers.accounts import Tokens
from aiqleads.client.calls import accounts, leads, trading
from aiqleads.client.errors import ClientError, Problem
from aiqleads.client.exchange import exchange, signing_in, signing_out
from aiqleads.client.patience import NO_PATIENCE, Patience
from aiqleads.client.session import Credentials
from aiqleads.client.wire import Lost, Received
from tests.client.scripted import Play, no, said, sent, tokens

HELD = {"lead_id": "a", "price": 3, "hold": "15m", "held_until": "2026-05-01T12:00:00.5Z"}
BOUGHT = {"orders": [], "refused": [], "total_credits": 0, "wallet": {"balance": 4}}
AWAY = Lost("ConnectError: refused", was_sent=False)
CUT = Lost("ReadTimeout", was_sent=True)
BUSY = no(503, "unavailable", retry_after="2")


def test_a_write_without_an_outcome_is_repeated_with_its_key() -> None:
    play = Play(CUT, BUSY, AWAY, said(201, BOUGHT))
    purchase = play.run(exchange(trading.buy("a"), play.manner))
    assert purchase.wallet.balance == 4
    assert sent(play.requests) == ["POST /v1/leads/a/buy"] * 4
    [key] = play.keys
    assert key
    assert len({request.content for request in play.requests}) == 1
    assert play.waits[1] >= 2.0, "Retry-After is the least to wait"


def test_two_writes_have_two_keys_and_a_given_one_is_kept() -> None:
    assert trading.hold("a").key != trading.hold("a").key
    assert trading.hold("a", key="mine").key == "mine"


@pytest.mark.parametrize("last", [[CUT], [BUSY], [no(502, "")], [no(401, "unauthorized")] * 2])
def test_a_write_given_up_says_that_nobody_knows_and_under_which_key(last: list[Received]) -> None:
    play = Play(CUT, *last, patience=Patience(repeats_max=1))
    with pytest.raises(ClientError) as caught:
        play.run(exchange(trading.buy("a", key="k1"), play.manner))
    assert caught.value.is_outcome_unknown
    assert caught.value.idempotency_key == "k1"


def test_a_decided_no_after_a_lost_answer_is_known() -> None:
    play = Play(CUT, no(409, "lead-unavailable"))
    with pytest.raises(errors.LeadUnavailable) as caught:
        play.run(exchange(trading.buy("a"), play.manner))
    assert not caught.value.is_outcome_unknown


def test_a_no_to_somebody_else_leaves_a_lost_write_unknown() -> None:
    """The account was suspended between: nobody said what became of the purchase."""
    renewed = Play(CUT, no(401, "unauthorized"), no(403, "forbidden"))
    refused = Play(CUT, no(403, "forbidden"))
    for play in (renewed, refused):
        with pytest.raises(errors.Forbidden) as caught:
            play.run(exchange(trading.buy("a", key="k"), play.manner))
        assert caught.value.is_outcome_unknown
        assert caught.value.idempotency_key == "k"
    decided = Play(CUT, no(403, "plan-required"))
    with pytest.raises(errors.PlanRequired) as known:
        decided.run(exchange(trading.hold("a", "7d"), decided.manner))
    assert not known.value.is_outcome_unknown


def test_what_was_never_sent_was_not_done() -> None:
    play = Play(AWAY, AWAY, patience=Patience(repeats_max=1))
    with pytest.raises(errors.Unreachable) as caught:
        play.run(exchange(trading.buy("a"), play.manner))
    assert not caught.value.is_outcome_unknown
    assert "refused" in str(caught.value)


def test_the_budget_bounds_all_repeats_and_waits() -> None:
    play = Play(*[CUT] * 50, patience=Patience(budget_seconds=12, repeats_max=1000))
    with pytest.raises(errors.Unreachable):
        play.run(exchange(leads.lead("a"), play.manner))
    assert sum(play.waits) < 12
    assert 5 < len(play.requests) < 50


def test_pauses_are_spread_and_their_bound_doubles() -> None:
    play = Play(*[CUT] * 9, patience=Patience(budget_seconds=1000, repeats_max=8))
    with pytest.raises(errors.Unreachable):
        play.run(exchange(leads.lead("a"), play.manner))
    bounds = [0.25, 0.5, 1, 2, 4, 5, 5, 5]
    assert all(0 <= pause <= bound for pause, bound in zip(play.waits, bounds, strict=True))
    assert max(play.waits) > 1
    assert len(set(play.waits)) == 8


def test_a_full_window_is_waited_for() -> None:
    play = Play(no(429, "rate-limited", retry_after="60"), said(201, HELD))
    play.run(exchange(trading.hold("a"), play.manner))
    assert play.waits[0] >= 60


def test_a_wait_beyond_the_budget_is_not_begun() -> None:
    play = Play(no(429, "rate-limited", retry_after="3600"))
    with pytest.raises(errors.RateLimited) as caught:
        play.run(exchange(trading.hold("a"), play.manner))
    assert caught.value.retry_after == 3600
    assert not caught.value.is_outcome_unknown, "a request over the limit was not looked at"
    assert play.waits == []


@pytest.mark.parametrize("header", ["soon", "-1", "1e9", "9" * 30, "²", "1.5"])
def test_a_retry_after_that_is_no_number_counts_for_nothing(header: str) -> None:
    play = Play(no(503, "unavailable", retry_after=header), said(201, HELD))
    play.run(exchange(trading.hold("a"), play.manner))
    assert play.waits[0] < 1


def test_without_patience_nothing_is_repeated() -> None:
    play = Play(BUSY, patience=NO_PATIENCE)
    with pytest.raises(errors.Unavailable):
        play.run(exchange(leads.lead("a"), play.manner))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (no(402, "insufficient-credits"), errors.InsufficientCredits),
        (no(403, "plan-required"), errors.PlanRequired),
        (no(403, "forbidden"), errors.Forbidden),
        (no(404, "not-found"), errors.NotFound),
        (no(409, "price-changed"), errors.PriceChanged),
        (no(409, "something-new"), errors.Conflict),
        (no(418, "teapot"), errors.Problem),
        (no(500, "internal"), errors.Problem),
        (said(403), errors.Forbidden),
        (said(307, None, location="https://elsewhere"), errors.UnexpectedAnswer),
    ],
)
def test_a_no_is_raised_as_what_it_is_and_not_repeated(
    answer: object, kind: type[Exception]
) -> None:
    play = Play(answer)  # type: ignore[arg-type]
    with pytest.raises(kind) as caught:
        play.run(exchange(trading.hold("a", key="k"), play.manner))
    assert type(caught.value) is kind
    assert caught.value.idempotency_key == "k"  # type: ignore[attr-defined]


def test_a_problem_tells_all_it_says() -> None:
    wrong = {"location": "body.hold", "message": "unknown"}
    play = Play(no(422, "validation", errors=[wrong], refused=[{"lead_id": "a"}]))
    with pytest.raises(errors.Invalid) as caught:
        play.run(exchange(trading.hold("a"), play.manner))
    problem = caught.value
    assert (problem.slug, problem.status, problem.request_id) == ("validation", 422, "r1")
    assert problem.errors == [wrong]
    assert problem.members["refused"] == [{"lead_id": "a"}]
    assert "because validation" in str(problem)
    again = pickle.loads(pickle.dumps(problem))
    assert (type(again), str(again)) == (errors.Invalid, str(problem))


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b"[" * 100_000, b'{"type": 7}', b""])
def test_any_body_of_a_no_is_a_problem(body: bytes) -> None:
    play = Play(Received(404, {}, body))
    with pytest.raises(Problem) as caught:
        play.run(exchange(leads.lead("a"), play.manner))
    assert caught.value.status == 404


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"\xff", b"[" * 100_000, b""])
def test_a_yes_that_is_not_understood_leaves_a_write_unknown(body: bytes) -> None:
    play = Play(Received(201, {}, body))
    with pytest.raises(errors.UnexpectedAnswer) as caught:
        play.run(exchange(trading.buy("a"), play.manner))
    assert caught.value.is_outcome_unknown


def test_members_of_a_later_version_are_let_be() -> None:
    play = Play(said(201, {**HELD, "fee": 2, "more": {"x": [1]}}))
    held = play.run(exchange(trading.hold("a"), play.manner))
    assert held.held_until.microsecond == 500_000
    assert held.held_until.tzinfo is not None


# --- the session -----------------------------------------------------------------------


def test_a_refused_token_is_renewed_once_and_the_call_made_again() -> None:
    play = Play(no(401, "unauthorized"), said(200, tokens(1)), said(201, HELD))
    play.run(exchange(trading.hold("a"), play.manner))
    assert sent(play.requests)[1:] == ["POST /v1/auth/refresh", "POST /v1/cart/items"]
    first, refresh, again = play.requests
    assert first.headers["authorization"] == "Bearer access-0"
    assert "authorization" not in refresh.headers
    assert json.loads(refresh.content or b"") == {"refresh_token": "refresh-0"}
    assert again.headers["authorization"] == "Bearer access-1"
    assert again.headers["idempotency-key"] == first.headers["idempotency-key"]
    assert play.renewals == ["access-0"]
    assert play.kept[-1].refresh_token == "refresh-1"


def test_a_new_token_that_is_refused_too_is_the_end() -> None:
    play = Play(no(401, "unauthorized"), said(200, tokens(1)), no(401, "unauthorized"))
    with pytest.raises(errors.Unauthorized):
        play.run(exchange(trading.cart(), play.manner))


@pytest.mark.parametrize(
    ("life", "age", "is_renewed"),
    [(900, 869, False), (900, 871, True), (10, 8.9, False), (10, 9.1, True)],
)
def test_a_token_is_renewed_before_it_ends(life: int, age: float, is_renewed: bool) -> None:
    play = Play(said(200, tokens(0, life)), tokens=None)
    play.run(signing_in(play.manner, Credentials("a@b.example", "pw")))
    play.now += age
    play.steps = [said(200, tokens(1, life))] * is_renewed + [said(200, BOUGHT["wallet"])]
    play.run(exchange(trading.wallet(), play.manner))
    assert play.requests[-1].headers["authorization"] == f"Bearer access-{int(is_renewed)}"


def test_credentials_begin_another_session_when_one_ends() -> None:
    play = Play(
        no(401, "unauthorized"),
        no(401, "token-reused"),
        said(200, tokens(5)),
        said(200, {"balance": 1}),
        credentials=Credentials("a@b.example", "pw"),
    )
    play.run(exchange(trading.wallet(), play.manner))
    assert sent(play.requests)[2] == "POST /v1/auth/login"
    assert [kept and kept.access_token for kept in play.kept] == [None, "access-5"]


def test_without_credentials_an_ended_session_is_told_and_over() -> None:
    play = Play(no(401, "unauthorized"), no(401, "token-reused"))
    with pytest.raises(errors.Unauthorized) as caught:
        play.run(exchange(trading.buy("a", key="k"), play.manner))
    assert caught.value.slug == "token-reused"
    assert caught.value.idempotency_key == "k"
    with pytest.raises(errors.SignedOut):
        play.run(exchange(trading.wallet(), play.manner))


def test_a_kept_refresh_token_begins_without_a_password() -> None:
    play = Play(
        said(200, tokens(1)),
        said(200, {"balance": 1}),
        tokens=Tokens(access_token="", refresh_token="refresh-0", expires_in=0),
    )
    play.run(exchange(trading.wallet(), play.manner))
    assert sent(play.requests) == ["POST /v1/auth/refresh", "GET /v1/wallet"]


def test_a_renewal_that_is_put_off_is_repeated() -> None:
    play = Play(no(401, "unauthorized"), BUSY, said(200, tokens(1)), said(200, {"balance": 1}))
    play.run(exchange(trading.wallet(), play.manner))
    assert play.requests[-1].headers["authorization"] == "Bearer access-1"


def test_what_anyone_may_ask_needs_no_session() -> None:
    play = Play(said(200, {"items": [], "next_cursor": None}), tokens=None)
    play.run(exchange(leads.markets(), play.manner))
    assert "authorization" not in play.requests[0].headers


def test_signing_out_forgets_everything_even_if_the_server_is_away() -> None:
    play = Play(CUT, credentials=Credentials("a@b.example", "pw"), patience=Patience(repeats_max=0))
    with pytest.raises(errors.Unreachable):
        play.run(signing_out(play.manner))
    with pytest.raises(errors.SignedOut):
        play.run(exchange(trading.wallet(), play.manner))
    assert play.kept[-1] is None


def test_a_wrong_password_is_not_tried_again() -> None:
    play = Play(no(401, "invalid-credentials"), tokens=None)
    with pytest.raises(errors.Unauthorized):
        play.run(signing_in(play.manner, Credentials("a@b.example", "pw")))


def test_secrets_are_not_shown() -> None:
    credentials = Credentials("a@b.example", "hush")
    call = accounts.register("a@b.example", "hush", "Ann")
    assert "hush" not in repr(credentials)
    assert call.key
    play = Play(said(200, tokens(3)), tokens=None)
    assert "access-3" not in repr(play.run(signing_in(play.manner, credentials)))
