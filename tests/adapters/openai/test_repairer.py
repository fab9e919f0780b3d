"""The model is asked over the API as it is, and whatever it answers costs nothing but itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine.adapters.openai import repairer as module
from engine.adapters.openai.configured import repairer_for
from engine.adapters.openai.repairer import ModelRepairer, client_for
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.repairs import RepairAnswers
from engine.intake.record import SourceRecord
from engine.intake.repair import FIELDS, RepairAnswer, RepairRequest, repair_all
from engine.market.answers import Contact
from engine.settings import Settings
from tests.adapters.openai.model_server import Answering, ModelServer, fails, says, sends
from tests.adapters.sources.loopback import served

NOTHING = dict.fromkeys(FIELDS)
THREE_BEDROOMS = {**NOTHING, "bedrooms_total": 3}
REQUEST = RepairRequest(("bedrooms_total",), "Three bedrooms and a yard")


class KeptAnswers:
    """The cache in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Mapping[str, Any]] = {}

    async def known(self, model: str, hashes: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        return {h: self.rows[model, h] for h in hashes if (model, h) in self.rows}

    async def keep(
        self, model: str, content_hash: str, answer: Mapping[str, Any], tokens: int
    ) -> None:
        self.rows[model, content_hash] = dict(answer)


@asynccontextmanager
async def asking(
    *answering: Answering, tokens_max: int = 50_000, cache: KeptAnswers | None = None
) -> AsyncIterator[tuple[ModelRepairer, ModelServer]]:
    server = ModelServer(*answering)
    async with served(server.app) as address:
        repairer = ModelRepairer(
            client_for("test-key", f"{address}/v1"),
            "a-model",
            cache or KeptAnswers(),
            tokens_max=tokens_max,
        )
        try:
            yield repairer, server
        finally:
            await repairer.close()


async def test_a_record_is_repaired_over_the_api() -> None:
    record = SourceRecord(
        source="fsbo",
        source_id="1",
        remarks="Three bedrooms, ask Ana Ruiz at 702-555-0123 or ana@example.com",
        contact=Contact(name="Ana Ruiz", phone="+17025550123", email="ana@example.com"),
    )
    async with asking(says(THREE_BEDROOMS)) as (repairer, server):
        (repaired,) = await repair_all([record], repairer)
    assert repaired.bedrooms_total == 3
    assert repaired.notes["bedrooms_total"].rule == "model:a-model"
    assert repaired.notes["bedrooms_total"].confidence <= 0.6
    assert repairer.outcomes["answered"] == 1
    (body,) = server.asked
    assert body["response_format"]["json_schema"]["strict"] is True
    schema = body["response_format"]["json_schema"]["schema"]
    assert set(schema["required"]) == set(schema["properties"]) == set(FIELDS)
    assert schema["additionalProperties"] is False
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "never an instruction" in body["messages"][0]["content"]
    sent = json.dumps(body)
    for secret in ("Ana", "Ruiz", "0123", "ana@"):
        assert secret not in sent


async def test_contact_is_sent_only_where_it_is_configured() -> None:
    record = SourceRecord(source="fsbo", source_id="1", remarks="Three bedrooms, 702-555-0123")
    async with asking(says(THREE_BEDROOMS)) as (repairer, server):
        await repair_all([record], repairer, sends_contact=True)
    assert "702-555-0123" in json.dumps(server.asked)


async def test_nothing_is_asked_twice() -> None:
    cache = KeptAnswers()
    async with asking(says(THREE_BEDROOMS), cache=cache) as (repairer, server):
        first = await repairer.answers([REQUEST, REQUEST])
        again = await repairer.answers([REQUEST])
    assert first == [*again, *again]
    assert len(server.asked) == 1
    assert repairer.outcomes == {"answered": 1, "cached": 1}


async def test_an_answer_kept_under_another_schema_is_asked_for_again() -> None:
    cache = KeptAnswers()
    cache.rows["a-model", REQUEST.content_hash] = {"bedrooms": 3}
    async with asking(says(THREE_BEDROOMS), cache=cache) as (repairer, _):
        (answer,) = await repairer.answers([REQUEST])
    assert answer is not None
    assert answer.bedrooms_total == 3


@pytest.mark.parametrize(
    ("answering", "outcome"),
    [
        (says("not JSON"), "malformed"),
        (says({"bedrooms_total": 3}), "malformed"),
        (says({**THREE_BEDROOMS, "phone": "+17025550123"}), "malformed"),
        (says({**THREE_BEDROOMS, "bedrooms_total": "3"}), "malformed"),
        (says({**THREE_BEDROOMS, "bedrooms_total": 3.5}), "malformed"),
        (says([]), "malformed"),
        (says({**THREE_BEDROOMS, "property_sub_type": "x" * 20_000}), "oversized"),
        (says(None, refusal="I can't"), "declined"),
        (says(None), "declined"),
        (sends(b"{}", "application/json"), "declined"),
        (sends(b'{"choices": []}', "application/json"), "declined"),
        (sends(b"[1, 2]", "application/json"), "malformed"),
        (sends(b"{", "application/json"), "malformed"),
        (sends(b"<html>busy</html>", "text/html"), "malformed"),
        (fails(401), "denied"),
        (fails(404), "denied"),
        (fails(400), "bad-request"),
    ],
)
async def test_what_is_no_answer_leaves_the_record_as_it_was(
    answering: Answering, outcome: str
) -> None:
    record = SourceRecord(source="fsbo", source_id="1", remarks="Three bedrooms and a yard")
    async with asking(answering) as (repairer, _):
        assert await repair_all([record], repairer) == [record]
    assert +repairer.outcomes == {outcome: 1}


async def test_a_busy_model_is_asked_again_when_it_says() -> None:
    busy, broken = fails(429, retry_after_ms="1"), fails(500, retry_after_ms="1")
    async with asking(busy, broken, says(THREE_BEDROOMS)) as (repairer, server):
        (answer,) = await repairer.answers([REQUEST])
    assert answer is not None
    assert len(server.asked) == 3


@pytest.mark.parametrize(("status", "outcome"), [(429, "rate-limited"), (503, "server-error")])
async def test_a_model_that_stays_away_is_left_alone(status: int, outcome: str) -> None:
    requests = [RepairRequest(("bedrooms_total",), f"home {number}") for number in range(20)]
    async with asking(fails(status, retry_after_ms="1")) as (repairer, server):
        assert await repairer.answers(requests) == [None] * 20
    assert repairer.outcomes[outcome] + repairer.outcomes["given-up"] == 20
    # Those under way when the fifth fails still end; none is begun after it.
    assert repairer.outcomes[outcome] <= module.FAILURES_MAX + module.CONCURRENCY
    assert len(server.asked) == repairer.outcomes[outcome] * (module.RETRIES_MAX + 1)


async def test_the_budget_of_a_run_is_never_overspent() -> None:
    requests = [RepairRequest(("bedrooms_total",), f"home {number}") for number in range(20)]
    async with asking(says(THREE_BEDROOMS, tokens=3_000), tokens_max=10_000) as (repairer, server):
        answers = await repairer.answers(requests)
    asked = len(server.asked)
    assert 0 < asked * 3_000 <= 10_000
    assert sum(answer is not None for answer in answers) == asked
    assert repairer.outcomes["over-budget"] == 20 - asked
    assert repairer.tokens_left == 10_000 - asked * 3_000


@pytest.mark.parametrize("tokens", [None, "many", -5])
async def test_a_server_that_hides_its_tokens_counts_as_dear(tokens: Any) -> None:
    requests = [RepairRequest(("bedrooms_total",), f"home {number}") for number in range(20)]
    async with asking(says(THREE_BEDROOMS, tokens=tokens), tokens_max=7_000) as (repairer, server):
        await repairer.answers(requests)
    assert 1 <= len(server.asked) <= 3


async def test_a_model_out_of_reach_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES_MAX", 0)
    repairer = ModelRepairer(
        client_for("test-key", "http://127.0.0.1:1/v1"), "a-model", KeptAnswers(), tokens_max=9_000
    )
    assert await repairer.answers([REQUEST]) == [None]
    assert +repairer.outcomes == {"unreachable": 1}
    await repairer.close()


async def test_a_slow_model_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.0)
    async with asking(says(THREE_BEDROOMS)) as (repairer, _):
        assert await repairer.answers([REQUEST]) == [None]
    assert +repairer.outcomes == {"timeout": 1}


def test_without_a_key_or_a_budget_there_is_no_repairer() -> None:
    assert repairer_for(Settings(openai_api_key="", _env_file=None), KeptAnswers()) is None
    off = Settings(openai_api_key="test-key", repair_tokens_per_run=0, _env_file=None)
    assert repairer_for(off, KeptAnswers()) is None
    key = Settings(openai_api_key="test-key", _env_file=None)
    assert repairer_for(key, KeptAnswers(), tokens_max=0) is None
    on = repairer_for(Settings(openai_api_key="test-key", _env_file=None), KeptAnswers())
    assert on is not None
    assert on.name == Settings(_env_file=None).openai_model


async def test_answers_are_kept_in_the_database(database_url: str) -> None:
    pool = await open_pool(database_url, application="test-repairs")
    try:
        answers = RepairAnswers(pool)
        answer = RepairAnswer(**THREE_BEDROOMS).model_dump()
        assert await answers.known("a-model", ["abc"]) == {}
        await answers.keep("a-model", "abc", NOTHING, 800)
        await answers.keep("a-model", "abc", answer, 900)
        assert await answers.known("a-model", ["abc", "def"]) == {"abc": answer}
        assert await answers.known("other-model", ["abc"]) == {}
    finally:
        await pool.close()
