"""`aiqleads models register|list|history|compare`: what there is, and how two versions differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.adapters.model_store import SIZE_BYTES_MAX
from engine.adapters.postgres import model_registry
from engine.market.instant import rfc3339
from models_ml.artefact import bounded
from models_ml.served import ModelName
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

_SHOWN = 60
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
        content = bounded(file, SIZE_BYTES_MAX)
        version, new = with_registry(
            lambda settings, pool: registering.register(
                pool, registering.store_of(settings), name, content, by=operator(), note=note
            )
        )
    if as_json:
        answer({"name": name, "version": version.version, "new": new, "sha256": version.sha256})
    else:
        known = "" if new else ", there already"
        typer.echo(
            f"{name} version {version.version}{known}{', retired' * bool(version.retired_at)}"
        )


@models.command(name="list")
def list_versions(
    name: Annotated[ModelName | None, typer.Argument(help="Only this model.")] = None,
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
            metric_words(each["metrics"]),
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
    rows += _judged_alike(left["evaluations"], right["evaluations"])
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


def _judged_alike(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> list[Any]:
    """Rows of what either was judged by, beside the other where that was the same."""
    rows = []
    for data in sorted({each["data"] for each in (*left, *right)}):
        one, other = (
            next((each["metrics"] for each in of if each["data"] == data), {})
            for of in (left, right)
        )
        rows += [
            (f"{metric}, {data}", one.get(metric), other.get(metric)) for metric in {**one, **other}
        ]
    return rows


def _role(each: dict[str, Any]) -> str | None:
    role: str | None = each["role"]
    return f"canary {each['share']:.0%}" if role == "canary" else role


def metric_words(metrics: dict[str, Any]) -> str:
    told = ", ".join(f"{key} {value}" for key, value in metrics.items())
    return told if len(told) <= _SHOWN else told[: _SHOWN - 1] + "…"
