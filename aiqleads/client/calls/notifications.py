"""Notifications."""

from __future__ import annotations

import msgspec

from aiqleads.client.answers.fields import Page
from aiqleads.client.answers.notifications import Notification, NotificationSettings
from aiqleads.client.calls.call import Call, decoded, keyed_write, nothing, path, read_call
from aiqleads.client.calls.leads import PAGE_SIZE_MAX, parameters


def notifications(
    *, only_unread: bool = False, page_size: int = PAGE_SIZE_MAX
) -> Call[Page[Notification]]:
    """What this buyer was told, newest first."""
    query = parameters({"unread": "true" if only_unread else None, "limit": page_size})
    return read_call(path("notifications"), decoded(Page[Notification]), query)


def read_notification(notification_id: str, *, key: str | None = None) -> Call[None]:
    """Mark one as read; again is no harm."""
    return keyed_write("POST", path("notifications", notification_id, "read"), nothing, key=key)


def read_notifications(*, key: str | None = None) -> Call[None]:
    """Mark all that are there as read."""
    return keyed_write("POST", path("notifications", "read-all"), nothing, key=key)


def notification_settings() -> Call[NotificationSettings]:
    """Which kinds are told how, and when e-mails rest."""
    return read_call(path("me", "notifications"), decoded(NotificationSettings))


def set_notifications(
    settings: NotificationSettings, *, key: str | None = None
) -> Call[NotificationSettings]:
    """Replace what is set; kinds left out go back to their default."""
    body = msgspec.to_builtins(settings)
    where = path("me", "notifications")
    return keyed_write("PUT", where, decoded(NotificationSettings), body, key=key)
