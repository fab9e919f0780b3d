"""What the fraud rules and the listing model say of captured listings, which are mostly honest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.cleaning import clean
from engine.intake.document import Document, Parser
from engine.intake.feed.feed import feed_parser
from engine.intake.fraud.rules import Rule, holding
from engine.intake.fraud.verdict import Thresholds, Verdict, verdict_of
from engine.intake.listing import LISTABLE_STATUSES
from engine.intake.parsers import PARSERS
from engine.intake.prepared import prepare
from engine.intake.record import SourceRecord
from engine.intake.sample_world.world import DEFAULT_AS_OF
from engine.mapping_directory import load_mappings
from engine.market.instant import from_datetime
from engine.market_directory import load_markets
from engine.source_directory import load_sources
from models_ml.fraud.advertisements import NotMeasured
from models_ml.fraud.known_leads import Known, LeadRows, resolved, rows_of_leads
from models_ml.fraud.listing_model import ListingModel
from serve_apps.cli.parsing_files import SourceFile, find_files

RECORDS_PER_SOURCE_MAX: Final = 4_000
_NOW_US = from_datetime(DEFAULT_AS_OF)
QUARANTINED_SHARE_MOST: Final = 0.001
_REASONS = 3
_REASONS_TOLD = 10
_EXAMPLES = 10


class OfSource(NamedTuple):
    """Leads that a source alone offers, and how many of them would be acted on, by the desk's
    verdict of model and rules together."""

    source: str
    leads: int
    flagged: int
    quarantined: int


class Example(NamedTuple):
    """One that would be quarantined, without text, place or contact."""

    source: str
    probability: float
    rules: list[str]
    reasons: list[str]


class CapturedFraud(NamedTuple):
    """`by_model` and `by_rules` are (flagged, quarantined) if the one alone had a say; `rules`
    how often each holds; `reasons` how often each is among the first three of what the model
    flags; `examples` the most suspicious of the quarantined."""

    leads: int
    flagged: int
    quarantined: int
    by_model: tuple[int, int]
    by_rules: tuple[int, int]
    sources: list[OfSource]
    rules: dict[str, int]
    reasons: dict[str, int]
    examples: list[Example]

    @property
    def passed(self) -> bool:
        """Captured listings are mostly honest; a few may well be scams."""
        return self.quarantined <= max(1, QUARANTINED_SHARE_MOST * self.leads)


class CapturedLeads(NamedTuple):
    """Leads when all is known, and the source of each, `several` of some."""

    rows: LeadRows
    sources: list[str]


def captured_leads(captures: Path) -> CapturedLeads:
    """Each state is taken as a market; every record is seen at the same moment. Raises
    NotMeasured if nothing is on offer."""
    by_state: dict[str, list[Known]] = {}
    for state, known in _records(captures):
        by_state.setdefault(state, []).append(known)
    if not by_state:
        raise NotMeasured(f"{captures} holds no listing that is on offer")
    leads = [lead for state, known in by_state.items() for lead in resolved(state, known)]
    rows = rows_of_leads(leads)
    sources = [
        lead.listing.sources[0] if len(lead.listing.sources) == 1 else "several" for lead in leads
    ]
    return CapturedLeads(rows.rows(rows.is_later), sources)


def captured_fraud(leads: CapturedLeads, model: ListingModel) -> CapturedFraud:
    rows, sources = leads
    thresholds = Thresholds(model.flag_at, model.quarantine_at)
    chances = model.probabilities(rows.features)
    held = [holding(case) for case in rows.cases]
    both = [
        _verdict(chance, rules, thresholds) for chance, rules in zip(chances, held, strict=True)
    ]
    by_model = [_verdict(chance, (), thresholds) for chance in chances]
    by_rules = [_verdict(None, rules, thresholds) for rules in held]
    suspected = np.array([verdict != "clear" for verdict in by_model], dtype=np.bool_)
    reasons = model.reasons(rows.features[suspected], _REASONS)
    return CapturedFraud(
        len(chances),
        *_counted(both),
        by_model=_counted(by_model),
        by_rules=_counted(by_rules),
        sources=[
            OfSource(source, len(chosen), *_counted(chosen))
            for source in sorted({*sources})
            for chosen in ([v for v, other in zip(both, sources, strict=True) if other == source],)
        ],
        rules=dict(Counter(rule.name for rules in held for rule in rules).most_common()),
        reasons=dict(Counter(why for each in reasons for why in each).most_common(_REASONS_TOLD)),
        examples=_examples(leads, model, chances, held, both),
    )


def _verdict(chance: float | None, rules: Sequence[Rule], thresholds: Thresholds) -> Verdict:
    """As a desk's judge has it."""
    return verdict_of(
        None if chance is None else float(chance),
        thresholds,
        suffices=any(rule.verdict == "quarantine" for rule in rules),
        is_suspicious=bool(rules),
    )


def _counted(verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """(flagged, quarantined)"""
    return verdicts.count("flagged"), verdicts.count("quarantined")


def _examples(
    leads: CapturedLeads,
    model: ListingModel,
    chances: NDArray[np.float64],
    held: Sequence[Sequence[Rule]],
    verdicts: Sequence[Verdict],
) -> list[Example]:
    order = np.argsort(-chances, kind="stable").tolist()
    places = [place for place in order if verdicts[place] == "quarantined"][:_EXAMPLES]
    reasons = model.reasons(leads.rows.features[places], _REASONS)
    return [
        Example(
            leads.sources[place],
            float(chances[place]),
            [rule.name for rule in held[place]],
            why,
        )
        for place, why in zip(places, reasons, strict=True)
    ]


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
