"""What reviewers decide of leads, through merges, rewrites and restarts; and its labels."""

from __future__ import annotations

import random

import asyncpg
import numpy as np
import pytest
from msgspec.structs import replace

from engine.intake.fraud import rules
from engine.intake.record import SourceRecord
from engine.market import commands as c
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
from tests.actors.test_fraud_desk import home, newer
from tests.actors.test_intake_desk import position, take
from tests.actors.test_intake_merges import merge_rows, states, three
from tests.actors.trading_house import TradingHouse

SCAM_TEXT = "I am abroad and can not show it, so send the deposit by wire before you get the keys."


@pytest.fixture(autouse=True)
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "holding", lambda _: [])


async def labels(house: TradingHouse, lead_id: str) -> list[asyncpg.Record]:
    return await house.pool.fetch(
        "SELECT * FROM fraud_labels WHERE lead_id = $1 ORDER BY label_id", lead_id
    )


async def test_labels_hold_the_features_that_were_scored(house: TradingHouse) -> None:
    await house.book()
    model = Model(SCAM)
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    assert await desk.decide(lead_id, word("rejected", "the photos are another's"))
    (label,) = await labels(house, lead_id)
    scored = model.asked[0][0]
    assert np.array_equal(np.array(label["features"], np.float32), scored, equal_nan=True)
    assert (label["is_scam"], label["reason"]) == (True, "the photos are another's")
    assert (label["verdict"], label["probability"]) == ("quarantined", SCAM)
    assert (label["model"], label["model_version"], label["decided_by"]) == ("fraud", 3, "admin")
    assert await state(house, lead_id) == ("withdrawn", True)
    # Said twice it is one label; another word is another.
    at = await position(house)
    assert await desk.decide(lead_id, word("rejected", "the photos are another's"))
    assert (len(await labels(house, lead_id)), await position(house)) == (1, at)
    assert await desk.decide(lead_id, word("approved", "the owner sent papers"))
    assert [each["is_scam"] for each in await labels(house, lead_id)] == [True, False]
    assert await state(house, lead_id) == ("available", False)
    await desk.stop()
    await house.audit()


async def test_an_approval_stands_until_the_lead_is_another(house: TradingHouse) -> None:
    await house.book()
    model = Model(SCAM)
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    await desk.decide(lead_id, word("approved"))
    await take(desk, [newer(home(house), 2, list_price=295_000)])
    assert await state(house, lead_id) == ("available", False)
    assert (await score_of(house, lead_id))["verdict"] == "quarantined"
    await desk.rescore([lead_id])
    await desk.rescore_waiting()
    assert await state(house, lead_id) == ("available", False)
    await take(desk, [newer(home(house), 3, remarks=SCAM_TEXT)])
    assert await state(house, lead_id) == ("quarantined", True)
    score = await score_of(house, lead_id)
    assert (score["decision"], score["decided_by"], score["decided_at"]) == (None, None, None)
    assert len(await labels(house, lead_id)) == 1
    await desk.stop()
    await house.audit()


async def test_a_rejected_lead_comes_back_to_reviewers_alone(house: TradingHouse) -> None:
    await house.book()
    model = Model(SCAM)
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    await desk.decide(lead_id, word("rejected"))
    model.probability = HONEST
    await take(desk, [newer(home(house), 2, standard_status="Closed")])
    await take(desk, [newer(home(house), 3)])
    assert await state(house, lead_id) == ("withdrawn", True)
    # Rewritten, it is a new question.
    await take(desk, [newer(home(house), 4, remarks=SCAM_TEXT)])
    assert await state(house, lead_id) == ("quarantined", True)
    assert "lead.listed" not in [kind for kind, _, _ in await told(house)]
    await desk.stop()
    await house.audit()


async def test_a_hidden_lead_that_goes_and_comes_back_is_hidden(house: TradingHouse) -> None:
    await house.book()
    model = Model(SCAM)
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    await take(desk, [newer(home(house), 2, standard_status="Closed")])
    assert (await state(house, lead_id))[0] == "withdrawn"
    await take(desk, [newer(home(house), 3)])
    assert await state(house, lead_id) == ("quarantined", True)
    assert "lead.listed" not in [kind for kind, _, _ in await told(house)]
    await desk.stop()
    await house.audit()


async def test_one_that_was_shown_comes_back_suspicious(house: TradingHouse) -> None:
    await house.book()
    model = Model()
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    await take(desk, [newer(home(house), 2, standard_status="Closed")])
    model.probability = SCAM
    await take(desk, [newer(home(house), 3)])
    assert await state(house, lead_id) == ("quarantined", True)
    assert [kind for kind, _, _ in await told(house)].count("lead.listed") == 1
    await desk.stop()
    await house.audit()


async def test_what_an_operator_hid_no_model_lets_go(house: TradingHouse) -> None:
    await house.book()
    model = Model()
    model.away = True
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    await desk.decide(lead_id, word("held"))
    assert await state(house, lead_id) == ("quarantined", True)
    assert not await labels(house, lead_id)
    model.away = False
    await desk.rescore_waiting()
    await take(desk, [newer(home(house), 2, remarks=SCAM_TEXT)])
    assert await state(house, lead_id) == ("quarantined", True)
    await desk.stop()
    await house.audit()


async def test_what_the_book_could_not_hide_is_tried_again(
    house: TradingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.book()
    model = Model()
    desk = judged_by(model, house)
    await take(desk, [home(house)])
    lead_id = await only_lead(house)
    tell, lost = desk._tell, 0

    async def losing(request: object) -> object:
        nonlocal lost
        if isinstance(request.command, c.Quarantine) and not lost:  # type: ignore[attr-defined]
            lost += 1
            return None
        return await tell(request)  # type: ignore[arg-type]

    monkeypatch.setattr(desk, "_tell", losing)
    model.probability = SCAM
    await take(desk, [newer(home(house), 2, list_price=9_000)])
    assert (lost, (await state(house, lead_id))[0]) == (1, "available")
    await desk.rescore_waiting()
    assert await state(house, lead_id) == ("quarantined", True)
    await desk.stop()


async def test_what_joins_a_scam_is_looked_at_first(house: TradingHouse) -> None:
    """Labels go along with the lead they are about, and the one that stays is held."""
    await house.book()
    model = Model()
    desk = judged_by(model, house)
    by_address, by_number, both = three(house)
    await take(desk, [by_address])
    await take(desk, [by_number])
    older, younger = await states(house)
    await desk.decide(younger, word("rejected", "a scam"))
    await take(desk, [both])
    assert (await states(house))[younger] == ("withdrawn", older)
    assert await state(house, older) == ("quarantined", True)
    assert await score_of(house, younger) is None
    assert (await score_of(house, older))["decision"] == "held"
    assert [each["reason"] for each in await labels(house, older)] == ["a scam"]
    assert not await desk.decide(younger, word("approved"))
    assert await desk.decide(older, word("approved"))
    assert await state(house, older) == ("available", False)
    # Taken apart, the new lead is judged for itself.
    (merge,) = await merge_rows(house)
    model.probability = ODD
    split = await desk.undo_merge(merge["merge_id"], "admin")
    assert split is not None
    assert await state(house, split.new_lead_id) == ("available", True)
    await desk.stop()
    await house.audit()


async def test_a_hidden_lead_stays_and_takes_its_twin_out_of_sight(house: TradingHouse) -> None:
    await house.book()
    model = Model()
    desk = judged_by(model, house)
    by_address, by_number, both = three(house)
    await take(desk, [by_address])
    model.probability = SCAM
    await take(desk, [by_number])
    shown, hidden = await states(house)
    if (await state(house, shown))[0] == "quarantined":
        shown, hidden = hidden, shown
    model.probability = HONEST
    await take(desk, [both])
    assert (await states(house))[shown] == ("withdrawn", hidden)
    assert await state(house, hidden) == ("quarantined", True)
    await desk.stop()
    await house.audit()


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_shown_is_what_was_decided_last(house: TradingHouse, seed: int) -> None:
    """Records, decisions, outages and restarts in any order."""
    await house.book()
    rng, model = random.Random(seed), Model()
    desk = judged_by(model, house)
    lead = Shown(home(house))
    await take(desk, [lead.record])
    lead_id = await only_lead(house)
    for _ in range(25):
        step = rng.choice(("price", "price", "rewrite", "decide", "away", "restart", "rescore"))
        if step == "restart":
            await desk.stop()
            desk = judged_by(model, house)
            await desk.start()
        elif step == "away":
            model.away = not model.away
        elif step == "rescore":
            await desk.rescore()
            await desk.rescore_waiting()
            if not model.away:
                lead.hears(model.probability)
        elif step == "decide":
            decision = rng.choice(("approved", "rejected", "held"))
            await desk.decide(lead_id, word(decision, str(rng.random())))
            lead.decision = decision
            lead.hidden = decision != "approved"
            lead.hears(None if model.away else model.probability)
        else:
            model.probability = rng.choice((HONEST, ODD, SCAM))
            await take(desk, [lead.changed(rng, is_rewritten=step == "rewrite")])
            lead.hears(None if model.away else model.probability)
        found, flag = await state(house, lead_id)
        assert (found, flag) == lead.expected(), step
        if found == "quarantined":
            assert not await is_visible(house, lead_id)
    await desk.stop()
    await house.audit()


class Shown:
    """One lead as it ought to be: the last decision about it, else what was found of it."""

    def __init__(self, record: SourceRecord) -> None:
        self.record = record
        self.decision: str | None = None
        self.hidden = self.flagged = False
        self.texts = self.changes = 0

    def changed(self, rng: random.Random, *, is_rewritten: bool) -> SourceRecord:
        self.changes += 1
        remarks = self.record.remarks
        if is_rewritten:
            self.texts += 1
            self.decision = None
            words = (chr(97 + (self.texts + n) % 26) * (n + 2) for n in range(20))
            remarks = " ".join(words)
        self.record = replace(
            self.record,
            remarks=remarks,
            list_price=300_000 + rng.randrange(-10_000, 10_000),
            content_hash=f"v{self.changes}",
            modification_timestamp=f"2026-02-01T00:{self.changes:02}:00Z",
        )
        return self.record

    def hears(self, probability: float | None) -> None:
        """Without a model and without a rule nothing is suspicious but what was before."""
        self.flagged = probability is not None and probability >= 0.5
        self.hidden |= probability is not None and probability >= 0.9 and self.decision is None

    def expected(self) -> tuple[str, bool]:
        if self.decision == "rejected":
            return "withdrawn", True
        if self.decision == "approved":
            return "available", False
        if self.hidden:
            return "quarantined", True
        return "available", self.flagged
