"""The caller's notifications, and how they want to hear of what."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import msgspec
from fastapi import Query

from engine.adapters.postgres import notifications
from engine.adapters.postgres.idempotency import Stored
from engine.market.instant import from_datetime, to_datetime
from engine.market.notices import KINDS, Channels, NotificationSettings, QuietHours
from serve_apps.api.answers import Answer, NoContent, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.idempotency import answer_once, decided
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import invalid, not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.fields import PageQuery
from serve_apps.api.schemas.notifications import (
    NotificationChoices,
    NotificationSettingsAnswer,
    NotificationsPage,
    QuietHoursChoice,
)

routes = Routes("notifications")


class NotificationsQuery(PageQuery):
    """Notifications, with `unread` only those not read yet."""

    unread: bool = False


@routes.add("GET", "/v1/me/notifications", answers={200: NotificationSettingsAnswer})
async def get_settings(call: CurrentCall) -> Answer:
    """Which channels tell the caller what, and when e-mails rest."""
    found = await notifications.settings(call.deps.pool, call.user.user_id)
    return answer(_shown(found))


@routes.add(
    "PUT",
    "/v1/me/notifications",
    key="optional",
    body=NotificationChoices,
    answers={200: NotificationSettingsAnswer},
)
async def put_settings(call: CurrentCall) -> Answer:
    """Replace what is set. A reminder that quiet hours delay beyond its hold is not mailed."""
    form = call.parse(NotificationChoices)
    settings = NotificationSettings(
        {kind: Channels(each.in_app, each.email) for kind, each in form.channels.items()},
        _quiet_hours(form.quiet_hours),
    )

    async def decide(connection: asyncpg.Connection) -> Stored:
        await notifications.replace_settings(connection, call.user.user_id, settings)
        return decided(200, _shown(settings))

    return await answer_once(call, decide)


@routes.add("GET", "/v1/notifications", answers={200: NotificationsPage})
async def list_notifications(
    call: CurrentCall, query: Annotated[NotificationsQuery, Query()]
) -> Answer:
    """What the caller was told, newest first; kept for 90 days."""
    user_id = call.user.user_id
    identity = f"notifications {user_id} {query.unread}"
    position = decode_cursor(call.deps, identity, query.cursor)
    found = await notifications.page(
        call.deps.pool,
        user_id,
        unread=query.unread,
        after=(to_datetime(position[0]), position[1]) if position else None,
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    last = (
        (from_datetime(shown[-1].created_at), shown[-1].notification_id)
        if len(found) > query.limit
        else None
    )
    return answer({"items": shown, "next_cursor": encode_cursor(call.deps, identity, last)})


@routes.add(
    "POST",
    "/v1/notifications/{notification_id}/read",
    key="optional",
    answers={204: None},
    problems=("not-found",),
)
async def read(call: CurrentCall) -> NoContent:
    """Mark one as read; again is no harm."""
    notification_id = call.params[0]

    async def decide(connection: asyncpg.Connection) -> Stored:
        user_id = call.user.user_id
        if not is_id(notification_id) or not await notifications.read(
            connection, user_id, notification_id
        ):
            raise not_found("you have no such notification")
        return decided(204, None)

    await answer_once(call, decide)
    return NoContent()


@routes.add("POST", "/v1/notifications/read-all", key="optional", answers={204: None})
async def read_all(call: CurrentCall) -> NoContent:
    """Mark all that are there now as read."""

    async def decide(connection: asyncpg.Connection) -> Stored:
        await notifications.read_all(connection, call.user.user_id)
        return decided(204, None)

    await answer_once(call, decide)
    return NoContent()


def _shown(settings: NotificationSettings) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(
        {
            "channels": {kind: settings.of(kind) for kind in KINDS},
            "quiet_hours": settings.quiet_hours,
        }
    )
    return shown


def _quiet_hours(choice: QuietHoursChoice | None) -> QuietHours | None:
    if choice is None:
        return None
    if choice.start == choice.end:
        raise invalid("body.quiet_hours.end", "must differ from start")
    try:
        ZoneInfo(choice.time_zone)
    except (OSError, ZoneInfoNotFoundError, ValueError) as error:
        raise invalid("body.quiet_hours.time_zone", "no IANA time zone") from error
    return QuietHours(choice.start, choice.end, choice.time_zone)
