"""`aiqleads models promote|canary|shadow|rollback|retire`: who serves as what."""

from __future__ import annotations

from typing import Annotated, Literal

import asyncpg
import msgspec
import typer

from engine.adapters.postgres import model_registry
from engine.adapters.postgres.model_registry import Change
from engine.adapters.postgres.model_watch import Acknowledged
from engine.rollout.roles import SHARE_MAX, Refusal, Wish
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
    version: Annotated[
        int | None,
        typer.Argument(min=1, help="Only if it is this one that would be taken back."),
    ] = None,
    role: Annotated[
        Literal["live", "canary"] | None,
        typer.Option(help="Which one; without, the canary if there is one, else live."),
    ] = None,
    reason: Why = "",
    wait: Wait = _WAIT,
    as_json: Json = False,
) -> None:
    """End the canary, or go back to the version that was live before."""
    _change(name, Wish("rollback", version, role=role), reason, wait, as_json)


@models.command()
def retire(name: Name, version: Number, reason: Why = "", as_json: Json = False) -> None:
    """Take a version that has no role out of use for good."""
    _change(name, Wish("retire", version), reason, 0, as_json)


def _named_or_off(version: int | None, off: bool) -> None:
    if (version is None) != off:
        raise typer.BadParameter("name a version, or give --off to end the role")


class _Done(msgspec.Struct, frozen=True):
    """The change; what a replica refused of it; what came after it; who follows, and who does
    not yet."""

    change: Change
    refused: Change | None
    later: Change | None
    following: list[Acknowledged]
    late: list[Acknowledged]


def _change(name: str, wish: Wish, reason: str, wait: float, as_json: bool) -> None:
    with reported() as steps:
        done = with_registry(lambda _, pool: _changed(pool, name, wish, reason, wait))
        if as_json:
            answer(msgspec.to_builtins(done))
        else:
            _tell(steps, done, wait)
        if done.refused is not None:
            raise StepFailed(
                f"{name} version {done.refused.from_version}",
                f"refused: {done.refused.reason}",
                log=None,
                remedy=_after(done.refused),
            )
    if done.late:
        raise typer.Exit(EXIT_LATE)


async def _changed(pool: asyncpg.Pool, name: str, wish: Wish, reason: str, wait: float) -> _Done:
    """Raises ValueError if it can't be."""
    made = await model_registry.change(pool, name, wish, by=operator(), reason=reason)
    if isinstance(made, Refusal):
        raise ValueError(made.reason)
    there, late = await operations.acknowledged(pool, name, made, wait) if wait else ([], [])
    async with pool.acquire() as connection:
        change = await model_registry.change_of(connection, made)
    later = [each for each in await model_registry.changes(pool, name) if each.change_id > made]
    refused = next(
        (
            each
            for each in later
            if each.action == "refused" and each.from_version == change.to_version
        ),
        None,
    )
    newest = next((each for each in later if each.action != "train"), None)
    return _Done(change, refused, None if newest == refused else newest, there, late)


def _after(refused: Change) -> str:
    if refused.role != "live":
        return "the live version is as it was"
    if refused.to_version is None:
        return "no version is live"
    return f"version {refused.to_version} is live"


def _words(change: Change) -> str:
    if change.role is None or change.role == change.action:
        return change.action
    return f"{change.action} {change.role}"


def _tell(steps: Steps, done: _Done, wait: float) -> None:
    change = done.change
    was = "none" if change.from_version is None else change.from_version
    now = "none" if change.to_version is None else change.to_version
    share = "" if change.share is None else f", {change.share:.0%} of the subjects"
    steps.say(f"{change.name} {_words(change)}: {was} → {now}{share}")
    if done.following:
        count = len(done.following)
        steps.say(f"  {count} replica{'s' * (count != 1)} follow{'s' * (count == 1)}")
    elif wait and not done.late:
        steps.say("  no replica serves this model now; those that start will follow")
    for each in done.late:
        problem = f": {each.problem}" if each.problem else ""
        steps.say(f"  replica {each.replica} does not follow yet{problem}")
    if done.later is not None:
        steps.say(
            f"  and then {done.later.changed_by} did: {_words(done.later)}"
            f" to {done.later.to_version or 'none'}"
        )
