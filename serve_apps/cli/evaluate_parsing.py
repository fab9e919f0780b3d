"""Runs every parser over a captures folder, and compares where another's reading is known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from engine.intake.document import Document, Parsed, Parser
from engine.intake.feed.feed import feed_parser
from engine.intake.linkedin import linkedin_parser
from engine.intake.parse_check.comparison import compare
from engine.intake.parse_check.pieces import pieces_of
from engine.intake.parse_check.reference import Reference, reference_of
from engine.intake.parse_check.rows import compare_row
from engine.intake.parse_check.shown import shown_on
from engine.intake.parse_check.tracer import Tracer
from engine.intake.parsers import PARSERS
from engine.intake.record import Rejected, Signal, SourceRecord
from engine.mapping_directory import load_mappings
from engine.market_directory import Market, load_markets
from serve_apps.cli.parsing_files import POSTS, REFERENCE, NotRead, SourceFile, find_files
from serve_apps.cli.parsing_outcome import Comparison, FileTally, Outcome

_ADDRESS = "https://captures.example/"
_DIGITS = re.compile(r"\d+")
_ALIKE_LEAST = 4


class NothingToRead(Exception):
    """The folder holds no file that any parser reads."""


def evaluate(captures: Path) -> Outcome:
    """Every file of the folder through its parser. Raises NothingToRead, OSError."""
    return Evaluation(captures, load_markets()).run()


class Evaluation:
    """One pass over a folder: posts first, so that result rows find the posts they show."""

    def __init__(self, captures: Path, markets: Mapping[str, Market]) -> None:
        self._captures = captures
        self._markets = markets
        feed = feed_parser(load_mappings(), markets)
        own = {"feed": feed, "linkedin": linkedin_parser(markets)}
        self._parsers: dict[str, Parser] = {**PARSERS, **own}
        self._references: dict[str, Reference] = {}
        self._not_read: list[tuple[str, str]] = []
        self._posts: dict[str, tuple[SourceRecord, ZoneInfo | None]] = {}
        self._tallies: dict[str, FileTally] = {}
        self._ids: dict[str, set[str]] = {}
        self._compared = Comparison("posts against the reference's reading")
        self._rows = Comparison("result rows against the posts that they lead to")

    def run(self) -> Outcome:
        found = list(find_files(self._captures, frozenset(self._markets)))
        files = [each for each in found if isinstance(each, SourceFile)]
        self._not_read = [(each.name, each.reason) for each in found if isinstance(each, NotRead)]
        if not files:
            raise NothingToRead(f"{self._captures} holds no file that a parser reads")
        self._read_references()
        for file in sorted(files, key=lambda each: not each.name.startswith(POSTS)):
            if file.parser in self._parsers:
                self._read(file)
            else:
                reason = f"parser {file.parser} is not registered"
                self._not_read.append((file.name, reason))
        tallies = sorted(self._tallies.values(), key=lambda tally: tally.name)
        for tally in tallies:
            tally.distinct_ids = len(self._ids[tally.name])
        return Outcome(str(self._captures), self._compared, self._rows, tallies, self._not_read)

    def _read_references(self) -> None:
        """The reference's records by the id of the page that each was read from."""
        for path in sorted((self._captures / REFERENCE).glob("*.jsonl")):
            with path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    reference = _reference(line)
                    if reference is not None:
                        self._references[reference.page_id] = reference
                    elif line.strip():
                        place = f"{REFERENCE}/{path.name} line {number}"
                        self._not_read.append((place, "no record of the reference"))

    def _read(self, file: SourceFile) -> None:
        tally = self._tally(file)
        tally.files += 1
        content = file.path.read_bytes()
        document = Document(
            url=_ADDRESS + file.name,
            content=content,
            media_type=file.media_type,
            market=file.market,
            source=file.source,
        )
        found: list[SourceRecord | Signal] = []
        for parsed in self._parsed(file, document, tally):
            if isinstance(parsed, Rejected):
                tally.rejected[parsed.reason] += 1
            else:
                found.append(parsed)
        if not found:
            return
        tracer = Tracer(pieces_of(content, is_one=len(found) == 1), document.url)
        for parsed in found:
            tally.records += isinstance(parsed, SourceRecord)
            tally.signals += isinstance(parsed, Signal)
            self._ids[tally.name].add(parsed.source_id)
            tally.add_values(file.name, parsed.source_id, tracer.trace(parsed))
            if isinstance(parsed, SourceRecord) and file.parser == "craigslist":
                self._compare(file, parsed, content)

    def _parsed(self, file: SourceFile, document: Document, tally: FileTally) -> Iterator[Parsed]:
        try:
            yield from self._parsers[file.parser](document)
        except Exception as error:  # That a parser never raises is what is measured.
            tally.exceptions.append(f"{file.name}: {type(error).__name__}: {error}"[:300])

    def _compare(self, file: SourceFile, record: SourceRecord, content: bytes) -> None:
        zone = self._zone(file.market)
        if file.name.startswith(POSTS):
            self._posts[record.source_id] = (record, zone)
            reference = self._references.get(record.source_id)
            if reference is not None:
                compared = compare(record, reference, shown_on(content), zone)
                self._compared.add(record.source_id, compared)
        elif record.source_id in self._posts and record.extra.get("result_row"):
            self._rows.add(record.source_id, compare_row(record, *self._posts[record.source_id]))

    def _zone(self, market: str | None) -> ZoneInfo | None:
        found = self._markets.get(market or "")
        return ZoneInfo(found.time_zone) if found is not None else None

    def _tally(self, file: SourceFile) -> FileTally:
        """One for a file, or for many alike: posts of a city, a table of every day."""
        path = PurePosixPath(file.name)
        alike = [each for each in file.path.parent.iterdir() if _alike(each, file.path)]
        folded = len(alike) >= _ALIKE_LEAST
        pattern = _DIGITS.sub("*", path.name)
        name = f"{path.parent}/{pattern}" if folded else file.name
        self._ids.setdefault(name, set())
        return self._tallies.setdefault(name, FileTally(name, file.parser))


def _alike(one: Path, other: Path) -> bool:
    return _DIGITS.sub("*", one.name) == _DIGITS.sub("*", other.name)


def _reference(line: bytes) -> Reference | None:
    try:
        return reference_of(json.loads(line))
    except (ValueError, RecursionError):
        return None
