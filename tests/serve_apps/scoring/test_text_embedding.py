"""Texts of several callers: who gets what, what is refused, and what is not worked on."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from actors.models import Embedded, ModelUnavailable
from engine.rollout.roles import Version
from models_ml.embedding import lead_text
from serve_apps.scoring.in_service import InService, Loaded
from serve_apps.scoring.text_embedding import TEXTS_MAX, TEXTS_WAITING_MAX, TextEmbedding


class PaperEncoder:
    """A vector by the text's hash; `broken` gives vectors of no length."""

    schema, features = lead_text.SCHEMA, lead_text.NAMES

    def __init__(self, number: int, *, broken: bool = False) -> None:
        self.number = number
        self.broken = broken
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str], pool: Executor | None = None) -> NDArray[np.float32]:
        self.texts += texts
        if self.broken:
            return np.full((len(texts), 4), np.nan, np.float32)
        return np.stack([vector(self.number, text) for text in texts])

    def check(self) -> None:
        """It has no example."""


def vector(version: int, text: str) -> NDArray[np.float32]:
    digest = hashlib.blake2b(f"{version} {text}".encode(), digest_size=4).digest()
    found = np.array([1 + each for each in digest], np.float32)
    return found / np.linalg.norm(found)


def loaded(number: int, **how: bool) -> Loaded[Any]:
    version = Version("embedder", number, "", "", 0, 1, (), "", {}, 0, "", "")
    return Loaded(version, PaperEncoder(number, **how))


class Embedding(TextEmbedding):
    """Without a database and without Serve: what is in service is set by hand."""

    def __init__(self, **roles: Loaded[Any]) -> None:
        # Not the one of Serve, which is awaited and follows the registry.
        self.in_service = InService(**roles)
        self._tallies = {}
        self._waiting = 0
        self._pool = ThreadPoolExecutor(1)

    def __del__(self) -> None:
        self._pool.shutdown(wait=False)

    def service(self, name):  # type: ignore[no-untyped-def]
        assert name == "embedder"
        if self.in_service.live is None:
            raise ModelUnavailable("no version of embedder is live")
        return self.in_service

    @property
    def counted(self) -> dict[tuple[int, str], tuple[int, int]]:
        taken = {key[1:]: tally.taken() for key, tally in self._tallies.items()}
        return {key: (each.calls, each.errors) for key, each in taken.items() if each is not None}


async def test_each_caller_gets_its_own_vectors_of_the_version_it_asked() -> None:
    embedding = Embedding(live=loaded(1), shadow=loaded(2))
    asked = [
        embedding.checked(["a", "b"], "live"),
        embedding.checked(["c"], "shadow"),
        embedding.checked(["d"], "live"),
    ]
    answers = await embedding.answer(asked)
    for question, answer, version in zip(asked, answers, (1, 2, 1), strict=True):
        assert isinstance(answer, Embedded)
        assert answer.version == version
        wanted = np.stack([vector(version, text) for text in question.texts])
        assert (answer.vectors == wanted).all()


async def test_a_broken_shadow_takes_nothing_from_the_live_ones() -> None:
    embedding = Embedding(live=loaded(1), shadow=loaded(2, broken=True))
    live, shadow = await embedding.answer(
        [embedding.checked(["a"], "live"), embedding.checked(["a"], "shadow")]
    )
    assert isinstance(live, Embedded)
    assert isinstance(shadow, ModelUnavailable)
    assert "version 2 failed: ArithmeticError" in str(shadow)
    assert embedding.counted == {(1, "live"): (1, 0), (2, "shadow"): (1, 1)}


@pytest.mark.parametrize(
    ("texts", "role", "reason"),
    [
        ([], "live", "0 texts"),
        (["a"] * (TEXTS_MAX + 1), "live", "257 texts"),
        (["a", None], "live", "no text"),
        ("a text", "live", "no text"),
        (["a"], "canary", "not of a canary"),
    ],
)
def test_what_can_not_be_embedded_is_refused_before_it_meets_others(
    texts: Any, role: Any, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        Embedding(live=loaded(1), canary=loaded(2)).checked(texts, role)


def test_a_role_that_nobody_has_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable, match="shadow"):
        Embedding(live=loaded(1)).checked(["a"], "shadow")
    with pytest.raises(ModelUnavailable, match="no version"):
        Embedding().checked(["a"], "live")


async def test_a_version_that_is_gone_between_question_and_answer() -> None:
    embedding = Embedding(live=loaded(1), shadow=loaded(2))
    asked = [embedding.checked(["a"], "shadow"), embedding.checked(["a"], "live")]
    embedding.in_service = InService(live=embedding.in_service.live)
    shadow, live = await embedding.answer(asked)
    assert isinstance(shadow, ModelUnavailable)
    assert isinstance(live, Embedded)


async def test_texts_that_wait_are_bounded_and_room_comes_back() -> None:
    embedding = Embedding(live=loaded(1))
    many = [embedding.checked(["a"] * TEXTS_MAX, "live") for _ in range(5)]
    with embedding.waiting(many[0]), embedding.waiting(many[1]), embedding.waiting(many[2]):
        with embedding.waiting(many[3]), pytest.raises(ModelUnavailable, match="wait already"):
            embedding.waiting(many[4]).__enter__()
        with embedding.waiting(many[4]):
            pass
    assert TEXTS_WAITING_MAX == 4 * TEXTS_MAX


async def test_whoever_has_left_is_not_worked_for() -> None:
    embedding = Embedding(live=loaded(1))
    stays, leaves = embedding.checked(["stays"], "live"), embedding.checked(["leaves"], "live")
    with pytest.raises(asyncio.CancelledError), embedding.waiting(leaves):
        raise asyncio.CancelledError
    left, answered = await embedding.answer([leaves, stays])
    assert isinstance(left, ModelUnavailable)
    assert isinstance(answered, Embedded)
    assert embedding.in_service.live is not None
    assert embedding.in_service.live.model.texts == ["stays"]
    assert isinstance((await embedding.answer([leaves]))[0], ModelUnavailable)
    assert embedding.in_service.live.model.texts == ["stays"]
