"""`aiqleads models promote|canary|shadow|rollback|retire`: who serves as what."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import asyncpg
import msgspec
import typer

from engine.adapters.postgres import model_registry
from engine.adapters.postgres.model_registry import Change
from engine.adapters.postgres.model_watch import Acknowledged
from engine.rollout.roles import SHARE_MAX, Refusal, Wish
from engine.settings import Settings
from serve_apps.cli.model_words import (
    EXIT_LATE,
    Json,
    Name,
    Number,
    Wait,
    Why,
    answer,
    operator,
    reported,
    with_registry,
)
from serve_apps.cli.models import models
from serve_apps.cli.steps import StepFailed, Steps
from serve_apps.scoring import operations

_WAIT = 30.0
Off = Annotated[bool, typer.Option("--off", help="End this role instead.")]
MaybeNumber = Annotated[int | None, typer.Argument(min=1, help="A version; none with --off.")]


@models.command()
def promote(
    name: Name, version: Number, reason: Why = "", wait: Wait = _WAIT, as_json: Json = False
) -> None:
    """Make a version the live one, while it goes on serving."""
    _change(name, Wish("promote", version), reason, wait, as_json)


@models.command()
def canary(
    name: Name,
    version: MaybeNumber = None,
    share: Annotated[
        float, typer.Option(min=0.0, max=SHARE_MAX, help="Of the subjects, by hash.")
    ] = 0.05,
    off: Off = False,
    reason: Why = "",
    wait: Wait = _WAIT,
    as_json: Json = False,
) -> None:
    """Let a version answer for a share of the leads, watched against the live one."""
    _named_or_off(version, off)
    _change(name, Wish("canary", version, share=share), reason, wait, as_json)


@models.command()
def shadow(
    name: Name,
    version: MaybeNumber = None,
    off: Off = False,
    reason: Why = "",
    wait: Wait = _WAIT,
    as_json: Json = False,
) -> None:
    """Have a version score beside the live one; nobody gets its answers, `compare` shows them."""
    _named_or_off(version, off)
    _change(name, Wish("shadow", version), reason, wait, as_json)


@models.command()
def rollback(
    name: Name,
    role: Annotated[
        Literal["live", "canary"] | None,
        typer.Option(help="Which one; without, the canary if there is one, else live."),
    ] = None,
    reason: Why = "",
    wait: Wait = _WAIT,
    as_json: Json = False,
) -> None:
    """End the canary, or go back to the version that was live before."""
    _change(name, Wish("rollback", role=role), reason, wait, as_json)


@models.command()
def retire(name: Name, version: Number, reason: Why = "", as_json: Json = False) -> None:
    """Take a version that has no role out of use for good."""
    _change(name, Wish("retire", version), reason, 0, as_json)


def _named_or_off(version: int | None, off: bool) -> None:
    if (version is None) != off:
        raise typer.BadParameter("name a version, or give --off to end the role")


def _change(name: str, wish: Wish, reason: str, wait: float, as_json: bool) -> None:
    with reported() as steps:
        found = with_registry(
            lambda settings, pool: _changed(settings, pool, name, wish, reason, wait)
        )
        change, refused, there, late = found
        if as_json:
            answer(_as_json(change, refused, there, late))
        else:
            _tell(steps, change, there, late)
        if refused is not None:
            raise StepFailed(
                f"{name} version {refused.from_version}",
                f"refused: {refused.reason}",
                log=None,
                remedy=f"version {refused.to_version} is live"
                if refused.role == "live"
                else "live is as it was",
            )
    if late:
        raise typer.Exit(EXIT_LATE)


async def _changed(
    settings: Settings, pool: asyncpg.Pool, name: str, wish: Wish, reason: str, wait: float
) -> tuple[Change, Change | None, list[Acknowledged], list[Acknowledged]]:
    """The change, what a replica refused of it, and who follows and who does not yet. Raises
    ValueError if it can't be."""
    done = await model_registry.change(pool, name, wish, by=operator(), reason=reason)
    if isinstance(done, Refusal):
        raise ValueError(done.reason)
    there, late = await operations.acknowledged(pool, name, done, wait) if wait else ([], [])
    history = await model_registry.changes(pool, name)
    change = next(each for each in history if each.change_id == done)
    refused = next(
        (
            each
            for each in history
            if each.change_id > done
            and each.action == "refused"
            and each.from_version == change.to_version
        ),
        None,
    )
    return change, refused, there, late


def _tell(
    steps: Steps, change: Change, there: list[Acknowledged], late: list[Acknowledged]
) -> None:
    was = "none" if change.from_version is None else change.from_version
    now = "none" if change.to_version is None else change.to_version
    share = "" if change.share is None else f", {change.share:.0%} of the subjects"
    steps.say(f"{change.name} {change.action} {change.role or ''}: {was} → {now}{share}")
    if there:
        steps.say(f"  {len(there)} replicas follow")
    for each in late:
        problem = f": {each.problem}" if each.problem else ""
        steps.say(f"  replica {each.replica} does not follow yet{problem}")


def _as_json(
    change: Change, refused: Change | None, there: list[Acknowledged], late: list[Acknowledged]
) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(
        {"change": change, "refused": refused, "following": there, "late": late}
    )
    return found
