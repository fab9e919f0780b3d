"""What the fraud rules and the listing model say of captured listings, which are mostly honest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from engine.intake.cleaning import clean
from engine.intake.document import Document, Parser
from engine.intake.feed.feed import feed_parser
from engine.intake.fraud.rules import holding
from engine.intake.listing import LISTABLE_STATUSES
from engine.intake.parsers import PARSERS
from engine.intake.prepared import prepare
from engine.intake.record import SourceRecord
from engine.intake.sample_world.world import DEFAULT_AS_OF
from engine.mapping_directory import load_mappings
from engine.market.instant import from_datetime
from engine.market_directory import load_markets
from engine.source_directory import load_sources
from models_ml.fraud.known_leads import Known, LeadRows, resolved, rows_of_leads
from models_ml.fraud.listing_model import ListingModel
from serve_apps.cli.parsing_files import SourceFile, find_files

RECORDS_PER_SOURCE_MAX: Final = 4_000
_NOW_US = from_datetime(DEFAULT_AS_OF)
_REASONS = 3


class OfSource(NamedTuple):
    """Leads that a source alone offers, and how many of them would be acted on."""

    source: str
    leads: int
    flagged: int
    quarantined: int


class CapturedFraud(NamedTuple):
    """`by_model` counts alone what the model says, at its thresholds; `rules` how often each
    holds; `reasons` how often each is among the first three of what is flagged."""

    leads: int
    by_model: list[OfSource]
    rules: dict[str, int]
    quarantined_by_rules: int
    reasons: dict[str, int]


def captured_fraud(captures: Path, model: ListingModel) -> CapturedFraud:
    """Each state is taken as a market; every record is seen at the same moment."""
    rows, sources = _rows(captures)
    chances = model.probabilities(rows.features)
    flagged = chances >= model.flag_at
    quarantined = chances >= model.quarantine_at
    held = [holding(case) for case in rows.cases]
    reasons = model.reasons(rows.features[flagged], _REASONS)
    return CapturedFraud(
        leads=len(chances),
        by_model=[
            OfSource(
                source,
                int(each.sum()),
                int(flagged[each].sum()),
                int(quarantined[each].sum()),
            )
            for source in sorted({*sources})
            for each in (np.array([source == other for other in sources]),)
        ],
        rules=dict(Counter(rule.name for rules in held for rule in rules).most_common()),
        quarantined_by_rules=sum(
            any(rule.verdict == "quarantine" for rule in rules) for rules in held
        ),
        reasons=dict(Counter(why for each in reasons for why in each).most_common(10)),
    )


def _rows(captures: Path) -> tuple[LeadRows, list[str]]:
    """Leads when all is known, and the source of each, `several` of some."""
    by_state: dict[str, list[Known]] = {}
    for state, known in _records(captures):
        by_state.setdefault(state, []).append(known)
    leads = [lead for state, known in by_state.items() for lead in resolved(state, known)]
    rows = rows_of_leads(leads)
    sources = [
        lead.listing.sources[0] if len(lead.listing.sources) == 1 else "several" for lead in leads
    ]
    return rows.rows(rows.is_later), sources


def _records(captures: Path) -> Iterator[tuple[str, Known]]:
    """(state, record) of what is on offer, the last record of each id."""
    markets, sources = load_markets(), load_sources()
    parsers: dict[str, Parser] = {**PARSERS, "feed": feed_parser(load_mappings(), markets)}
    found: dict[tuple[str, str], SourceRecord] = {}
    for file in find_files(captures, frozenset(markets)):
        if isinstance(file, SourceFile) and file.parser in parsers:
            for record in _parsed(file, parsers[file.parser]):
                found[record.source, record.source_id] = record
    taken: Counter[str] = Counter()
    for (name, source_id), record in found.items():
        cleaned = clean(record, markets)
        source = sources.get(name)
        on_offer = cleaned.standard_status in LISTABLE_STATUSES
        if source is None or not on_offer or taken[name] == RECORDS_PER_SOURCE_MAX:
            continue
        taken[name] += 1
        prepared = prepare(cleaned, source, now_us=_NOW_US)
        state = cleaned.state_or_province or "elsewhere"
        yield state, Known(prepared, _NOW_US, f"{name}/{source_id}", "")


def _parsed(file: SourceFile, parse: Parser) -> Iterator[SourceRecord]:
    document = Document(
        url=file.name,
        content=file.path.read_bytes(),
        media_type=file.media_type,
        market=file.market,
        source=file.source,
    )
    return (each for each in parse(document) if isinstance(each, SourceRecord))
