"""What other records tell of a lead: the same contact, text or pictures elsewhere.

One implementation for training and for the market's desks: both put traces in and ask.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
import numpy as np

from engine.intake.fraud import evidence_reading as reading
from engine.intake.fraud.trace_index import PRIORITY_BITS, TraceIndex
from engine.intake.fraud.trace_table import FAMILIES, TraceTable
from engine.intake.resolution import MatchFeatures

# Of a lead with more records those with the least hash are looked at.
OWN_TRACES_MAX: Final = 64


class Trace(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What one record leaves behind: hashes, neither text nor contact. `seen_us` is when it was
    first seen, µs since the epoch UTC; `features` are those it is recognised by."""

    key: tuple[str, str]
    lead_id: str
    market: str
    seen_us: int
    features: MatchFeatures


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one lead beside its listing. Counts are of other leads unless they say
    otherwise, and are "at least" beyond 256 records for one phone, address, text or picture.

    A contact is a phone or an e-mail. *Another contact* is one that is stated on both sides
    and has neither phone, e-mail nor name in common. Prices are compared within lease and
    sale; `_under` is the logarithm of the others' median over the own lowest price, above 0 if
    this lead is cheaper, else 0. Distances are kilometres.
    """

    # The lead's own records.
    records: int = 0
    sources: int = 0
    own_contacts: int = 0
    own_price_spread: float = 0.0
    own_places_km: float = 0.0
    age_us: int = 0
    # The same phone or e-mail; `contact_known_us` is how long ago it was first seen anywhere.
    contact_leads: int = 0
    contact_addresses: int = 0
    contact_markets: int = 0
    contact_sources: int = 0
    contact_leads_day: int = 0
    contact_known_us: int = 0
    # The same name under another phone or e-mail.
    name_leads: int = 0
    # Half of the text or more.
    text_leads: int = 0
    text_other_contact: int = 0
    text_other_address: int = 0
    text_likeness: float = 0.0
    text_was_first: bool = True
    # Pictures; `pictures_shared` with the one lead of another contact or address that has most.
    pictures: int = 0
    picture_leads: int = 0
    picture_other_contact: int = 0
    picture_other_address: int = 0
    pictures_shared: int = 0
    picture_was_first: bool = True
    # The same house number and street, and no other unit.
    address_leads: int = 0
    address_other_contact: int = 0
    address_other_kind: int = 0
    address_under: float = 0.0
    # The same listing number.
    listing_under: float = 0.0
    # From the own point to the middle of what is known of the stated postal code; None if
    # fewer than five other leads tell.
    place_km: float | None = None


class EvidenceBook:
    """Traces of all markets, and what they tell of a lead. Bounded in what it keeps for one
    value: a phone on a million addresses costs no more than one on a thousand."""

    def __init__(self) -> None:
        self._table = TraceTable()
        self._index = TraceIndex()
        self._row_of: dict[int, int] = {}
        self._lead_of: dict[str, int] = {}
        self._rows_of: list[list[int]] = []
        self._markets: dict[str, int] = {}

    def __len__(self) -> int:
        return self._table.size

    @property
    def size_bytes(self) -> int:
        """Of the arrays; the dictionaries of leads and traces come on top."""
        return self._table.size_bytes + self._index.size_bytes

    def put(self, trace: Trace) -> None:
        """A record's trace in place of what it left before under the same key and features."""
        lead = self._lead(trace.lead_id)
        market = self._markets.setdefault(trace.market, len(self._markets))
        mark = _mark(trace)
        row = self._row_of.get(mark)
        if row is not None:
            self._rows_of[self._table.lead(row)].remove(row)
            self._table.place(row, lead=lead, market=market, seen_us=trace.seen_us)
        else:
            row = self._table.append(
                trace.features, lead=lead, market=market, seen_us=trace.seen_us
            )
            self._row_of[mark] = row
            keys = (key for _, key in self._table.keys(row))
            self._index.add(keys, row, mark & ((1 << PRIORITY_BITS) - 1))
        self._rows_of[lead].append(row)

    def merged(self, goes: str, stays: str) -> None:
        """What belongs to one lead is another's from now on."""
        if goes == stays or goes not in self._lead_of:
            return
        rows = self._rows_of[self._lead_of[goes]]
        lead = self._lead(stays)
        self._table.belong(rows, lead)
        self._rows_of[lead].extend(rows)
        self._rows_of[self._lead_of[goes]] = []

    def of(self, lead_id: str, now_us: int) -> Evidence:
        """What others tell of it, whether or not it left traces itself."""
        lead = self._lead_of.get(lead_id)
        if lead is None or not self._rows_of[lead]:
            return Evidence()
        traces = self._traces(lead)
        return Evidence(
            **reading.of_own_records(traces, now_us),
            **reading.of_contact(traces, now_us),
            **reading.of_text(traces),
            **reading.of_pictures(traces),
            **reading.of_address(traces),
            **reading.of_listing_number(traces),
            **reading.of_place(traces),
        )

    def _lead(self, lead_id: str) -> int:
        lead = self._lead_of.setdefault(lead_id, len(self._rows_of))
        if lead == len(self._rows_of):
            self._rows_of.append([])
        return lead

    def _traces(self, lead: int) -> reading.LeadTraces:
        table = self._table
        rows = np.array(self._rows_of[lead], dtype=np.int64)
        own = table.take(rows)
        if len(rows) > OWN_TRACES_MAX:
            rows = rows[np.lexsort((own["seen_us"], own["identity"]))[:OWN_TRACES_MAX]]
            own = table.take(rows)
        told = sorted({each for row in rows.tolist() for each in table.keys(row)})
        families = np.array([family for family, _ in told], dtype=np.int64)
        places, met = self._index.rows(np.array([key for _, key in told], dtype=np.uint64))
        # Every row once; which of them each family met.
        others, back = np.unique(met, return_inverse=True)
        columns = table.take(others)
        foreign = columns["lead"] != lead
        by_family = {
            name: back[(families[places] == family) & foreign[back]]
            for family, name in enumerate(FAMILIES)
        }
        pictures = {each for row in rows.tolist() for each in table.pictures(row).tolist()}
        return reading.LeadTraces(own, columns, by_family, len(pictures))


def _mark(trace: Trace) -> int:
    """64 bits for a record with these features."""
    told = msgspec.msgpack.encode((trace.key, trace.features))
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "little")
