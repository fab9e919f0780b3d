"""`aiqleads models register|list|history|evaluate|compare|drift`: what there is, what it does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.adapters.postgres import model_registry
from engine.market.instant import rfc3339
from models_ml import drift as drifting
from models_ml.served import Served
from serve_apps.cli.model_words import (
    Json,
    Name,
    Number,
    answer,
    operator,
    reported,
    table,
    with_registry,
)
from serve_apps.cli.models import models
from serve_apps.scoring import operations, registering
from serve_apps.scoring.loading import from_bytes, from_store

_SHOWN = 60
_TIMED = 20
Bundle = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A bundle, one file.")]


@models.command()
def register(
    name: Name,
    file: Bundle,
    note: Annotated[str, typer.Option(help="What it is; it stands in the list.")] = "",
    as_json: Json = False,
) -> None:
    """Enter a bundle that was trained elsewhere: read, checked, stored. It has no role yet."""
    with reported():
        content = file.read_bytes()
        version, new = with_registry(
            lambda settings, pool: registering.register(
                pool, registering.store_of(settings), name, content, by=operator(), note=note
            )
        )
    if as_json:
        answer({"name": name, "version": version.version, "new": new, "sha256": version.sha256})
    else:
        typer.echo(f"{name} version {version.version}{'' if new else ', there already'}")


@models.command(name="list")
def list_versions(
    name: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    as_json: Json = False,
) -> None:
    """Every version, its role and its metrics, the newest first."""
    with reported():
        found = with_registry(lambda _, pool: operations.listing(pool, name))
    if as_json:
        answer(found)
        return
    rows = [
        (
            each["name"],
            each["version"],
            "retired" if each["retired_at"] else _role(each),
            _metrics(each["metrics"]),
            f"{each['size_bytes']:,}",
            each["made_at"][:16],
            each["made_by"],
            each["note"],
        )
        for each in found
    ]
    table(("model", "version", "role", "metrics", "bytes", "made", "by", "note"), rows)


@models.command()
def history(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    as_json: Json = False,
) -> None:
    """Who changed what and why, the newest first."""
    with reported():
        found = with_registry(lambda _, pool: model_registry.changes(pool, name, limit))
    if as_json:
        answer([{**msgspec.to_builtins(each), "at": rfc3339(each.at)} for each in found])
        return
    rows = [
        (
            rfc3339(each.at)[:19],
            each.action,
            each.role,
            each.from_version,
            each.to_version,
            each.share,
            each.changed_by,
            each.reason,
        )
        for each in found
    ]
    table(("at", "action", "role", "from", "to", "share", "by", "reason"), rows)


@models.command()
def evaluate(
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="Without: the live one.")] = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A bundle instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a version, score its known example, time it, and show how it did where it was made."""
    with reported():
        if file is not None:
            model = from_bytes(name, file.read_bytes())
        else:
            model = from_store(
                with_registry(lambda _, pool: operations.find_or_live(pool, name, version))
            )
        found = _evaluated(model)
    if as_json:
        answer(found)
        return
    for key, value in found.items():
        shown = _metrics(value) if isinstance(value, dict) else value
        typer.echo(f"{key:<20} {shown}")


@models.command()
def compare(name: Name, one: Number, other: Number, as_json: Json = False) -> None:
    """Two versions: metrics, what serving showed, and scores of the leads that both saw."""
    with reported():
        found = with_registry(lambda _, pool: operations.compare(pool, name, one, other))
    if as_json:
        answer(found)
        return
    left, right = found["versions"]
    keys = sorted({*left["metrics"], *right["metrics"]})
    rows = [(key, left["metrics"].get(key), right["metrics"].get(key)) for key in keys]
    rows += [(key, left["served"][key], right["served"][key]) for key in left["served"]]
    table(("", f"version {one}", f"version {other}"), rows)
    beside = found["shadow"]
    if beside is None:
        typer.echo("no lead was scored by both: make one the shadow of the other")
        return
    typer.echo(
        f"version {beside['version']} as shadow, on {beside['leads']:,} leads: "
        f"{beside['mean_difference']:+.4f} on average, {beside['mean_distance']:.4f} apart, "
        f"{beside['far_apart']:,} by {operations.APART} or more"
    )


@models.command()
def drift(
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="Without: the live one.")] = None,
    days: Annotated[int, typer.Option(min=1, max=90)] = 7,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Also write the report as a page.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Features against the training rows, scores, and calibration by reviewers' labels."""
    with reported():
        found = with_registry(lambda _, pool: operations.drift_of(pool, name, version, days))
        if html is not None:
            html.write_text(drifting.as_html(found), encoding="utf-8")
    if as_json:
        answer(msgspec.to_builtins(found))
        return
    typer.echo(f"{name} version {found.version}: {found.rows:,} rows of {days} days {found.note}")
    if found.features:
        rows = [(each.feature, each.stability_index, each.verdict) for each in found.features]
        table(("feature", "stability index", ""), rows[:20])
    if found.calibration_error is not None:
        typer.echo(f"calibration error by reviewers' labels: {found.calibration_error:.3f}")


def _evaluated(model: Served) -> dict[str, Any]:
    times = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        model.check()
        times.append((time.perf_counter() - started) * 1e3)
    training, metrics = registering.told(model)
    return {
        "schema": model.schema,
        "features": len(model.features),
        "known_example": "as it should be",
        "known_example_ms": round(sorted(times)[len(times) // 2], 3),
        "training_sha256": training,
        "metrics": metrics,
    }


def _role(each: dict[str, Any]) -> str | None:
    role: str | None = each["role"]
    return f"canary {each['share']:.0%}" if role == "canary" else role


def _metrics(metrics: dict[str, Any]) -> str:
    told = ", ".join(f"{key} {value}" for key, value in metrics.items())
    return told if len(told) <= _SHOWN else told[: _SHOWN - 1] + "…"
