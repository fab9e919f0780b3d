"""The rules in their order."""

from __future__ import annotations

from collections.abc import Mapping

from engine.intake.cleaning.addresses import clean_address
from engine.intake.cleaning.amounts import clean_amounts
from engine.intake.cleaning.emails import clean_email
from engine.intake.cleaning.kinds import clean_kind
from engine.intake.cleaning.languages import clean_language
from engine.intake.cleaning.moments import clean_moments
from engine.intake.cleaning.names import clean_name
from engine.intake.cleaning.phones import clean_phone
from engine.intake.cleaning.texts import clean_texts
from engine.intake.cleaning.whereabouts import clean_state, clean_whereabouts
from engine.intake.record import SourceRecord
from engine.market_directory import Market

# What an address says and what its place says can each settle more of the other. Every round
# but the last fills in, drops or doubts something for good, and two are usual.
_ROUNDS_MAX = 6


def clean(record: SourceRecord, markets: Mapping[str, Market]) -> SourceRecord:
    """The record as far as rules can settle it; cleaning it again changes nothing.

    `record.market`, where set, is the market whose run found it: a hint for moments that
    state no zone and addresses that state no state.
    """
    record = clean_texts(record)
    record = clean_name(record)
    record = clean_phone(record)
    record = clean_email(record)
    record = clean_state(record)
    record = _placed(record, markets)
    record = clean_kind(record)
    record = clean_amounts(record)
    record = clean_moments(record, markets)
    return clean_language(record)


def _placed(record: SourceRecord, markets: Mapping[str, Market]) -> SourceRecord:
    for _ in range(_ROUNDS_MAX):
        settled = clean_whereabouts(clean_address(record), markets)
        if settled is record:
            return record
        record = settled
    return record
