"""Taking in sources, with progress on the terminal."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Display

from engine.adapters.local.installation import Installation
from engine.adapters.local.run_record import write_private
from engine.settings import Settings
from serve_apps.cli.steps import Steps

if TYPE_CHECKING:
    from actors.ingest import Progress


class IngestDisplay:
    """Shows how far each run is: a bar on a terminal, a line now and then in a log."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._moving = steps.console.is_terminal
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._said: dict[tuple[str, str], int] = {}
        self._progress = Display(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            console=steps.console,
        )

    def __enter__(self) -> IngestDisplay:
        if self._moving:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._moving:
            self._progress.stop()

    def show(self, run: Progress) -> None:
        says_something = bool(run.found or run.error or run.skipped)
        if self._moving:
            self._move(run, visible=says_something or not run.finished)
        # A log gets a line per 500 pages and one at the end, not one per report.
        elif says_something and (run.finished or run.pages // 500 != self._said.get(_key(run), 0)):
            self._said[_key(run)] = run.pages // 500
            self._steps.say(f"  {run.source} {run.market}: {words_of(run)}")

    def _move(self, run: Progress, *, visible: bool) -> None:
        key = _key(run)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(" ".join(key), total=None, words="")
        done = run.pages + run.errors
        self._progress.update(
            self._tasks[key],
            words=words_of(run),
            completed=done if not run.finished else max(done, 1),
            # Until the last is found nobody knows how many there are.
            total=max(done, 1) if run.finished else run.found or None,
            visible=visible,
        )


def _key(run: Progress) -> tuple[str, str]:
    return run.source, run.market


def words_of(run: Progress) -> str:
    """What became of a run's pages and records, how fast, and what is wrong with it."""
    if run.skipped:
        return f"skipped: {run.skipped}"
    told = {
        **msgspec.structs.asdict(run.counts),
        "signals": run.signals,
        "of other markets": run.elsewhere,
        "pages as they were": run.unchanged_pages,
        "pages FAILED": run.errors,
    }
    counts = ", ".join(f"{value:,} {name}" for name, value in told.items() if value)
    rate = (run.records or run.pages) / run.seconds if run.seconds else 0.0
    words = f"{run.pages:,} of {run.found:,} pages, {run.records:,} records ({rate:,.0f}/s)"
    words += f": {counts or 'nothing new'}"
    if run.resumed_from:
        words += f"; went on with run {run.resumed_from}"
    for fall in run.drift:
        words += f"; DRIFTED: {fall.field} was {fall.was:g}, is {fall.now:g}"
    return f"{words}; FAILED: {run.error}" if run.error else words


def ingest(
    settings: Settings, steps: Steps, *, source: str, market: str | None, afresh: bool = False
) -> list[dict[str, Any]]:
    """Run one ingest to its end; each run as a dict. Raises StepFailed if any run failed."""
    from actors.ingest import reasons_off, run_ingest

    name = f"ingest {source}" + (f" of {market}" if market else "")
    with steps.step(
        name,
        log=settings.data_dir / "logs",
        remedy=f"see what failed above, then `aiqleads ingest {source}`; the market serves on",
        still=True,
    ) as step:
        with IngestDisplay(steps) as display:
            runs = run_ingest(settings, source, market, display.show, afresh=afresh)
        if source == "all":
            for off, reason in reasons_off(settings).items():
                steps.say(f"  {off} is off: {reason}")
        failed = [f"{run.source} {run.market}: {run.error}" for run in runs if run.error]
        if failed:
            raise RuntimeError(f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed)}")
        step.detail = f"{sum(run.counts.new for run in runs):,} new leads"
    return [msgspec.to_builtins(run) for run in runs]


def _ingested_file(settings: Settings) -> Path:
    return settings.data_dir / "ingested.json"


def _world_key(settings: Settings, installation: Installation) -> str:
    """Names the world together with the database it went into; a private one changes its port."""
    record = installation.records.read("postgres")
    private = record is not None and record.url == settings.database_url
    database = "private" if private else settings.database_url
    world = settings.captures or f"sample {settings.sample_seed} {settings.sample_size}"
    return hashlib.sha256(f"{database} {world}".encode()).hexdigest()


def already_ingested(settings: Settings, installation: Installation) -> bool:
    """True if an ingest of this world ran to its end here and the database still has leads."""
    try:
        known = msgspec.json.decode(_ingested_file(settings).read_bytes(), type=list[str])
    except FileNotFoundError:
        return False
    if _world_key(settings, installation) not in known:
        return False
    return asyncio.run(_has_leads(settings.database_url))


async def _has_leads(database_url: str) -> bool:
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        found: bool = await connection.fetchval("SELECT EXISTS (SELECT 1 FROM leads)")
    finally:
        await connection.close()
    return found


def remember_ingest(settings: Settings, installation: Installation) -> None:
    path = _ingested_file(settings)
    known = msgspec.json.decode(path.read_bytes(), type=list[str]) if path.exists() else []
    key = _world_key(settings, installation)
    if key not in known:
        write_private(path, msgspec.json.encode([*known, key]))
