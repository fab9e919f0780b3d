"""Scores leads for fraud with what is in service: live, a canary for its share, a shadow after.

Plain: `fraud_app.py` puts Serve's batching before it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from actors.models import ModelUnavailable, Scored
from engine.adapters.postgres.shadow_scores import ShadowScore
from engine.settings import Settings
from models_ml.artefact import Unusable
from models_ml.fraud.advertisements import Advertisement
from models_ml.fraud.listing_model import packaged
from models_ml.served import Served
from serve_apps.scoring.in_service import InService, Loaded, Part
from serve_apps.scoring.model_replica import ModelReplica
from serve_apps.scoring.registry_link import AWAY

log = logging.getLogger(__name__)

ROWS_MAX = 256
# Reasons cost a hundred times the score, so only who may be acted upon gets them.
SUSPECTED = 0.1
SHADOW_BATCHES_MAX = 64
# How far what is known of an advertiser may move the odds of a lead, either way.
ADVERTISER_ODDS_MAX = 20.0


class ListingModel(Served, Protocol):
    """Of rows (leads, features) the calibrated probabilities and reasons in words."""

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]: ...

    def reasons(self, rows: NDArray[np.float32]) -> list[list[str]]: ...


class AdvertiserModel(Served, Protocol):
    """Of advertisers the calibrated probabilities and reasons; `base_rate` is that of scams
    among what it learnt from."""

    base_rate: float

    def probabilities(self, ads: Sequence[Advertisement]) -> NDArray[np.float64]: ...

    def reasons(self, ads: Sequence[Advertisement]) -> list[list[str]]: ...


class Question(NamedTuple):
    """Some leads of one caller; `advertisers` by place in `lead_ids`."""

    lead_ids: list[str]
    features: NDArray[np.float32]
    advertisers: Mapping[int, Advertisement]


class FraudScoring(ModelReplica):
    """A canary that raises costs nobody an answer: its leads are scored by the live version, and
    the failure counts against it."""

    names = ("fraud", "advertiser")

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        self._shadowed: deque[tuple[list[str], NDArray[np.float32], int, NDArray[np.float64]]] = (
            deque(maxlen=SHADOW_BATCHES_MAX)
        )
        self._to_shadow = asyncio.Event()
        self._shadowing = asyncio.create_task(self._shadow(), name="shadow scores")
        await super().__init__(settings)  # type: ignore[misc]

    def checked(self, question: Question) -> Question:
        """Raises ValueError unless it has a row of this program's features for each lead, and
        ModelUnavailable without a live version."""
        live = self.service("fraud").live
        assert live is not None
        wanted = (len(question.lead_ids), len(live.version.features))
        if question.features.shape != wanted or not 0 < wanted[0] <= ROWS_MAX:
            raise ValueError(
                f"features of shape {question.features.shape} for {wanted[0]} leads;"
                f" wanted {wanted}, at most {ROWS_MAX} leads"
            )
        return question

    async def answer(self, questions: Sequence[Question]) -> list[Scored]:
        """One answer for each question, all of them scored together by one snapshot of versions.
        Raises ModelUnavailable without a live version."""
        lead_ids = [lead_id for each in questions for lead_id in each.lead_ids]
        rows = np.concatenate([each.features for each in questions])
        service = self.service("fraud")
        versions, scores, reasons = await self._listings(service, lead_ids, rows)
        if service.shadow is not None and service.live is not None:
            # Before anything else is weighed in: the shadow knows the listing alone.
            self._put_shadow(service.live, lead_ids, rows, versions, scores)
        advertisers = _advertisers(questions)
        if advertisers:
            await self._weigh_advertisers(advertisers, lead_ids, scores, reasons)
        return _shared_out(questions, versions, scores, reasons, _thresholds(service))

    async def _listings(
        self, service: InService[Any], lead_ids: list[str], rows: NDArray[np.float32]
    ) -> tuple[list[int], NDArray[np.float64], list[list[str]]]:
        versions = [0] * len(lead_ids)
        scores = np.zeros(len(lead_ids))
        reasons: list[list[str]] = [[] for _ in lead_ids]
        for part in service.parts(lead_ids):
            answering, found = await self._part(service, part, rows[part.places])
            for place, score, why in zip(part.places, *found, strict=True):
                versions[place] = answering.version.version
                scores[place], reasons[place] = score, why
        return versions, scores, reasons

    async def _part(
        self, service: InService[Any], part: Part[Any], rows: NDArray[np.float32]
    ) -> tuple[Loaded[Any], tuple[NDArray[np.float64], list[list[str]]]]:
        version = part.loaded.version.version
        try:
            with self.watching("fraud", version, part.role) as watching:
                found = await asyncio.to_thread(_scored, part.loaded.model, rows)
                watching.scores = found[0]
                watching.features = _in_bins(part.loaded.model, rows)
            return part.loaded, found
        except Exception as error:
            # Whatever a model raises that passed its check: it must not cost an answer.
            log.exception("fraud version %d (%s) failed", version, part.role)
            if part.role == "live" or service.live is None:
                raise ModelUnavailable(
                    f"fraud version {version} failed: {type(error).__name__}: {error}"
                ) from error
            live = Part("live", service.live, part.places)
            return await self._part(service, live, rows)

    async def _weigh_advertisers(
        self,
        advertisers: Mapping[int, Advertisement],
        lead_ids: list[str],
        scores: NDArray[np.float64],
        reasons: list[list[str]],
    ) -> None:
        """Into scores and reasons; without an advertiser model the listings' stand."""
        service = self.optional("advertiser")
        if service is None:
            return
        places = list(advertisers)
        for part in service.parts([lead_ids[place] for place in places]):
            chosen = [places[each] for each in part.places]
            ads = [advertisers[place] for place in chosen]
            model, version = part.loaded.model, part.loaded.version.version
            try:
                with self.watching("advertiser", version, part.role) as watching:
                    found, why = await asyncio.to_thread(_scored, model, ads)
                    watching.scores = found
            except Exception:
                log.exception("advertiser version %d (%s) failed", version, part.role)
                continue
            for place, score, words in zip(chosen, found, why, strict=True):
                scores[place] = with_advertiser(scores[place], score, model.base_rate)
                reasons[place] = [*reasons[place], *words]

    def _put_shadow(
        self,
        live: Loaded[Any],
        lead_ids: list[str],
        rows: NDArray[np.float32],
        versions: list[int],
        scores: NDArray[np.float64],
    ) -> None:
        """What the live version scored, to be scored again when there is time; what waits
        longest is dropped when there is not."""
        number = live.version.version
        places = [place for place, version in enumerate(versions) if version == number]
        chosen = [lead_ids[place] for place in places]
        self._shadowed.append((chosen, rows[places], number, scores[places].copy()))
        self._to_shadow.set()

    async def _shadow(self) -> None:
        while True:
            await self._to_shadow.wait()
            if not self._shadowed:
                self._to_shadow.clear()
                continue
            lead_ids, rows, live_version, live_scores = self._shadowed.popleft()
            service = self.optional("fraud")
            if service is None or service.shadow is None or not lead_ids:
                continue
            shadow = service.shadow
            version = shadow.version.version
            try:
                with self.watching("fraud", version, "shadow") as watching:
                    found = await asyncio.to_thread(shadow.model.probabilities, rows)
                    watching.scores = found
                await self.registry.shadowed(
                    "fraud",
                    version,
                    [
                        ShadowScore(lead_id, float(score), live_version, float(live))
                        for lead_id, score, live in zip(lead_ids, found, live_scores, strict=True)
                    ],
                )
            except AWAY as error:
                log.warning("scores of a shadow are lost: %s", error or type(error).__name__)
            except Exception:
                log.exception("fraud version %d (shadow) failed", version)

    async def __del__(self) -> None:
        if hasattr(self, "_shadowing"):
            self._shadowing.cancel()
            await asyncio.gather(self._shadowing, return_exceptions=True)
        await super().__del__()


def packaged_bundle() -> bytes:
    """Of the listing model. Raises LookupError if it did not come with the package."""
    try:
        return packaged()
    except Unusable as unusable:
        raise LookupError(str(unusable)) from unusable


def with_advertiser(listing: float, advertiser: float, base_rate: float) -> float:
    """The probability of both together: an advertiser moves a lead's odds by as much as it is
    more, or less, suspicious than advertisers are on the whole."""
    moved = _odds(advertiser) / _odds(base_rate)
    moved = min(max(moved, 1 / ADVERTISER_ODDS_MAX), ADVERTISER_ODDS_MAX)
    odds = _odds(listing) * moved
    return odds / (1 + odds)


def _odds(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1 - 1e-9)
    return bounded / (1 - bounded)


def _scored(model: Any, asked: Any) -> tuple[NDArray[np.float64], list[list[str]]]:
    """Raises Unusable if the model answers with something that is no probability."""
    scores: NDArray[np.float64] = model.probabilities(asked)
    if len(scores) != len(asked) or not ((scores >= 0) & (scores <= 1)).all():
        raise Unusable("it answered with something that is no probability")
    reasons: list[list[str]] = [[] for _ in asked]
    suspected = np.flatnonzero(scores >= SUSPECTED)
    if len(suspected):
        of_suspected = (
            asked[suspected] if isinstance(asked, np.ndarray) else [asked[i] for i in suspected]
        )
        for place, why in zip(suspected, model.reasons(of_suspected), strict=True):
            reasons[place] = why
    return scores, reasons


def _in_bins(model: Any, rows: NDArray[np.float32]) -> list[int]:
    """Counts of the rows' features in the bins of the model's reference, if it has one."""
    reference = getattr(model, "reference", None)
    return [] if reference is None else reference.counts(rows)


def _thresholds(service: InService[Any]) -> dict[int, tuple[float, float]]:
    """At which probabilities the versions that may answer want a lead flagged and quarantined."""
    found = {}
    for loaded in (service.live, service.canary):
        flag_at = getattr(loaded and loaded.model, "flag_at", None)
        if loaded is not None and flag_at is not None:
            found[loaded.version.version] = (flag_at, loaded.model.quarantine_at)
    return found


def _advertisers(questions: Sequence[Question]) -> dict[int, Advertisement]:
    """By place among the leads of all questions together."""
    found: dict[int, Advertisement] = {}
    start = 0
    for each in questions:
        found |= {start + place: ad for place, ad in each.advertisers.items()}
        start += len(each.lead_ids)
    return found


def _shared_out(
    questions: Sequence[Question],
    versions: list[int],
    scores: NDArray[np.float64],
    reasons: list[list[str]],
    thresholds: dict[int, tuple[float, float]],
) -> list[Scored]:
    answers, start = [], 0
    for each in questions:
        end = start + len(each.lead_ids)
        answering = versions[start:end]
        answers.append(
            Scored(
                answering,
                scores[start:end].tolist(),
                reasons[start:end],
                {each: thresholds[each] for each in set(answering) if each in thresholds},
            )
        )
        start = end
    return answers
