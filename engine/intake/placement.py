"""Which market a record belongs to: decided by where it stands, not by who found it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.intake.record import Rejected, SourceRecord
from engine.market_directory import Market


def place(
    record: SourceRecord, markets: Mapping[str, Market], *, hint: str | None = None
) -> SourceRecord | Rejected:
    """The record with its market set, or Rejected `out-of-market` or `no-place`.

    Coordinates decide, of the home or else of its area; a stated state must not
    contradict them. Without coordinates the hint (the market whose site carried it)
    counts unless the state contradicts it, then the state's only market, then the one
    that is named after the city.
    """
    latitude, longitude = _whereabouts(record)
    state = record.state_or_province
    if latitude is not None and longitude is not None:
        found = [m for m in markets.values() if m.contains(latitude, longitude)]
        if state is not None:
            found = [m for m in found if m.state == state]
        if not found:
            # To the tenth of a degree: the reason is kept, the home's door is not told.
            where = f"{latitude:.1f}, {longitude:.1f} {state or ''}".strip()
            return _rejected(record, "out-of-market", f"{where} lies in no market")
    elif state is None and hint is not None and hint in markets:
        found = [markets[hint]]
    elif state is None:
        return _rejected(record, "no-place", "neither coordinates nor a state, and no hint")
    else:
        found = [m for m in markets.values() if m.state == state]
        if len(found) > 1 and not any(m.slug == hint for m in found):
            found = [m for m in found if _is_a_city_of(m, record.city)]
        if not found:
            return _rejected(
                record, "out-of-market", f"{record.city or 'no city'}, {state} is in no market"
            )
    slug = next((m.slug for m in found if m.slug == hint), found[0].slug)
    return msgspec.structs.replace(record, market=slug)


def _whereabouts(record: SourceRecord) -> tuple[float | None, float | None]:
    """The home's coordinates, else the middle of its area where the source gives one."""
    if record.contact.latitude is not None:
        return record.contact.latitude, record.contact.longitude
    latitude, longitude = (record.extra.get(f"area_{side}") for side in ("latitude", "longitude"))
    if isinstance(latitude, float) and isinstance(longitude, float):
        return latitude, longitude
    return None, None


def _is_a_city_of(market: Market, city: str | None) -> bool:
    return city is not None and city.strip().lower() in market.name.lower().split("/")


def _rejected(record: SourceRecord, reason: str, detail: str) -> Rejected:
    return Rejected(
        source=record.source,
        source_id=record.source_id,
        reason=reason,
        detail=detail,
        content_hash=record.content_hash,
    )
