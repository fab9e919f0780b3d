"""What buyers are told besides the feed: in the list of their notifications, and by e-mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta, tzinfo
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from engine.market.buyer_events import BuyerEvent
from engine.market.instant import from_datetime, to_datetime

NoticeKind = Literal[
    "hold.expiring", "hold.expired", "queue.offered", "queue.ended", "standing_order.filled"
]
KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)
# An e-mail about a hold that ends sooner would come too late to act on.
MAILED_MINUTES_MIN = 5
_MINUTES_A_DAY = 24 * 60


class Channels(msgspec.Struct, frozen=True):
    """How a buyer wants to hear of one kind."""

    in_app: bool
    email: bool


# E-mail by default where there is something to do in time, or credits were spent.
DEFAULT_CHANNELS: dict[NoticeKind, Channels] = {
    "hold.expiring": Channels(in_app=True, email=True),
    "hold.expired": Channels(in_app=True, email=False),
    "queue.offered": Channels(in_app=True, email=True),
    "queue.ended": Channels(in_app=True, email=False),
    "standing_order.filled": Channels(in_app=True, email=True),
}


class QuietHours(msgspec.Struct, frozen=True):
    """No e-mail from `start` to `end`, minutes of the day in `time_zone` (an IANA name).

    They differ; an `end` before `start` is on the next day.
    """

    start: int
    end: int
    time_zone: str


class NotificationSettings(msgspec.Struct, frozen=True):
    """What a buyer set; kinds that `channels` leaves out are told as by default."""

    channels: dict[NoticeKind, Channels] = {}
    quiet_hours: QuietHours | None = None

    def of(self, kind: NoticeKind) -> Channels:
        return self.channels.get(kind, DEFAULT_CHANNELS[kind])


class Cause(NamedTuple):
    """Why a buyer is to be told: an event whose type is a NoticeKind. `minutes` names a
    reminder, 0 for everything else."""

    event: BuyerEvent
    minutes: int = 0

    def is_mailed(self) -> bool:
        """Whether an e-mail can come in time to be of use."""
        return self.event.type != "hold.expiring" or self.minutes >= MAILED_MINUTES_MIN


class Notification(msgspec.Struct, frozen=True):
    """One, as the list of them shows it."""

    notification_id: str
    kind: str
    title: str
    body: str
    facts: dict[str, Any]
    created_at: datetime
    read_at: datetime | None = None


class Told(NamedTuple):
    """A notification made just now. With `in_app` off it is in no list."""

    cause: Cause
    notification: Notification
    in_app: bool


class Telling(NamedTuple):
    """What became of causes: told now, or `untrue`, for what they speak of is not so (any more).
    The rest was told before."""

    told: list[Told]
    untrue: list[Cause]


def mail_at(now_us: int, quiet: QuietHours, zone: tzinfo) -> int:
    """When an e-mail may go out, µs: `now_us`, or the end of the quiet hours it lies in."""
    local = to_datetime(now_us).astimezone(zone)
    minute = local.hour * 60 + local.minute
    if (minute - quiet.start) % _MINUTES_A_DAY >= (quiet.end - quiet.start) % _MINUTES_A_DAY:
        return now_us
    day = local.date() + timedelta(days=minute >= quiet.end)
    end = datetime.combine(day, time(quiet.end // 60, quiet.end % 60), tzinfo=zone)
    # On the day a clock is put back an hour comes twice: its first passing counts.
    return max(now_us, from_datetime(end))


def words(kind: NoticeKind, facts: Mapping[str, Any]) -> tuple[str, str]:
    """(title, body) of a notification, in plain text. `facts` are the event's body and, as far
    as they are known, `city` and `property_sub_type` of the lead."""
    home = _home(facts)
    match kind:
        case "hold.expiring":
            left = facts["minutes_left"]
            minutes = "1 minute" if left == 1 else f"{left} minutes"
            return (
                f"Your hold ends in {minutes}",
                f"{home} at {_credits(facts)} is held for you until {_moment(facts['held_until'])}."
                " Buy it, hold it for longer, or let it go.",
            )
        case "hold.expired":
            return _ENDED[facts["reason"]], f"{home}: your hold of it has ended."
        case "queue.offered":
            return (
                "A seat is free for you",
                f"{home} at {_credits(facts)} is kept for you until"
                f" {_moment(facts['offered_until'])}. Hold it or buy it by then.",
            )
        case "queue.ended":
            return "You are not in line any more", f"{home}: {_LEFT[facts['reason']]}."
        case "standing_order.filled":
            return (
                "Your standing order has bought a lead",
                f"{home} for {_credits(facts)}. The contact is in your orders.",
            )


_ENDED = {
    "expired": "Your hold has run out",
    "withdrawn": "A lead that you held was withdrawn",
    "quarantined": "A lead that you held is under review",
}
_LEFT = {
    "sold": "every seat of it is sold",
    "withdrawn": "it was withdrawn",
    "quarantined": "it is under review",
    "expired": "the seat that was kept for you was not taken in time",
}


def _home(facts: Mapping[str, Any]) -> str:
    what = facts.get("property_sub_type") or facts.get("property_type") or "A lead"
    city = facts.get("city")
    return f"{what} in {city}" if city else str(what)


def _credits(facts: Mapping[str, Any]) -> str:
    price = facts["price"]
    return "1 credit" if price == 1 else f"{price:,} credits"


def _moment(instant: str) -> str:
    """ "2026-05-01 12:34 UTC" of RFC 3339 UTC."""
    return f"{instant[:10]} {instant[11:16]} UTC"
