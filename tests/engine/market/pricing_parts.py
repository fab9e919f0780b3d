"""Random parts of prices, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

from engine.market.pricing.parts import AGE_MAX, BASE_MAX, DEMAND_MAX, SEATS_MAX, PriceParts
from engine.market.pricing.repricing import ANY_STEP

PARTS = st.builds(
    PriceParts,
    policy=st.integers(0, 3),
    base=st.integers(1, BASE_MAX),
    demand=st.integers(1, DEMAND_MAX),
    age=st.integers(1, AGE_MAX),
    seats=st.integers(1, SEATS_MAX),
    previous=st.integers(0, 600),
    step=st.integers(1, 60) | st.just(ANY_STEP),
    floor=st.integers(1, 30),
    ceiling=st.integers(1, 600),
    rate=st.integers(0, 50_000),
    committed=st.integers(0, 600),
    committed_at=st.just(0) | st.integers(1_790_000_000_000_000, 1_800_000_000_000_000),
)
