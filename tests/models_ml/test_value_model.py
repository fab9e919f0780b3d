"""The base value as it is shipped: which way it may move, and what happens without it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.offer import starting_parts
from engine.market.fair_housing import ALLOWED
from engine.market.listing import Listing, QualityParts
from models_ml.value import artefact
from models_ml.value.comparables import Compared
from models_ml.value.features import FEATURES, NAMES, SCHEMA, feature_matrix
from models_ml.value.value_model import (
    BASE_LEAST,
    BASE_MOST,
    BATCH,
    TOLD_MAX,
    ValueModel,
    load,
)

MODEL = load()
SHARES = st.floats(0, 1)
PARTS = ("completeness", "freshness", "contactability", "motivation", "agreement")


@st.composite
def leads(draw: st.DrawFn) -> tuple[Listing, int, Compared]:
    """Any lead, also ones that no source would show."""
    parts = {name: draw(SHARES) for name in PARTS}
    listing = Listing(
        quality=draw(SHARES),
        quality_parts=QualityParts(**parts),
        property_type=draw(st.sampled_from(["Residential", "Residential Lease", "Land", None])),
        property_sub_type=draw(
            st.sampled_from(["Single Family Residence", "Apartment", "Condominium", "Duplex", None])
        ),
        list_price=draw(st.none() | st.integers(300, 5_000_000)),
    )
    count = draw(st.integers(0, 15))
    price_to = draw(st.floats(-1.5, 1.5)) if count else np.nan
    return (
        listing,
        draw(st.integers(1, 5)),
        Compared(np.array([price_to]), np.array([count], dtype=np.int32)),
    )


def value(listing: Listing, seats: int, compared: Compared) -> int:
    return int(MODEL.values([listing], [seats], compared)[0])


def test_the_packaged_model_is_used() -> None:
    assert MODEL.reason is None
    assert MODEL.metadata is not None
    assert "SIMULATED" in MODEL.metadata.trained_on
    assert MODEL.metadata.features == NAMES
    assert MODEL.metadata.schema == SCHEMA
    assert MODEL.metadata.metrics["log_loss"] < MODEL.metadata.metrics["table_log_loss"]
    files = [artefact.packaged() / name for name in (artefact.MODEL_FILE, artefact.METADATA_FILE)]
    assert sum(file.stat().st_size for file in files) < 300_000


@given(leads(), st.sampled_from(PARTS), SHARES)
def test_more_of_a_good_thing_is_never_cheaper(
    lead: tuple[Listing, int, Compared], part: str, other: float
) -> None:
    listing, seats, compared = lead
    assert listing.quality_parts is not None
    least, most = sorted((other, getattr(listing.quality_parts, part)))
    values = [
        value(
            msgspec.structs.replace(
                listing,
                quality_parts=msgspec.structs.replace(listing.quality_parts, **{part: share}),
            ),
            seats,
            compared,
        )
        for share in (least, most)
    ]
    assert values[0] <= values[1]


@given(leads(), st.integers(1, 10))
def test_fewer_buyers_are_never_cheaper(lead: tuple[Listing, int, Compared], other: int) -> None:
    listing, seats, compared = lead
    few, many = sorted((seats, other))
    assert value(listing, few, compared) >= value(listing, many, compared)


@given(leads(), SHARES)
def test_values_are_bounded_and_quantiles_in_order(
    lead: tuple[Listing, int, Compared], share: float
) -> None:
    listing, seats, compared = lead
    middle = value(listing, seats, compared)
    assert BASE_LEAST <= middle <= BASE_MOST
    if 0 < share < 1:
        quantile = int(MODEL.quantiles([listing], [seats], compared, share)[0])
        assert (quantile <= middle) if share <= 0.5 else (quantile >= middle)


def test_many_are_as_one_by_one() -> None:
    listings = [Listing(list_price=200_000 + n, quality_parts=QualityParts()) for n in range(50)]
    seats = np.arange(50) % 3 + 1
    compared = Compared.unknown(50)
    together = MODEL.values(listings, seats, compared)
    alone = [value(each, int(n), Compared.unknown(1)) for each, n in zip(listings, seats)]  # noqa: B905
    assert together.tolist() == alone
    assert together.dtype == np.int64


def test_batches_join() -> None:
    size = BATCH + 3
    listings = [Listing(list_price=300_000)] * (size - 1) + [Listing(list_price=30_000)]
    values = MODEL.values(listings, [3] * size, Compared.unknown(size))
    assert len(values) == size
    assert len(set(values[:-1].tolist())) == 1


def test_none_are_valued() -> None:
    assert MODEL.values([], [], Compared.unknown(0)).tolist() == []


def test_out_of_step_is_refused() -> None:
    with pytest.raises(ValueError, match="in step"):
        MODEL.values([Listing()], [1, 2], Compared.unknown(1))
    with pytest.raises(ValueError, match="share"):
        MODEL.quantiles([Listing()], [1], Compared.unknown(1), 1.0)


def test_what_was_journalled_without_parts_has_a_value() -> None:
    assert BASE_LEAST <= value(Listing(list_price=300_000), 3, Compared.unknown(1)) <= BASE_MOST


def test_the_explanation_multiplies_up_to_the_value() -> None:
    listing = Listing(
        list_price=410_000,
        property_type="Residential",
        property_sub_type="Single Family Residence",
        quality_parts=QualityParts(completeness=0.9, contactability=1.0, motivation=0.6),
    )
    compared = Compared(np.array([-0.2]), np.array([12], dtype=np.int32))
    (told,) = MODEL.explain([listing], [1], compared)
    assert len(told) == 3
    assert [abs(np.log(each.factor)) for each in told] == sorted(
        (abs(np.log(each.factor)) for each in told), reverse=True
    )
    assert {each.feature for each in told} <= set(NAMES)
    (longest,) = MODEL.explain([listing], [1], compared, most=99)
    assert len(longest) == TOLD_MAX
    words = {each.feature: each.words for each in longest}
    assert words["max_buyers"].startswith("for one buyer alone: +")


@pytest.mark.parametrize(
    ("feature", "says"),
    [
        ("price_to_comparables", "asks 18 % below homes near by"),
        ("list_price_log", "asking price $410,000"),
        ("comparables_log", "12 homes to compare with"),
        ("agreement", "agreement unknown"),
        ("contactability", "ways to reach 100 %"),
    ],
)
def test_a_contribution_is_said_in_words(feature: str, says: str) -> None:
    from models_ml.value.value_model import _said

    values: dict[str, Any] = {
        "price_to_comparables": -0.2,
        "list_price_log": float(np.log(410_000)),
        "comparables_log": float(np.log1p(12)),
        "agreement": None,
        "contactability": 1.0,
    }
    assert _said(feature, values[feature]) == says


# --- without a usable model -------------------------------------------------------------


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in (artefact.MODEL_FILE, artefact.METADATA_FILE):
        shutil.copy(artefact.packaged() / name, tmp_path / name)
    return tmp_path


def is_table(model: ValueModel) -> bool:
    listings = [Listing(quality=0.7, list_price=n * 90_000) for n in range(1, 9)]
    expected = [max(BASE_LEAST, starting_parts(each, 3).base) for each in listings]
    assert model.explain(listings, [3] * 8, Compared.unknown(8)) == [[]] * 8
    return model.values(listings, [3] * 8, Compared.unknown(8)).tolist() == expected


def test_a_copy_is_as_good(copied: Path) -> None:
    assert load(copied).reason is None


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        (artefact.MODEL_FILE, lambda text: text[:-5], "not the file"),
        (artefact.MODEL_FILE, lambda text: None, "can't be read"),
        (artefact.MODEL_FILE, lambda text: b" " * (artefact.MODEL_BYTES_MAX + 1), "longer than"),
        (artefact.METADATA_FILE, lambda text: None, "can't be read"),
        (artefact.METADATA_FILE, lambda text: b"{", "base_value.meta.json"),
        (artefact.METADATA_FILE, lambda text: text.replace(b"freshness", b"crime"), "schema"),
        (artefact.METADATA_FILE, lambda text: text.replace(b'schema": 1', b'schema": 9'), "9"),
    ],
)
def test_what_can_t_be_used_is_named_and_the_table_stands_in(
    copied: Path, name: str, change: Any, reason: str
) -> None:
    changed = change((copied / name).read_bytes())
    (copied / name).unlink()
    if changed is not None:
        (copied / name).write_bytes(changed)
    model = load(copied)
    assert model.reason is not None
    assert reason in model.reason
    assert is_table(model)


def test_a_model_that_is_no_model_is_named(copied: Path) -> None:
    model, metadata = artefact.read(copied)
    import hashlib

    broken = model[: len(model) // 2]
    artefact.write(
        copied,
        broken,
        msgspec.structs.replace(metadata, model_sha256=hashlib.sha256(broken).hexdigest()),
    )
    found = load(copied)
    assert found.reason is not None
    assert artefact.MODEL_FILE in found.reason
    assert is_table(found)


def test_without_xgboost_the_table_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "xgboost", None)
    found = load()
    assert found.reason is not None
    assert "XGBoost can't be imported" in found.reason
    assert is_table(found)


# --- features ---------------------------------------------------------------------------


def test_features_are_named_and_on_the_list() -> None:
    assert len(set(NAMES)) == len(FEATURES)
    assert all(feature.meaning and feature.unit and feature.words for feature in FEATURES)
    assert set(NAMES) == ALLOWED["model"].keys()


def test_the_matrix_has_what_is_known() -> None:
    parts = QualityParts(completeness=0.1, freshness=0.2, contactability=0.3, motivation=0.4)
    listings = [
        Listing(
            quality_parts=parts,
            property_type="Residential Lease",
            property_sub_type="Apartment",
            list_price=1_500,
        ),
        Listing(property_type="Land"),
    ]
    compared = Compared(np.array([0.25, np.nan]), np.array([7, 0], dtype=np.int32))
    matrix = feature_matrix(listings, [1, 3], compared)
    expected = [
        [0.1, 0.2, 0.3, 0.4, np.nan, 1, 1, 1, 0, np.log(1500), 0.25, np.log(8)],
        [*[np.nan] * 5, 3, 0, 0, 1, np.nan, np.nan, 0],
    ]
    np.testing.assert_allclose(matrix, np.array(expected, dtype=np.float32), rtol=1e-6)
