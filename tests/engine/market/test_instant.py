"""Instants: exact to the microsecond, in both directions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.instant import from_datetime, rfc3339, to_datetime

instants = st.integers(0, 4_102_444_800_000_000)


@given(instants)
def test_there_and_back(at_us: int) -> None:
    assert from_datetime(to_datetime(at_us)) == at_us
    assert from_datetime(datetime.fromisoformat(rfc3339(at_us))) == at_us


@given(instants, instants)
def test_texts_sort_as_instants_do(one: int, other: int) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)


def test_the_form_is_rfc_3339_utc() -> None:
    assert rfc3339(1_777_636_800_123_456) == "2026-05-01T12:00:00.123456Z"
    assert rfc3339(1_777_636_800_000_000) == "2026-05-01T12:00:00.000000Z"


def test_another_zone_is_the_same_instant() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert from_datetime(noon.astimezone(timezone(timedelta(hours=-7)))) == from_datetime(noon)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(TypeError):
        from_datetime(datetime(2026, 5, 1, 12))  # noqa: DTZ001
