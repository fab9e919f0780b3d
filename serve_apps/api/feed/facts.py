"""What filters look at of one market's leads on offer, packed: about 200 bytes a lead."""

from __future__ import annotations

import math
import struct
from collections.abc import Container, Iterator, Set
from typing import Any

from engine.market.listing import Listing

# list_price, living_area, lot_size_square_feet, year_built, bedrooms_total, latitude,
# longitude, number of the property type, number of the sources.
_RECORD = struct.Struct("<qqqqqddII")
_UNSTATED = -(2**63)


class FactsStore:
    """The facts of leads by id, and beside them which filters ask for those facts.

    A lead's mask has bit n set if filter number n does.
    """

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._masks: list[int] = []
        self._records = bytearray()
        self._free: list[int] = []
        self._types = _Numbers()
        self._sources = _Numbers()

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, lead_id: str) -> bool:
        return lead_id in self._slots

    def ids(self) -> Set[str]:
        return self._slots.keys()

    @property
    def slots(self) -> int:
        """Places for leads, some of them empty, for `judge`."""
        return len(self._ids)

    def put(self, lead_id: str, listing: Listing, mask: int = 0) -> None:
        slot = self._slots.get(lead_id)
        if slot is None:
            slot = self._slots[lead_id] = self._place()
            self._ids[slot] = lead_id
        self._masks[slot] = mask
        _RECORD.pack_into(
            self._records,
            slot * _RECORD.size,
            *(_UNSTATED if number is None else number for number in _numbers(listing)),
            math.nan if listing.latitude is None else listing.latitude,
            math.nan if listing.longitude is None else listing.longitude,
            self._types.number(listing.property_type),
            self._sources.number(listing.sources),
        )

    def drop(self, lead_id: str) -> None:
        slot = self._slots.pop(lead_id, None)
        if slot is not None:
            self._ids[slot] = None
            self._masks[slot] = 0
            self._free.append(slot)

    def keep(self, on_offer: Container[str]) -> None:
        """Drop every other lead."""
        for lead_id in [each for each in self._slots if each not in on_offer]:
            self.drop(lead_id)

    def mask(self, lead_id: str) -> int:
        """0 for a lead that is not here."""
        slot = self._slots.get(lead_id)
        return 0 if slot is None else self._masks[slot]

    def asked_for(self, number: int) -> list[str]:
        """Ids of the leads whose facts filter `number` asks for."""
        masks = self._masks
        return [lead_id for lead_id, slot in self._slots.items() if masks[slot] >> number & 1]

    def between(self, start: int, end: int) -> Iterator[tuple[str, Listing]]:
        """The leads in the slots from `start` up to `end`."""
        for slot in range(start, min(end, len(self._ids))):
            lead_id = self._ids[slot]
            if lead_id is not None:
                yield lead_id, self._listing(slot)

    def mark(self, lead_id: str, number: int, is_asked_for: bool) -> None:
        """Whether filter `number` asks for this lead's facts."""
        slot, bit = self._slots[lead_id], 1 << number
        mask = self._masks[slot]
        self._masks[slot] = mask | bit if is_asked_for else mask & ~bit

    def _place(self) -> int:
        if self._free:
            return self._free.pop()
        self._ids.append(None)
        self._masks.append(0)
        self._records += bytes(_RECORD.size)
        return len(self._ids) - 1

    def _listing(self, slot: int) -> Listing:
        *numbers, latitude, longitude, kind, sources = _RECORD.unpack_from(
            self._records, slot * _RECORD.size
        )
        price, area, lot, year, bedrooms = (None if n == _UNSTATED else n for n in numbers)
        return Listing(
            list_price=price,
            living_area=area,
            lot_size_square_feet=lot,
            year_built=year,
            bedrooms_total=bedrooms,
            latitude=None if math.isnan(latitude) else latitude,
            longitude=None if math.isnan(longitude) else longitude,
            property_type=self._types.value(kind),
            sources=self._sources.value(sources),
        )


class _Numbers:
    """Values that many leads share, numbered. They are few, and none is forgotten."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._of: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        found = self._of.get(value)
        if found is None:
            found = self._of[value] = len(self._values)
            self._values.append(value)
        return found

    def value(self, number: int) -> Any:
        return self._values[number]


def _numbers(listing: Listing) -> tuple[int | None, ...]:
    return (
        listing.list_price,
        listing.living_area,
        listing.lot_size_square_feet,
        listing.year_built,
        listing.bedrooms_total,
    )
