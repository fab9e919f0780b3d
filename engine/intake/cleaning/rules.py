"""The rules in their order."""

from __future__ import annotations

from collections.abc import Mapping

from engine.intake.cleaning.names import clean_name
from engine.intake.record import SourceRecord
from engine.market_directory import Market


def clean(record: SourceRecord, markets: Mapping[str, Market]) -> SourceRecord:
    """The record as far as rules can settle it; cleaning it again changes nothing.

    `record.market`, where set, is the market whose run found it: a hint for dates that
    state no zone and addresses that state no state.
    """
    return clean_name(record)
