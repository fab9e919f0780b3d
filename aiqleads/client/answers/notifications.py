"""What a buyer is told, and how they want to hear of it."""

from __future__ import annotations

from typing import Any

import msgspec

from aiqleads.client.answers.fields import Answer, Instant


class Notification(Answer, frozen=True, kw_only=True):
    """One notification; `facts` are those of the message on the channel `user`."""

    notification_id: str
    kind: str
    title: str
    body: str
    created_at: Instant
    read_at: Instant | None = None
    facts: dict[str, Any] = msgspec.field(default_factory=dict)


class Told(Answer, frozen=True, kw_only=True):
    """By which ways a kind of notification is told."""

    in_app: bool
    email: bool


class QuietHours(Answer, frozen=True, kw_only=True):
    """No e-mail from minute `start` of the day to `end`, in an IANA time zone; past midnight if
    `end` comes first."""

    start: int
    end: int
    time_zone: str


class NotificationSettings(Answer, frozen=True, kw_only=True):
    """Ways by kind, and when e-mails rest."""

    channels: dict[str, Told] = msgspec.field(default_factory=dict)
    quiet_hours: QuietHours | None = None
