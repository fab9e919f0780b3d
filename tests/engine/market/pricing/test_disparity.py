"""Areas against their market: what is beyond the bounds, and what is too thin to tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.pricing.disparity import (
    RATIO_LEAST,
    RATIO_MOST,
    SAMPLE_LEAST,
    Area,
    Disparity,
    Watched,
    disparity,
)


def town(seed: int = 1, each: int = 200, **other: float) -> Watched:
    """Four areas alike, but for what `other` makes of the last: factors of its price, its
    impressions and its time to sale."""
    rng = np.random.default_rng(seed)
    size = 4 * each
    area = np.repeat(["north", "south", "west", "east"], each)
    east = area == "east"
    base = rng.uniform(10, 60, size)
    is_lease = rng.random(size) < 0.4
    list_price = np.where(is_lease, base * 60, base * 12_000) * rng.uniform(0.8, 1.2, size)
    price = base * rng.uniform(0.8, 1.2, size) * np.where(east, other.get("price", 1), 1)
    to_sale = rng.exponential(50 * np.where(east, other.get("to_sale", 1), 1))
    hours = np.minimum(to_sale, 100.0)
    shown = rng.poisson(hours * 0.5 * np.where(east, other.get("shown", 1), 1)).astype(float)
    return Watched(
        list(area), price, base, list_price, is_lease, hours, to_sale <= 100, shown, hours
    )


def of(found: Disparity, name: str) -> Area:
    return next(area for area in found.areas if area.area == name)


def verdicts(area: Area) -> dict[str, str]:
    ratios: dict[str, Any] = area._asdict()
    return {name: value.verdict for name, value in ratios.items() if hasattr(value, "verdict")}


def test_areas_alike_are_within() -> None:
    found = disparity(town())
    assert found.leads == 800
    assert found.left_out == 0
    assert found.notes == []
    for area in found.areas:
        assert set(verdicts(area).values()) == {"within"}
        assert area.lead_share == 0.25
        assert area.price_to_base.least is not None
        assert area.price_to_base.most is not None
        assert area.price_to_base.least < 1.05
        assert area.price_to_base.most > 0.95


@pytest.mark.parametrize(
    ("other", "beyond"),
    [
        ({"price": 1.6}, {"price_to_base", "price_to_list"}),
        ({"price": 0.6}, {"price_to_base", "price_to_list"}),
        ({"shown": 0.4}, {"impressions"}),
        ({"to_sale": 4.0}, {"time_to_sale"}),
    ],
)
def test_another_area_is_beyond(other: dict[str, float], beyond: set[str]) -> None:
    found = disparity(town(**other))
    said = verdicts(of(found, "east"))
    assert {name for name, verdict in said.items() if verdict == "beyond"} == beyond
    assert sum("east has" in note for note in found.notes) == len(beyond)
    assert "beyond" not in verdicts(of(found, "north")).values()


def test_a_thin_area_is_told_not_judged() -> None:
    found = disparity(town(each=SAMPLE_LEAST - 1, price=3.0))
    assert set(verdicts(of(found, "east")).values()) == {"thin"}
    assert of(found, "east").price_to_base.ratio is not None
    assert any("say too little" in note for note in found.notes)
    assert not any("beyond" in note for note in found.notes)


def test_what_may_be_chance_is_unclear() -> None:
    leads = town(each=40)
    rng = np.random.default_rng(4)
    wide = leads._replace(price=leads.base * np.exp(rng.normal(0, 1.5, 160)))
    seen = {v for area in disparity(wide).areas for v in verdicts(area).values()}
    assert "unclear" in seen
    assert any("by chance" in note for note in disparity(wide).notes)


def test_sales_and_leases_are_not_mixed() -> None:
    """An area of leases only costs no more against what is asked for its homes."""
    leads = town()
    is_lease = np.asarray(leads.area) == "east"
    list_price = np.where(is_lease, leads.base * 60, leads.base * 12_000)
    found = disparity(leads._replace(is_lease=is_lease, list_price=list_price))
    assert {area.price_to_list.verdict for area in found.areas} == {"within"}


def test_what_is_not_recorded_is_said() -> None:
    leads = town()._replace(shown=None, shown_hours=None, is_sold=np.zeros(800, dtype=bool))
    found = disparity(leads)
    assert all(area.impressions is None for area in found.areas)
    assert {area.time_to_sale.verdict for area in found.areas} == {"thin"}
    assert "impressions per hour on offer: not recorded" in found.notes
    assert "nothing has been sold: time to sale is unknown" in found.notes
    assert found.market.hours_per_sale is None


def test_nothing_shown_in_an_area_is_beyond() -> None:
    leads = town()
    assert leads.shown is not None
    found = disparity(
        leads._replace(shown=np.where(np.asarray(leads.area) == "east", 0, leads.shown))
    )
    shown = of(found, "east").impressions
    assert shown is not None
    assert (shown.ratio, shown.verdict) == (0.0, "beyond")


def test_leads_without_a_place_and_small_areas_are_left_out() -> None:
    leads = town()
    area = ["" if n % 4 == 0 else name for n, name in enumerate(leads.area)]
    found = disparity(leads._replace(area=area), areas_most=2)
    assert len(found.areas) == 2
    assert found.left_out == 800 - sum(each.leads for each in found.areas) == 500


def test_an_empty_market() -> None:
    none = np.array([])
    flags = np.array([], dtype=bool)
    found = disparity(Watched([], none, none, none, flags, none, flags))
    assert (found.leads, found.areas, found.notes) == (0, [], [])


@given(st.integers(0, 40), st.integers(1, 60))
def test_verdicts_follow_their_rule(seed: int, each: int) -> None:
    for area in disparity(town(seed, each, price=1.0 + seed / 40)).areas:
        for ratio in (area.price_to_base, area.price_to_list, area.impressions, area.time_to_sale):
            assert ratio is not None
            if ratio.ratio is None:
                assert ratio.verdict == "thin"
                continue
            assert ratio.least is not None
            assert ratio.most is not None
            assert ratio.least <= ratio.ratio <= ratio.most
            assert (ratio.verdict == "thin") == (ratio.sample < SAMPLE_LEAST)
            if ratio.verdict == "within":
                assert RATIO_LEAST <= ratio.ratio <= RATIO_MOST
            if ratio.verdict == "beyond":
                assert not ratio.least <= 1 <= ratio.most
