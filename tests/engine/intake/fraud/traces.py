"""Traces for tests: few values, so that much is shared."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from engine.intake.fraud.evidence import EvidenceBook, Trace
from engine.intake.resolution import MatchFeatures

HOUR_US = 3_600_000_000
NOW_US = 1_000 * HOUR_US


def text(*minima: int) -> bytes:
    """A sketch of 24 places: the first ones as given, the rest 9."""
    return b"".join(each.to_bytes(2, "little") for each in (*minima, *[9] * (24 - len(minima))))


def images(*hashes: int) -> bytes:
    return b"".join(each.to_bytes(4, "little") for each in hashes)


def trace(
    record: str, lead_id: str, *, seen_hours: int = 10, market: str = "austin", **features: Any
) -> Trace:
    known = MatchFeatures(
        identity=sum(ord(c) << 8 * place for place, c in enumerate(record[:7])),
        source=features.pop("source", 1),
        stable_ids=False,
        **features,
    )
    return Trace(
        key=("craigslist", record),
        lead_id=lead_id,
        market=market,
        seen_us=seen_hours * HOUR_US,
        features=known,
    )


def book_of(*traces: Trace) -> EvidenceBook:
    book = EvidenceBook()
    for each in traces:
        book.put(each)
    return book


_few = st.integers(0, 3)
_text = st.sampled_from((b"", text(1, 2, 3), text(*range(1, 13)), text(*range(100, 124))))
_features = st.fixed_dictionaries(
    {
        "source": st.integers(1, 2),
        "kind": st.integers(0, 2),
        "number": _few,
        "street": _few,
        "unit": _few,
        "postal_code": _few,
        "latitude": st.integers(300_000, 300_050),
        "longitude": st.integers(-970_050, -970_000),
        "price": st.sampled_from((0, 900, 1_000, 2_000)),
        "phone": _few,
        "email": _few,
        "name": _few,
        "listing": _few,
        "text": _text,
        "letters": _few,
        "images": st.lists(st.integers(1, 5), max_size=4).map(lambda each: images(*each)),
    }
)


@st.composite
def many_traces(draw: st.DrawFn) -> list[Trace]:
    """Traces of different records over five leads."""
    count = draw(st.integers(1, 25))
    return [
        trace(
            f"r{place}",
            f"lead-{draw(st.integers(0, 4))}",
            seen_hours=draw(st.integers(0, 60)),
            market=draw(st.sampled_from(("austin", "dallas"))),
            **draw(_features),
        )
        for place in range(count)
    ]
