"""Leads that may be scams, from the record to the buyer: desk, book and database together."""

from __future__ import annotations

import secrets

import asyncpg
import numpy as np
import pytest
from msgspec.structs import replace

from actors.intake_desk import IntakeDesk
from actors.models import Scored
from engine.intake.fraud import rules
from engine.intake.fraud.rules import Rule
from engine.intake.record import SourceRecord
from engine.market import commands as c
from engine.market.answers import Contact
from tests.actors.fraud_stand import (
    HONEST,
    ODD,
    SCAM,
    Model,
    is_visible,
    judged_by,
    only_lead,
    score_of,
    state,
    told,
    word,
)
from tests.actors.test_intake_desk import own, position, record, take
from tests.actors.trading_house import TradingHouse, trading_house, until

SUFFICES = Rule("made-up", "it is made up", "quarantine", lambda _: True)
REMARKS = "A quiet house near the park with a new roof and a large kitchen, ask for a tour."


@pytest.fixture(autouse=True)
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes of one test look like copies of another's: what holds is what a test says."""
    monkeypatch.setattr(rules, "holding", lambda _: [])


def home(house: TradingHouse, **changes: object) -> SourceRecord:
    return replace(own(record(remarks=REMARKS), house), **changes)


def newer(each: SourceRecord, month: int, **changes: object) -> SourceRecord:
    return replace(
        each,
        content_hash=f"v{month}",
        modification_timestamp=f"2026-{month:02}-01T00:00:00Z",
        **changes,
    )


async def test_a_scam_is_never_seen_from_its_listing_on(house: TradingHouse) -> None:
    await house.book(claim_window_us=50_000)
    desk = judged_by(Model(SCAM), house)
    feed = [home(house)]
    await take(desk, feed)
    lead_id = await only_lead(house)
    assert await state(house, lead_id) == ("quarantined", True)
    assert not await is_visible(house, lead_id)
    assert await told(house) == []
    answer = await house.said(c.Buy(lead_id, await house.buyer(), secrets.token_hex(8)))
    assert isinstance(answer, c.Refused)
    assert answer.code == "not-found"
    score = await score_of(house, lead_id)
    assert (score["verdict"], score["standing"]) == ("quarantined", "quarantined")
    assert (score["probability"], score["model"], score["model_version"]) == (SCAM, "fraud", 3)
    assert score["reasons"] == ["its price"]
    assert not score["needs_rescoring"]
    # Read again, it changes nothing; newer news of it is told to nobody.
    at = await position(house)
    await take(desk, feed + feed)
    assert await position(house) == at
    await take(desk, [newer(feed[0], 2, list_price=290_000)])
    assert await told(house) == []
    assert not await is_visible(house, lead_id)
    await desk.stop()
    await house.audit()


async def test_an_odd_lead_is_shown_with_its_flag(house: TradingHouse) -> None:
    await house.book()
    model = Model(ODD)
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    assert await state(house, lead_id) == ("available", True)
    await until(lambda: _listed(house, lead_id, True))
    # What clears it takes the flag away.
    model.probability = HONEST
    await take(desk, [newer(home(house), 2, bedrooms_total=4)])
    assert await state(house, lead_id) == ("available", False)
    assert (await score_of(house, lead_id))["reasons"] == []
    await desk.stop()
    await house.audit()


async def _listed(house: TradingHouse, lead_id: str, flag: bool) -> bool:
    return ("lead.listed", lead_id, flag) in await told(house)


async def test_a_lead_that_becomes_suspicious_is_hidden_before_it_is_told(
    house: TradingHouse,
) -> None:
    await house.book()
    model = Model()
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    buyer = await house.buyer(1_000)
    await house.said(c.Hold(lead_id, buyer, "15m"))
    model.probability = SCAM
    await take(desk, [newer(home(house), 2, list_price=9_000)])
    assert await state(house, lead_id) == ("quarantined", True)
    assert not await is_visible(house, lead_id)
    await until(lambda: _last_is(house, "lead.quarantined"))
    assert "lead.updated" not in [kind for kind, _, _ in await told(house)]
    # Only a reviewer lets it go.
    model.probability = HONEST
    await take(desk, [newer(home(house), 3)])
    assert await state(house, lead_id) == ("quarantined", True)
    score = await score_of(house, lead_id)
    assert (score["verdict"], score["standing"]) == ("clear", "quarantined")
    assert await desk.decide(lead_id, word("approved"))
    assert await state(house, lead_id) == ("available", False)
    assert await is_visible(house, lead_id)
    await until(lambda: _last_is(house, "lead.listed"))
    assert (await told(house))[-1] == ("lead.listed", lead_id, False)
    await desk.stop()
    await house.audit()


async def _last_is(house: TradingHouse, kind: str) -> bool:
    events = await told(house)
    return bool(events) and events[-1][0] == kind


async def test_a_sold_lead_stays_sold_and_is_flagged(house: TradingHouse) -> None:
    await house.book()
    model = Model()
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    for _ in range(3):
        await house.buy(lead_id, await house.buyer(1_000))
    model.probability = SCAM
    await take(desk, [newer(home(house), 2, list_price=9_000)])
    assert await state(house, lead_id) == ("sold", True)
    await desk.stop()
    await house.audit()


@pytest.mark.parametrize("how", ["away", "hangs", "none", "short", "wild"])
async def test_without_the_model_rules_decide_and_it_is_asked_later(
    house: TradingHouse, how: str
) -> None:
    await house.book()
    model = Model(SCAM)
    model.away, model.hangs = how == "away", how == "hangs"
    if how == "short":
        model.answer = Scored([3, 3], [0.1, 0.1], [[], []])
    elif how == "wild":
        model.answer = Scored([3], [float("nan")], [[]])
    desk = judged_by(None if how == "none" else model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    assert await state(house, lead_id) == ("available", False)
    score = await score_of(house, lead_id)
    assert score["needs_rescoring"]
    assert (score["probability"], score["model"], score["model_version"]) == (None, None, None)
    at = await position(house)
    assert not await desk.rescore_waiting()
    assert (await score_of(house, lead_id))["scored_at"] == score["scored_at"]
    assert desk.judged()["to_rescore"] == 1
    # Back again.
    model.away = model.hangs = False
    model.answer = None
    if how == "none":
        await desk.stop()
        desk = judged_by(model, house)
    await desk.rescore_waiting()
    assert await state(house, lead_id) == ("quarantined", True)
    assert await position(house) == at + 2
    score = await score_of(house, lead_id)
    assert (score["model_version"], score["needs_rescoring"]) == (3, False)
    assert desk.judged() == {"scored": {"3": 1}, "by_rules": 1, "to_rescore": 0} or (how == "none")
    await desk.stop()
    await house.audit()


async def test_a_model_that_does_not_answer_is_left_alone_for_a_while(
    house: TradingHouse,
) -> None:
    await house.book()
    model = Model()
    model.hangs = True
    desk = judged_by(model, house, timeout=0.05, pause=60.0)
    for number in (1, 2, 3):
        await take(desk, [own(record(number=number), house)])
    assert len(model.asked) == 1
    assert not await desk.rescore_waiting()
    assert len(model.asked) == 1
    await desk.stop()


async def test_each_lead_carries_the_version_that_scored_it(house: TradingHouse) -> None:
    """With a canary two versions answer at once, and each has thresholds of its own."""
    await house.book()
    model = Model()
    model.answer = Scored([3, 4], [0.4, 0.4], [[], []], {4: (0.3, 0.35)})
    desk = judged_by(model, house)
    await take(desk, [own(record(number=number), house) for number in (1, 2)])
    rows = await house.pool.fetch(
        "SELECT model_version, verdict FROM fraud_scores WHERE market = $1 ORDER BY 1",
        house.market,
    )
    assert [tuple(row) for row in rows] == [(3, "clear"), (4, "quarantined")]
    assert desk.judged()["scored"] == {"3": 1, "4": 1}
    await desk.stop()


async def test_thresholds_set_by_the_operator_stand_above_the_models(house: TradingHouse) -> None:
    await house.book()
    model = Model(0.4)
    model.answer = Scored([3], [0.4], [[]], {3: (0.1, 0.2)})
    desk = judged_by(model, house, flag_at=0.35, quarantine_at=0.99)
    await take(desk, [home(house)])
    assert await state(house, await only_lead(house)) == ("available", True)
    await desk.stop()


@pytest.mark.parametrize("still_holds", [False, True])
async def test_what_was_quarantined_without_a_model_may_be_let_go_by_one(
    house: TradingHouse, monkeypatch: pytest.MonkeyPatch, still_holds: bool
) -> None:
    """If the rule holds no more by then; a rule that suffices is not outvoted."""
    await house.book()
    model = Model()
    model.away = True
    desk = judged_by(model, house)
    monkeypatch.setattr(rules, "holding", lambda _: [SUFFICES])
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    assert await state(house, lead_id) == ("quarantined", True)
    score = await score_of(house, lead_id)
    assert (score["is_provisional"], score["rules"]) == (True, ["made-up"])
    assert score["reasons"] == ["it is made up"]
    if not still_holds:
        monkeypatch.setattr(rules, "holding", lambda _: [])
    model.away = False
    await desk.rescore_waiting()
    expected = ("quarantined", True) if still_holds else ("available", False)
    assert await state(house, lead_id) == expected
    assert not (await score_of(house, lead_id))["is_provisional"]
    # Judged by a model once, it is let go by reviewers alone.
    monkeypatch.setattr(rules, "holding", lambda _: [])
    assert await desk.rescore() == 1
    await desk.rescore_waiting()
    assert await state(house, lead_id) == expected
    await desk.stop()
    await house.audit()


async def test_without_any_model_a_plain_scam_is_not_seen(
    house: TradingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    await house.book()
    desk = judged_by(None, house)
    plea = (
        "I am abroad on a mission and can not show you the house inside. Drive by and look through"
        " the windows. Pay the deposit with gift cards or Western Union first and I will mail"
        " you the keys today."
    )
    await take(desk, [home(house, remarks=plea, property_type="Residential Lease")])
    lead_id = await only_lead(house)
    assert await state(house, lead_id) == ("quarantined", True)
    score = await score_of(house, lead_id)
    assert (score["probability"], score["needs_rescoring"]) == (None, True)
    assert "untraceable-payment-first" in score["rules"]
    assert not await is_visible(house, lead_id)
    await desk.stop()


async def test_a_rule_that_asks_for_a_look_flags(
    house: TradingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.book()
    desk = judged_by(Model(), house)
    monkeypatch.setattr(rules, "holding", lambda _: [SUFFICES._replace(verdict="flag")])
    await take(desk, [home(house)])
    assert await state(house, await only_lead(house)) == ("available", True)
    await desk.stop()


async def test_records_of_other_markets_are_evidence(house: TradingHouse) -> None:
    """What they had before the desk started, and what they take in after it."""
    await house.book()
    async with trading_house(house.database_url, house.redis_url) as elsewhere:
        await elsewhere.book()
        other = judged_by(Model(), elsewhere)
        contact = Contact(phone="(512) 555-0163")
        await take(other, [own(record(number=51, contact=contact), elsewhere)])
        desk = judged_by(Model(), house)
        await desk.start()
        await take(other, [own(record(number=52, contact=contact), elsewhere)])
        await take(desk, [own(record(number=53, contact=contact), house)])
        assert await told_of_contact(house, desk) == (2, 2)
        # What is under way in another transaction comes when that has ended.
        connection = await asyncpg.connect(house.database_url)
        slow = connection.transaction()
        await slow.start()
        await connection.fetchval("SELECT pg_current_xact_id()::text")
        await take(other, [own(record(number=54, contact=contact), elsewhere)])
        await read_on(desk)
        assert await told_of_contact(house, desk) == (2, 2)
        await slow.commit()
        await connection.close()
        await read_on(desk)
        assert await told_of_contact(house, desk) == (3, 2)
        await desk.stop()
        await other.stop()


async def told_of_contact(house: TradingHouse, desk: IntakeDesk) -> tuple[int, int]:
    """Other leads with the contact, and markets that know it."""
    assert desk._known is not None
    found = desk._known.fraud.evidence.book.of(await only_lead(house), 0)
    return found.contact_leads, found.contact_markets


async def read_on(desk: IntakeDesk) -> None:
    assert desk._known is not None
    assert desk._store is not None
    evidence = desk._known.fraud.evidence
    evidence._read_at = 0.0
    await evidence.read_on(desk._store.connection)


async def test_a_desk_that_starts_anew_goes_on_as_before(house: TradingHouse) -> None:
    await house.book()
    model = Model(SCAM)
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    await desk.stop()
    anew = judged_by(model, house)
    await anew.start()
    at = await position(house)
    await take(anew, [home(house)])
    assert await position(house) == at
    await take(anew, [newer(home(house), 2, list_price=310_000)])
    assert await state(house, lead_id) == ("quarantined", True)
    before, after = model.asked[0], model.asked[-1]
    assert before.shape == after.shape
    assert np.array_equal(before.dtype, after.dtype)
    await anew.stop()
    await house.audit()


async def test_what_a_source_tells_of_the_advertiser_is_asked_about_and_kept_nowhere(
    house: TradingHouse,
) -> None:
    await house.book()
    model = Model()
    desk = judged_by(model, house)
    extra = {
        "advertiser_mail_domain": "someone@odd-domain.example",
        "session_country": "RO",
        "advertiser_completeness": 20,
        "advertiser_has_picture": False,
        "colour": "blue",
    }
    plain = own(record(number=2), house)
    lease = home(house, extra=extra, property_type="Residential Lease", list_price=1_200)
    await take(desk, [plain, lease])
    (known,) = model.advertisers
    (told,) = known.values()
    assert (told.mail_domain, told.login_country, told.country) == (
        "odd-domain.example",
        "ro",
        "us",
    )
    assert (told.completeness, told.has_picture, told.price) == (20.0, 0.0, 1_200.0)
    for table in ("source_records", "fraud_scores", "match_rows", "leads", "market_events"):
        kept = await house.pool.fetchval(
            f"SELECT count(*) FROM {table} t WHERE market = $1 AND t::text LIKE '%odd-domain%'",
            house.market,
        )
        assert kept == 0
    await desk.stop()
