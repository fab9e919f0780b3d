"""How the `models` commands reach the registry, and how they say what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from engine.adapters.local.effective_settings import NotRunning, require, resolve_settings
from engine.adapters.model_store import ArtefactLost
from engine.adapters.postgres.pool import open_pool
from engine.settings import Settings
from models_ml.artefact import Unusable
from models_ml.served import NAMES, ModelName
from serve_apps.cli.steps import StepFailed, Steps

T = TypeVar("T")

Name = Annotated[ModelName, typer.Argument(help="Which model.")]
Number = Annotated[int, typer.Argument(min=1, help="A version, by its number.")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it stands in the history.")]
Wait = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds to wait for the replicas; 0 does not.")
]
# Of a table that goes to a file or another program.
_WIDTH = 160
EXIT_LATE = 3
"""The change was made, but not every replica has said that it follows."""


def operator() -> str:
    """Who asks, for the history."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "command line"


@contextlib.contextmanager
def reported() -> Iterator[Steps]:
    """Turns what can't be done into words and exit code 1."""
    steps = Steps()
    try:
        yield steps
    except StepFailed as failure:
        steps.failed(failure)
        raise typer.Exit(1) from failure
    except (
        LookupError,
        Unusable,
        ArtefactLost,
        NotRunning,
        ValueError,
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        reason = str(error.args[0]) if isinstance(error, LookupError) else str(error)
        remedy = "is the installation up? `aiqleads status`" if _is_away(error) else ""
        steps.failed(StepFailed("failed", reason, log=None, remedy=remedy))
        raise typer.Exit(1) from error


def _is_away(error: Exception) -> bool:
    away = ConnectionError | TimeoutError | socket.gaierror | NotRunning
    return isinstance(error, away | asyncpg.PostgresError | asyncpg.InterfaceError)


def with_registry(work: Callable[[Settings, asyncpg.Pool], Awaitable[T]]) -> T:
    """Run `work` with the installation's settings and a connection to its registry."""

    async def run() -> T:
        settings = resolve_settings(Settings())
        require(settings, "database_url")
        async with _pool(settings) as pool:
            return await work(settings, pool)

    return asyncio.run(run())


@contextlib.asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(settings.database_url, application="models", size_max=2)
    try:
        yield pool
    finally:
        await pool.close()


def answer(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The first column, which names what the row is about, is never cut."""
    found = Table()
    for place, heading in enumerate(head):
        found.add_column(heading, no_wrap=place == 0)
    for row in rows:
        found.add_row(*("-" if cell is None or cell == "" else str(cell) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, _WIDTH))
    console.print(found)


__all__ = ["NAMES", "Json", "Name", "Number", "Wait", "Why"]
