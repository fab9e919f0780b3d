"""The measurement of entity resolution as a page and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models_ml.resolution.dallas_pairs import DallasOutcome
from models_ml.resolution.evaluate import ResolutionOutcome, Skipped
from models_ml.resolution.repost_groups import RepostOutcome
from models_ml.resolution.sample_outcome import PRECISION_LEAST, RECALL_LEAST, SampleOutcome
from models_ml.resolution.scores import PairCounts, wilson

_WRONG_SHOWN = 20


def as_markdown(outcome: ResolutionOutcome) -> str:
    """Plain enough to be read on a terminal."""
    lines = ["# Entity resolution", ""]
    lines += _provenance(outcome)
    lines += ["", "## Sample world (decides)", "", *_sample(outcome.sample)]
    lines += ["", "## Dallas pairs of Zillow and Redfin", "", *_dallas(outcome.dallas)]
    lines += ["", "## Craigslist repost groups", "", *_reposts(outcome.reposts)]
    lines += ["", f"{'PASSED' if outcome.passed else 'FAILED'}: {_verdict(outcome.sample)}", ""]
    return "\n".join(lines)


def as_json(outcome: ResolutionOutcome) -> dict[str, Any]:
    document: dict[str, Any] = _plain(outcome)
    return {"passed": outcome.passed, **document}


def _plain(value: Any) -> Any:
    """Named tuples as objects, pair counts with their shares."""
    if isinstance(value, PairCounts):
        return {**value._asdict(), "precision": value.precision, "recall": value.recall}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _provenance(outcome: ResolutionOutcome) -> Iterator[str]:
    told = outcome.provenance
    yield (
        f"Weights: {told.get('method')}, trained on sample-world seeds"
        f" {told.get('sample_world_seeds')} ({told.get('pairs'):,} pairs)."
        f" Beside it, on seed {told.get('sample_world_test_seed')}: precision"
        f" {told.get('test_precision')}, recall {told.get('test_recall')};"
        f" {told.get('other_method')}: {told.get('other_method_test_precision')},"
        f" {told.get('other_method_test_recall')}."
    )


def _verdict(sample: SampleOutcome) -> str:
    order = "does not change" if sample.same_in_reverse else "CHANGES"
    return (
        f"precision {sample.counts.precision:.4f} (at least {PRECISION_LEAST}), recall"
        f" {sample.counts.recall:.4f} (at least {RECALL_LEAST}); the order of arrival {order}"
        " the leads"
    )


def _sample(sample: SampleOutcome) -> Iterator[str]:
    yield (
        f"{sample.records:,} records of {sample.homes:,} offers, seed {sample.seed}, rendered,"
        f" parsed and cleaned; {sample.unread} sightings were not read (their pairs count as"
        " missed)."
    )
    yield ""
    yield f"- leads at {sample.threshold}: {_shares(sample.counts)}"
    yield f"- pairs judged directly: {_shares(sample.edges)}"
    yield (
        f"- {sample.candidates:,} pairs compared; {sample.missed_by_blocking:,} true pairs share"
        f" no key; {sample.capped} look-ups met a block above the cap"
    )
    true = sample.counts.true
    beyond = sample.without_evidence + sample.with_a_twin
    yield (
        f"- beyond telling, but kept in the truth: {sample.without_evidence:,} true pairs"
        f" ({sample.without_evidence / max(true, 1):.2%}) have nothing in common that names the"
        f" home, {sample.with_a_twin:,} ({sample.with_a_twin / max(true, 1):.2%}) agree as far"
        f" with another lead's record; of these {beyond:,} were missed"
        f" {sample.missed_beyond_telling:,}"
    )
    yield ""
    yield "| threshold | precision | recall | edge precision | edge recall |"
    yield "|---|---|---|---|---|"
    for threshold, edges, leads in sample.curve:
        yield (
            f"| {threshold} | {leads.precision:.4f} | {leads.recall:.4f}"
            f" | {edges.precision:.4f} | {edges.recall:.4f} |"
        )
    yield ""
    yield "| probability | pairs | mean | one lead |"
    yield "|---|---|---|---|"
    for least, most, count, mean, share in sample.calibration:
        yield f"| {least} to {most} | {count:,} | {mean:.3f} | {share:.3f} |"
    yield ""
    yield "| a record of the pair has | true pairs | found |"
    yield "|---|---|---|"
    for kind in sample.noise:
        yield f"| {kind.kind} | {kind.true:,} | {kind.found / max(kind.true, 1):.4f} |"


def _dallas(dallas: DallasOutcome | Skipped) -> Iterator[str]:
    if isinstance(dallas, Skipped):
        yield f"Skipped: {dallas.reason}"
        return
    counts = dallas.counts
    yield (
        f"{dallas.records:,} records resolved; {dallas.pairs} labelled pairs, {dallas.missing}"
        f" of them with a record that was not read, {dallas.contradictory} labelled both ways and"
        " not counted."
    )
    yield ""
    yield f"- {_shares(counts)}"
    apart = dallas.different - (counts.judged - counts.right)
    yield (
        f"- different pairs kept apart: {apart} of {dallas.different}"
        f" {_interval(apart, dallas.different)}"
    )
    yield from (f"- judged otherwise: {wrong}" for wrong in dallas.wrong[:_WRONG_SHOWN])


def _reposts(reposts: RepostOutcome | Skipped) -> Iterator[str]:
    if isinstance(reposts, Skipped):
        yield f"Skipped: {reposts.reason}"
        return
    yield f"{reposts.posts:,} of {reposts.labelled:,} labelled posts are in these captures."
    yield ""
    yield f"- text copies, by equal letters: {_shares(reposts.copies)}"
    yield (
        f"- text copies, by alike sketches too: {_shares(reposts.near_copies)} (a text with a"
        " word changed stands in another group)"
    )
    yield f"- one lead, of pairs of equal text: {_shares(reposts.leads)}"
    yield (
        f"- {reposts.different:,} pairs of equal text differ in beds, size or address;"
        f" {reposts.unclear:,} more leave one of them unsaid and are not scored"
        f" ({reposts.unclear_joined:,} of them joined)"
    )


def _shares(counts: PairCounts) -> str:
    return (
        f"precision {counts.precision:.4f} {_interval(counts.right, counts.judged)}, recall"
        f" {counts.recall:.4f} {_interval(counts.right, counts.true)}"
        f" ({counts.right:,} right of {counts.judged:,} judged and {counts.true:,} true)"
    )


def _interval(right: int, total: int) -> str:
    least, most = wilson(right, total)
    return f"[{least:.4f}, {most:.4f}]"
