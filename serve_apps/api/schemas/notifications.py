"""Notifications, and what a buyer sets about them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from engine.market.notices import NoticeKind
from serve_apps.api.schemas.fields import AnswerModel, Instant, RequestModel

Minute = Annotated[int, Field(ge=0, le=1439, description="minute of the day")]
ZoneName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")]


class ChannelChoice(RequestModel):
    """How to hear of one kind."""

    in_app: bool
    email: bool


class QuietHoursChoice(RequestModel):
    """No e-mail from `start` to `end`, by the clock of an IANA time zone; past midnight if
    `end` comes first. They differ."""

    start: Minute
    end: Minute
    time_zone: ZoneName = Field(examples=["America/Chicago"])


class NotificationChoices(RequestModel):
    """All that is set: kinds left out go back to their default."""

    channels: dict[NoticeKind, ChannelChoice] = Field(default_factory=dict)
    quiet_hours: QuietHoursChoice | None = None


class NotificationSettingsAnswer(AnswerModel):
    """What is set, the defaults included."""

    channels: dict[NoticeKind, ChannelChoice]
    quiet_hours: QuietHoursChoice | None


class NotificationEntry(AnswerModel):
    """One notification. `facts` are those of the user channel's message, and of the home."""

    notification_id: str
    kind: str
    title: str
    body: str
    facts: dict[str, str | int | float | None]
    created_at: Instant
    read_at: Instant | None


class NotificationsPage(AnswerModel):
    """Notifications, newest first."""

    items: list[NotificationEntry]
    next_cursor: str | None
