"""What is in an uploaded file, found out before anybody approves it.

The check runs in a process of its own, `python -m engine.adapters.upload_check`: a file made
to be slow or large costs its own check and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.intake.cleaning import clean
from engine.intake.document import Document
from engine.intake.feed.feed import read_feed
from engine.intake.feed.mapping import Mapping as FeedMapping
from engine.intake.placement import place
from engine.intake.record import SourceRecord
from engine.mapping_directory import load_mappings
from engine.market_directory import Market, load_markets

log = logging.getLogger(__name__)

ROWS_MAX = 20_000
ERRORS_MAX = 20
CHECK_SECONDS = 90.0
CHECKS_AT_ONCE = 2
_OUTSIDE = "its address or coordinates lie outside of this market"


class RowError(msgspec.Struct, frozen=True):
    """Why a row can't be used; row 0 is the whole file. Never says what stands in a cell."""

    row: int
    reason: str
    detail: str


class Checked(msgspec.Struct, frozen=True):
    """Rows by what became of them; `by_reason` counts the rejected ones, of which the first
    20 are in `errors`. `mapping` is the one that read them, None if no row was usable."""

    records: int
    rejected: int
    repeated: int
    by_reason: dict[str, int]
    errors: list[RowError]
    mapping: str | None = None


class _Task(msgspec.Struct, frozen=True):
    document: Document
    mappings_folder: str | None
    markets_file: str | None


class CheckFailed(Exception):
    """The file can't be checked, for the reason it says."""


_decode_task = msgspec.msgpack.Decoder(_Task).decode
_decode_checked = msgspec.msgpack.Decoder(Checked).decode


def check_document(
    document: Document, mappings: Mapping[str, FeedMapping], markets: Mapping[str, Market]
) -> Checked:
    """Read, clean and place every row as a run would. Stops behind 20,000 rows with the
    reason `too-many-rows`: such a file is to be split."""
    records = repeated = 0
    mapping: str | None = None
    errors: list[RowError] = []
    by_reason: dict[str, int] = {}
    for count, line in enumerate(read_feed(document, mappings, markets)):
        found = line.parsed
        if count == ROWS_MAX:
            _note(RowError(line.number, "too-many-rows", f"at most {ROWS_MAX}"), by_reason, errors)
            break
        if found is None:
            repeated += 1
            continue
        if isinstance(found, SourceRecord):
            mapping = mapping or found.originating_system_name
            placed = place(clean(found, markets), markets, hint=document.market)
            if isinstance(placed, SourceRecord) and placed.market == document.market:
                records += 1
            else:
                _note(RowError(line.number, "out-of-market", _OUTSIDE), by_reason, errors)
        else:
            detail = found.detail.removeprefix(f"row {line.number}: ")
            _note(RowError(line.number, found.reason, detail), by_reason, errors)
    rejected = sum(by_reason.values())
    return Checked(records, rejected, repeated, by_reason, errors, mapping)


def _note(error: RowError, by_reason: dict[str, int], errors: list[RowError]) -> None:
    by_reason[error.reason] = by_reason.get(error.reason, 0) + 1
    if len(errors) < ERRORS_MAX:
        errors.append(error)


class UploadChecks:
    """Checks files, two at a time. One per process; use from one event loop."""

    def __init__(self, mappings_folder: Path | None, markets_file: Path | None) -> None:
        self._mappings_folder = mappings_folder
        self._markets_file = markets_file
        self._slots = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def check(self, document: Document) -> Checked:
        """What is in it. Raises CheckFailed when that can't be told in time."""
        folder, markets = self._mappings_folder, self._markets_file
        task = _Task(document, str(folder) if folder else None, str(markets) if markets else None)
        async with self._slots:
            return _decode_checked(await _in_a_process(msgspec.msgpack.encode(task)))


async def _in_a_process(task: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "engine.adapters.upload_check",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # A traceback may quote the file.
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            answer, _ = await process.communicate(task)
    except TimeoutError as error:
        raise CheckFailed(f"reading took over {CHECK_SECONDS:.0f} s; split the file") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        log.warning("a check of an upload ended with %d", process.returncode)
        raise CheckFailed("the file can't be read")
    return answer


def main() -> None:
    """One check: the task on standard input, what was found on standard output."""
    task = _decode_task(sys.stdin.buffer.read())
    mappings = load_mappings(Path(task.mappings_folder) if task.mappings_folder else None)
    markets = load_markets(Path(task.markets_file) if task.markets_file else None)
    sys.stdout.buffer.write(
        msgspec.msgpack.encode(check_document(task.document, mappings, markets))
    )


if __name__ == "__main__":
    main()
