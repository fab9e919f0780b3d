"""The `aiqleads` commands. Each parses, calls one function, and says how it went."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from engine.adapters.local.effective_settings import (
    NotRunning,
    join_ray_environment,
    require,
    resolve_settings,
)
from engine.adapters.local.installation import (
    Installation,
    InstallationBusy,
    InstallationUnusable,
)
from engine.adapters.local.run_record import BrokenRecord
from engine.settings import Settings
from serve_apps.cli import (  # noqa: F401  (their commands)
    model_drift,
    model_evaluate,
    model_rescore,
    model_roles,
    model_train,
    model_versions,
)
from serve_apps.cli.evaluate import evaluations
from serve_apps.cli.models import models
from serve_apps.cli.simulate import simulate
from serve_apps.cli.steps import StepFailed, Steps

if TYPE_CHECKING:
    from serve_apps.cli.start import Started

app = typer.Typer(
    help="AIQLeads: a live marketplace for real-estate leads.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(evaluations, name="eval")
app.add_typer(models, name="models")
app.command()(simulate)
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")]


def _settings() -> Settings:
    """The configured settings, or an end that names the bad one."""
    try:
        return Settings()
    except ValidationError as error:
        steps = Steps()
        for problem in error.errors():
            name = "_".join(map(str, problem["loc"])).upper()
            steps.say(f"AIQLEADS_{name}: {problem['msg']} (it is {problem['input']!r})")
        steps.say("mend the environment or .env; .env.example explains every setting")
        raise typer.Exit(2) from None


@contextlib.contextmanager
def _reported(steps: Steps) -> Iterator[None]:
    """Turn what a command can't do into words and exit code 1."""
    try:
        yield
    except StepFailed as failure:
        steps.failed(failure)
        raise typer.Exit(1) from failure
    except (
        InstallationBusy,
        InstallationUnusable,
        BrokenRecord,
        NotRunning,
    ) as error:
        steps.failed(StepFailed("failed", str(error), log=None, remedy=""))
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        steps.say("interrupted; what has started still runs, `aiqleads down` stops it")
        raise typer.Exit(130) from None


def _answer(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2))


@app.command()
def up(
    ingest: Annotated[
        bool | None,
        typer.Option(
            "--ingest/--no-ingest",
            help="Take in all sources again, or not at all. Neither: only what was never taken in.",
        ),
    ] = None,
    foreground: Annotated[
        bool,
        typer.Option("--foreground", help="Stay until SIGTERM or Ctrl-C, then stop everything."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Start everything needed on this machine, migrate, ingest and serve."""
    from serve_apps.cli.start import stay
    from serve_apps.cli.start import up as start
    from serve_apps.cli.stop import down as stop

    steps = Steps()
    settings = _settings()
    with _reported(steps):
        started = start(settings, steps, with_ingest=ingest)
    if as_json:
        _answer(started._asdict())
    else:
        _greet(started, steps)
    if foreground:
        with _reported(steps):
            asked = stay(settings, Installation.open(settings.data_dir))
            stop(settings, steps)
        if not asked:
            steps.say("Ray ended by itself; its logs say why")
            raise typer.Exit(1)


def _greet(started: Started, steps: Steps) -> None:
    """Where the market serves, and how to go on."""
    steps.say("")
    steps.say(f"AIQLeads serves at {started.url}  (API: {started.url}/docs)")
    steps.say(f"  trading on: {started.world}")
    if started.new_admin_password is not None:
        steps.say(f"  first administrator: {started.admin_email}")
        steps.say(f"  password, shown this once: {started.new_admin_password}")
    else:
        steps.say(f"  administrator: {started.admin_email}")
    steps.say("  aiqleads watch austin   the feed in this terminal")
    steps.say("  aiqleads status         what runs;  aiqleads down  stops it")


@app.command()
def down() -> None:
    """Stop exactly what `up` started. Stopping twice does no harm."""
    from serve_apps.cli.stop import down as stop

    steps = Steps()
    settings = _settings()
    with _reported(steps):
        if not stop(settings, steps):
            steps.say(f"nothing of {settings.data_dir.absolute()} was running")


@app.command()
def status(as_json: Json = False) -> None:
    """What runs and whether it is well. Exit code 0 only if every part is."""
    from serve_apps.cli.health import examine, examine_actors
    from serve_apps.cli.model_health import examine_models

    configured = _settings()
    steps = Steps()
    with _reported(steps):
        installation = Installation.find(configured.data_dir)
        settings = resolve_settings(configured)
        parts = asyncio.run(examine(configured, settings, installation))
        parts += examine_actors(configured, settings, installation, parts)
        parts += asyncio.run(examine_models(settings, parts))
    healthy = all(part.healthy for part in parts)
    if as_json:
        _answer({"healthy": healthy, "parts": [part._asdict() for part in parts]})
    else:
        table = Table("part", "", "pid", "port", "detail")
        for part in parts:
            sign = "[green]healthy[/green]" if part.healthy else "[red]not healthy[/red]"
            table.add_row(part.part, sign, str(part.pid or "-"), str(part.port or "-"), part.detail)
        Console().print(table)
    raise typer.Exit(0 if healthy else 1)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    steps = Steps()
    configured = _settings()
    with _reported(steps):
        settings = resolve_settings(configured)
        require(settings, "database_url")
        with steps.step("migrations", remedy="see docs/Operations.md, section Migrations"):
            from migrations.migrate import upgrade

            upgrade(settings.database_url)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look for what is wrong, and say what to do about it."""
    from serve_apps.cli.doctor import examine

    steps = Steps()
    configured = _settings()
    with _reported(steps):
        findings = examine(configured)
    well = all(finding.well for finding in findings)
    if as_json:
        _answer({"well": well, "findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.well else 'BAD '} {finding.name}: {finding.detail}")
            if finding.remedy:
                typer.echo(f"       what to do: {finding.remedy}")
    raise typer.Exit(0 if well else 1)


@app.command()
def ingest(
    source: Annotated[str, typer.Argument(help="A source by name, or `all`.")],
    market: Annotated[str | None, typer.Option(help="Only this market.")] = None,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Also read pages that have not changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take in a source now, with progress."""
    steps = Steps()
    configured = _settings()
    with _reported(steps):
        settings = resolve_settings(configured)
        require(settings, "database_url", "redis_url", "ray_address")
        installation = Installation.find(configured.data_dir)
        if installation is not None and not configured.ray_address:
            join_ray_environment(installation)
        from serve_apps.cli.ingest import ingest as run

        summary = run(settings, steps, source=source, market=market, afresh=afresh)
    if as_json:
        _answer(summary)


@app.command()
def replay(
    policy: Annotated[str, typer.Option(help="The policy, as name@version.")],
    market: Annotated[
        list[str] | None, typer.Option(help="Only this market; may be repeated.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Price the market every so many minutes.")] = 15,
    leads: Annotated[int, typer.Option(min=0, help="Show so many leads, furthest apart.")] = 20,
    as_json: Json = False,
) -> None:
    """The recorded journal under another pricing policy. Changes nothing."""
    from serve_apps.cli import replay as replaying

    steps = Steps()
    configured = _settings()
    with _reported(steps):
        settings = resolve_settings(configured)
        require(settings, "database_url")
        try:
            outcomes = replaying.replay(
                settings.database_url, policy, market or [], every_minutes=every, leads=leads
            )
        except ValueError as error:
            steps.say(str(error))
            raise typer.Exit(2) from error
    if as_json:
        _answer(replaying.as_json(policy, outcomes))
    else:
        for table in replaying.as_tables(policy, outcomes):
            Console().print(table)


@app.command()
def watch(
    market: Annotated[str, typer.Argument(help="A market's slug, such as austin.")],
    email: Annotated[
        str, typer.Option(help="Log in as this user; else as the administrator.")
    ] = "",
    password: Annotated[str, typer.Option(envvar="AIQLEADS_WATCH_PASSWORD")] = "",
    url: Annotated[str, typer.Option(help="Another server than this installation's.")] = "",
    since: Annotated[int | None, typer.Option(help="Begin after this number.")] = None,
    limit: Annotated[int, typer.Option(help="End after so many lines; 0 = never.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """The feed of a market in the terminal, until Ctrl-C."""
    from aiqleads.client import AsyncClient
    from serve_apps.cli.health import http_base
    from serve_apps.cli.watch import WatchRefused, events, lines

    steps = Steps()
    settings = resolve_settings(_settings())
    address, name = url or http_base(settings), email or settings.admin_email
    secret = password or settings.admin_password.get_secret_value()

    async def follow() -> None:
        shown = 0
        async with (
            AsyncClient(address, email=name, password=secret, trust_env=False) as client,
            contextlib.aclosing(events(client, market, since)) as items,
        ):
            async for shown_item in items if as_json else lines(items):
                typer.echo(json.dumps(shown_item) if as_json else shown_item)
                shown += 1
                if limit and shown >= limit:
                    return

    try:
        asyncio.run(follow())
    except WatchRefused as error:
        steps.say(f"{name}: {error}")
        raise typer.Exit(1) from error
    except BrokenPipeError:
        # The reader had enough (`watch | head`). Nothing is left to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Which one; without it they are listed.")] = "",
    as_json: Json = False,
) -> None:
    """Run a benchmark, passing on what follows its name (`--help` is its own)."""
    from serve_apps.cli.bench import benchmark_names, run_benchmark

    names = benchmark_names()
    if not name:
        if as_json:
            _answer(names)
        else:
            typer.echo("\n".join(names))
    elif name in names:
        raise typer.Exit(run_benchmark(name, context.args))
    else:
        known = ", ".join(names) or "none here: they come with a checkout of the repository"
        Steps().say(f"no benchmark {name!r}; there are: {known}")
        raise typer.Exit(2)
