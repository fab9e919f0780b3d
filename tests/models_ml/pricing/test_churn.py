"""Churn from snapshots made by known hazards, and from the captures where there are some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models_ml.pricing.churn import (
    ABSENT_DAYS,
    AGE_BANDS,
    CLOSING_DAYS,
    DALLAS_2026,
    Churn,
    Sighting,
    churn_in,
    fit_churn,
)
from models_ml.resolution.captured import NotMeasured

KNOWN = Churn((0.05, 0.05, 0.03, 0.02, 0.015, 0.01), 0.02, 0.04, 0.1, 0.6, 0, 0)


def made_snapshots(homes: int, days: int, seed: int) -> tuple[list[Sighting], set[str]]:
    """Daily sightings of homes that enter over `days` (some before), leave by KNOWN's hazard, are
    missed now and then, and have their prices cut; and which of them were sold."""
    rng = np.random.default_rng(seed)
    entered = rng.uniform(-60, days, homes)
    left = entered + KNOWN.ages_at(rng.exponential(1.0, homes))
    sightings, sold = [], set()
    for number in range(homes):
        price, home_id = 500_000, f"home-{number}"
        if rng.random() < KNOWN.sold_share:
            sold.add(home_id)
        for day in range(max(0, int(np.ceil(entered[number]))), min(days, int(left[number]) + 1)):
            if rng.random() < KNOWN.cuts_a_day:
                price = round(price * np.exp(-KNOWN.cut))
            elif rng.random() < KNOWN.cuts_a_day / 9:
                price = round(price * 1.02)
            if rng.random() > 0.03:
                sightings.append(
                    Sighting(day, home_id, price, day - int(np.floor(entered[number])))
                )
    return sightings, sold


def test_known_hazards_are_found_again() -> None:
    sightings, sold = made_snapshots(1_500, 120, seed=5)
    churn = fit_churn(sightings, sold, last_sale_list=120)
    for found, known in zip(churn.hazard, KNOWN.hazard, strict=True):
        assert found == pytest.approx(known, rel=0.2)
    assert churn.cuts_a_day == pytest.approx(KNOWN.cuts_a_day, rel=0.1)
    assert churn.cut == pytest.approx(KNOWN.cut, rel=0.1)
    assert churn.raised_share == pytest.approx(0.1, abs=0.03)
    assert churn.sold_share == pytest.approx(KNOWN.sold_share, abs=0.05)
    assert churn.homes <= 1_500


def test_who_is_still_on_offer_has_not_left() -> None:
    days = 40
    stays = [Sighting(day, "stays", 1, day) for day in range(days)]
    leaves = [Sighting(day, "leaves", 1, day) for day in range(10)]
    churn = fit_churn(stays + leaves)
    assert churn.departures == 1
    end = days - 1 - ABSENT_DAYS
    # One of them at risk from 14 days on, until the last day on which a departure would show.
    assert churn.hazard[AGE_BANDS.index(7)] == pytest.approx(1 / (2.5 + 7))
    assert churn.hazard[AGE_BANDS.index(14)] == pytest.approx(1 / (9.5 + end))


def test_a_home_missed_for_some_days_has_not_left() -> None:
    days = [day for day in range(60) if not 20 <= day < 20 + ABSENT_DAYS - 1]
    others = [Sighting(day, "other", 1, day) for day in range(15)]
    watched = [Sighting(day, "other-2", 1, None) for day in range(60)]
    churn = fit_churn([Sighting(day, "home", 1, day) for day in days] + others + watched)
    assert churn.departures == 1


def test_a_sale_that_can_not_show_yet_is_not_asked_for() -> None:
    last = 100
    early = [Sighting(day, "early", 1, day) for day in range(last - CLOSING_DAYS)]
    late = [Sighting(day, "late", 1, day) for day in range(last - CLOSING_DAYS + 10)]
    stays = [Sighting(day, "stays", 1, day) for day in range(last)]
    assert fit_churn(early + late + stays, {"early"}, last).sold_share == 1.0
    assert fit_churn(early + late + stays, {"early"}, None).sold_share == 0.0


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="snapshots"):
        fit_churn([])
    with pytest.raises(ValueError, match="left"):
        fit_churn([Sighting(day, "stays", 1, day) for day in range(60)])


def test_ages_are_where_the_hazard_says() -> None:
    ages = np.array([0.0, 2.0, 3.0, 10.0, 45.0, 200.0])
    assert KNOWN.ages_at(KNOWN.cumulative_hazard(ages)) == pytest.approx(ages)
    drawn = KNOWN.ages_at(np.random.default_rng(1).exponential(1.0, 100_000))
    for age in (3.0, 14.0, 60.0):
        share = float(KNOWN.still_on_offer(np.array([age]))[0])
        assert (drawn > age).mean() == pytest.approx(share, abs=0.01)


def test_missing_captures_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="dallas_2026"):
        churn_in(tmp_path)


def test_the_packaged_parameters_are_those_of_the_captures(captures: Path) -> None:
    churn = churn_in(captures)
    assert churn.hazard == pytest.approx(DALLAS_2026.hazard, abs=1e-4)
    assert churn.cuts_a_day == pytest.approx(DALLAS_2026.cuts_a_day, abs=1e-4)
    assert churn.cut == pytest.approx(DALLAS_2026.cut, abs=1e-4)
    assert churn.sold_share == pytest.approx(DALLAS_2026.sold_share, abs=1e-3)
    assert (churn.homes, churn.departures) == (DALLAS_2026.homes, DALLAS_2026.departures)
