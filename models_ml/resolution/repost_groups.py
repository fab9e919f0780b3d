"""Classified posts of the same text: is the copy seen, and is one text for several flats
kept apart?

All pairs of a group are copies of one text. One lead are only those of equal beds, size
and address, since advertisers repost one text for several flats.
"""

from __future__ import annotations

import ast
import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.adapters.sources.captures import post_folder
from engine.intake.craigslist import parse_post
from engine.intake.property_kinds import property_kind
from engine.intake.readings import (
    area_of,
    bathrooms_of,
    bedrooms_of,
    coordinates_of,
    number_of,
    price_of,
    text_of,
)
from engine.intake.record import SourceRecord
from engine.intake.resolution.comparison import text_likeness
from engine.intake.resolution.doors import door_of
from engine.intake.resolution.features import hash32
from engine.intake.resolution.text_sketch import PLACES, letters_of, text_sketch
from engine.market.answers import Contact
from engine.market_directory import load_markets
from models_ml.resolution.captured import (
    NotMeasured,
    RecordKey,
    cleaned,
    features_by_id,
    leads_of,
)
from models_ml.resolution.scores import PairCounts

LABELS = Path("labels") / "craigslist_repost_groups.csv"
_PARSED = Path("craigslist") / "posts_parsed"
_MARKETS = {"lasvegas": "las-vegas"}
_ROWS_AT_ONCE = 256
NEAR_COPY_LIKENESS = 0.9


class Post(NamedTuple):
    """A post's reading and the text groups it stands in, by where their text is from."""

    record: SourceRecord
    groups: dict[str, str]


class RepostOutcome(NamedTuple):
    """Pairs of posts. `copies` are judged by equal letters over all pairs, `near_copies` by
    equal letters or alike sketches: texts with a word changed are of other groups. `leads`
    are pairs of a group of which beds, size and address are known of both; `unclear` the
    group's other pairs, and `unclear_joined` how many of these we judge one lead."""

    labelled: int
    posts: int
    copies: PairCounts
    near_copies: PairCounts
    leads: PairCounts
    different: int
    unclear: int
    unclear_joined: int


def evaluate_reposts(captures: Path) -> RepostOutcome:
    """Raises NotMeasured naming what is missing."""
    groups = _groups(captures / LABELS)
    posts = list(_posts(captures, groups))
    if not posts:
        raise NotMeasured(f"no post of {LABELS} is in {captures / 'craigslist'}")
    leads, different, unclear, joined = _lead_counts(posts)
    copies, near_copies = _copy_counts(posts)
    return RepostOutcome(
        labelled=len(groups),
        posts=len(posts),
        copies=copies,
        near_copies=near_copies,
        leads=leads,
        different=different,
        unclear=unclear,
        unclear_joined=joined,
    )


def _groups(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """{(market, post id): {where the text is from: group}}."""
    if not path.is_file():
        raise NotMeasured(f"{path} is not there")
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    with path.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            market = _MARKETS.get(row["market"], row["market"])
            found[market, row["post_id"]][row["body_from"]] = row["group_id"]
    return dict(found)


def _posts(captures: Path, groups: Mapping[tuple[str, str], dict[str, str]]) -> Iterator[Post]:
    """Pages by our parser, and for posts without a page what another's reading of it says."""
    markets = sorted({market for market, _ in groups})
    read = {market: dict(_parsed_posts(captures, market)) for market in markets}
    for (market, post_id), its_groups in groups.items():
        folder = post_folder(captures, market)
        page = folder / f"{post_id}.html" if folder is not None else None
        record: object = read[market].get(post_id)
        if page is not None and page.is_file():
            record = parse_post(page.read_bytes(), url=page.name)
        if isinstance(record, SourceRecord):
            yield Post(_in_market(record, market), its_groups)


def _in_market(record: SourceRecord, market: str) -> SourceRecord:
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return SourceRecord(**{**fields, "market": market})


def _parsed_posts(captures: Path, market: str) -> Iterator[tuple[str, SourceRecord]]:
    for path in sorted((captures / _PARSED).glob("*.jsonl")):
        if _MARKETS.get(path.stem, path.stem) != market:
            continue
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                record = _record_of(json.loads(line))
                yield record.source_id, record


def _record_of(row: Mapping[str, Any]) -> SourceRecord:
    property_type, sub_type = property_kind(text_of(row.get("housing_type")), for_rent=True)
    bathrooms, stated = bathrooms_of(row.get("bathrooms"))
    latitude, longitude = coordinates_of(row.get("latitude"), row.get("longitude"))
    return SourceRecord(
        source="craigslist",
        source_id=str(row["post_id"]),
        title=text_of(row.get("title")),
        remarks=_body(row.get("posting_body")),
        list_price=price_of(row.get("price")),
        property_type=property_type,
        property_sub_type=sub_type,
        bedrooms_total=bedrooms_of(row.get("bedrooms")),
        bathrooms_total_integer=bathrooms,
        living_area=area_of(row.get("sqft")),
        street_address=text_of(row.get("street_address")),
        contact=Contact(latitude=latitude, longitude=longitude),
        extra={"bathrooms_stated": stated, "accuracy": number_of(row.get("data_accuracy"))},
    )


def _body(cell: object) -> str | None:
    """A list of lines, or the text of one."""
    if isinstance(cell, str) and cell.startswith("["):
        try:
            cell = ast.literal_eval(cell)
        except (SyntaxError, ValueError):
            return text_of(cell)
    if isinstance(cell, list):
        return "\n".join(str(line) for line in cell) or None
    return text_of(cell)


def _copy_counts(posts: list[Post]) -> tuple[PairCounts, PairCounts]:
    """(by equal letters, by likeness too) over every pair of posts, of one group or of
    different groups of the same origin."""
    known = [post for post in posts if text_sketch(post.record.remarks)]
    packed = b"".join(text_sketch(post.record.remarks) for post in known)
    texts = _Texts(
        letters=np.array([hash32(letters_of(post.record.remarks)) for post in known]),
        sketches=np.frombuffer(packed, dtype="<u2").reshape(len(known), PLACES),
        groups=[_numbered([post.groups.get(o) for post in known]) for o in ("html", "parsed")],
    )
    equal = alike = PairCounts(0, 0, 0)
    for start in range(0, len(known), _ROWS_AT_ONCE):
        more_equal, more_alike = _copies_from(start, texts)
        equal, alike = equal.plus(more_equal), alike.plus(more_alike)
    return equal, alike


class _Texts(NamedTuple):
    letters: NDArray[np.int64]
    sketches: NDArray[np.uint16]
    groups: list[NDArray[np.int64]]


def _copies_from(start: int, texts: _Texts) -> tuple[PairCounts, PairCounts]:
    """Pairs of the rows from `start` with all rows after each of them."""
    rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(texts.letters)))
    left, right = (each.ravel() for each in np.meshgrid(rows, np.arange(len(texts.letters))))
    left, right = left[right > left], right[right > left]
    same = np.zeros(len(left), dtype=np.bool_)
    comparable = np.zeros(len(left), dtype=np.bool_)
    for numbers in texts.groups:
        both = (numbers[left] >= 0) & (numbers[right] >= 0)
        comparable |= both
        same |= both & (numbers[left] == numbers[right])
    left, right, same = left[comparable], right[comparable], same[comparable]
    equal = (texts.letters[left] == texts.letters[right]) & (texts.letters[left] > 0)
    alike = text_likeness(texts.sketches[left], texts.sketches[right]) >= NEAR_COPY_LIKENESS
    return _counted(equal, same), _counted(equal | alike, same)


def _counted(judged: NDArray[np.bool_], same: NDArray[np.bool_]) -> PairCounts:
    return PairCounts(int(judged.sum()), int((judged & same).sum()), int(same.sum()))


def _numbered(names: list[str | None]) -> NDArray[np.int64]:
    """A number for each name, -1 for none."""
    numbers = {name: number for number, name in enumerate(sorted({n for n in names if n}))}
    return np.array([numbers[name] if name else -1 for name in names], dtype=np.int64)


def _lead_counts(posts: list[Post]) -> tuple[PairCounts, int, int, int]:
    """(counts of clear pairs, different ones among them, unclear ones, of these joined)."""
    leads: dict[RecordKey, int] = {}
    markets = load_markets()
    by_market: dict[str, dict[RecordKey, SourceRecord]] = defaultdict(dict)
    for post in posts:
        record = post.record
        by_market[record.market or ""][record.source, record.source_id] = record
    facts = {key: _facts(record) for each in by_market.values() for key, record in each.items()}
    for number, records in enumerate(by_market.values()):
        found = leads_of(features_by_id(cleaned(records, markets)))
        leads |= {key: lead * len(by_market) + number for key, lead in found.items()}
    judged = right = true = different = unclear = joined = 0
    for one, other in _pairs_of_groups(posts):
        is_joined = leads[one] == leads[other]
        told = _is_one_offer(facts[one], facts[other])
        if told is None:
            unclear += 1
            joined += is_joined
            continue
        true += told
        different += not told
        judged += is_joined
        right += told and is_joined
    return PairCounts(judged, right, true), different, unclear, joined


def _pairs_of_groups(posts: list[Post]) -> Iterator[tuple[RecordKey, RecordKey]]:
    members: dict[str, list[RecordKey]] = defaultdict(list)
    for post in posts:
        for group in post.groups.values():
            members[group].append((post.record.source, post.record.source_id))
    seen: set[tuple[RecordKey, RecordKey]] = set()
    for keys in members.values():
        for one, other in combinations(sorted(keys), 2):
            if (one, other) not in seen:
                seen.add((one, other))
                yield one, other


def _facts(record: SourceRecord) -> tuple[object, ...]:
    """Beds, size and address; None is what the post does not tell."""
    door = door_of(record.street_address, record.unit_number)
    address = (door.number, door.whole_street, door.unit) if door.number else None
    return record.bedrooms_total, record.living_area, address


def _is_one_offer(one: tuple[object, ...], other: tuple[object, ...]) -> bool | None:
    """None if nothing differs but something is not told by both."""
    if any(a is not None and b is not None and a != b for a, b in zip(one, other, strict=True)):
        return False
    return None if None in one or None in other else True
