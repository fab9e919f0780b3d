"""What is told, once, by which channel, and what waits in the outbox."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from engine.adapters.postgres import mail_outbox, notifications
from engine.adapters.postgres.notifier import PostgresNotifier
from engine.adapters.postgres.pool import open_pool
from engine.market.buyer_events import BuyerEvent
from engine.market.instant import rfc3339
from engine.market.notices import Cause, Channels, NotificationSettings, QuietHours

MINUTE = 60_000_000


def now_us() -> int:
    return time.time_ns() // 1000


class Desk:
    """A database with buyers and holds in it, and a notifier."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.notifier = PostgresNotifier(pool, is_mailing=True)

    async def buyer(self, settings: NotificationSettings | None = None) -> str:
        user_id = f"user-{secrets.token_hex(6)}"
        await self.pool.execute(
            "INSERT INTO users (user_id, email, full_name, password_hash)"
            " VALUES ($1, $1 || '@example.com', 'A Buyer', 'x')",
            user_id,
        )
        if settings is not None:
            async with self.pool.acquire() as connection:
                await notifications.replace_settings(connection, user_id, settings)
        return user_id

    async def expiring(self, user_id: str, left_us: int = 10 * MINUTE, minutes: int = 10) -> Cause:
        """A hold, and the reminder of its end."""
        lead_id, until = f"lead-{secrets.token_hex(6)}", now_us() + left_us
        await self.pool.execute(
            "INSERT INTO seats (lead_id, seat, market, user_id, max_buyers, price, hold,"
            " first_held_at, held_at, held_until, forget_after)"
            " VALUES ($1, 1, 'austin', $2, 1, 25, '15m', 0, 0, $3, 0)",
            lead_id,
            user_id,
            until,
        )
        body = {
            "market": "austin",
            "lead_id": lead_id,
            "price": 25,
            "hold": "15m",
            "held_until": rfc3339(until),
            "minutes_left": minutes,
        }
        return Cause(BuyerEvent(user_id, "hold.expiring", body), minutes)

    async def rows(self, user_id: str) -> list[asyncpg.Record]:
        return await self.pool.fetch("SELECT * FROM notifications WHERE user_id = $1", user_id)

    async def row(self, user_id: str) -> asyncpg.Record:
        (row,) = await self.rows(user_id)
        return row


@pytest.fixture
async def desk(fresh_database_url: str) -> AsyncIterator[Desk]:
    pool = await open_pool(fresh_database_url, application="test")
    try:
        yield Desk(pool)
    finally:
        await pool.close()


# --- telling ---------------------------------------------------------------------------------


async def test_told_once_whoever_asks_and_how_often(desk: Desk) -> None:
    users = [await desk.buyer() for _ in range(5)]
    causes = [await desk.expiring(user) for user in users]
    other = PostgresNotifier(desk.pool, is_mailing=True)
    tellings = await asyncio.gather(
        *(each.tell(causes * 2, now_us()) for each in (desk.notifier, other) * 3)
    )
    told = [one for telling in tellings for one in telling.told]
    assert sorted(one.cause.event.user_id for one in told) == sorted(users)
    assert all(telling.untrue == [] for telling in tellings)
    assert [len(await desk.rows(user)) for user in users] == [1] * 5


async def test_what_is_not_so_is_not_told(desk: Desk) -> None:
    ann = await desk.buyer()
    true, over = await desk.expiring(ann), await desk.expiring(ann)
    await desk.pool.execute("DELETE FROM seats WHERE lead_id = $1", over.event.body["lead_id"])
    nobody = Cause(BuyerEvent("nobody", "hold.expiring", true.event.body), 10)
    telling = await desk.notifier.tell([over, true, nobody], now_us())
    assert [one.cause for one in telling.told] == [true]
    assert telling.untrue == [over, nobody]


async def test_channels_are_those_the_buyer_set(desk: Desk) -> None:
    def setting(*, in_app: bool, email: bool) -> NotificationSettings:
        return NotificationSettings({"hold.expiring": Channels(in_app, email)})

    default = await desk.buyer()
    only_mail = await desk.buyer(setting(in_app=False, email=True))
    only_app = await desk.buyer(setting(in_app=True, email=False))
    neither = await desk.buyer(setting(in_app=False, email=False))
    users = [default, only_mail, only_app, neither]
    await desk.notifier.tell([await desk.expiring(user) for user in users], now_us())
    found = [(row["in_app"], row["mail_state"]) for row in [await desk.row(user) for user in users]]
    assert found == [(True, "waiting"), (False, "waiting"), (True, "none"), (False, "none")]
    listed = [
        len(await notifications.page(desk.pool, user, unread=False, after=None, limit=9))
        for user in users
    ]
    assert listed == [1, 0, 1, 0]


async def test_no_mail_without_a_server_or_when_it_came_too_late(desk: Desk) -> None:
    ann, bob = await desk.buyer(), await desk.buyer()
    without = PostgresNotifier(desk.pool, is_mailing=False)
    await without.tell([await desk.expiring(ann)], now_us())
    await desk.notifier.tell([await desk.expiring(bob, MINUTE, minutes=1)], now_us())
    assert (await desk.row(ann))["mail_state"] == "none"
    assert (await desk.row(bob))["mail_state"] == "none"


def quiet_now(*, for_minutes: int) -> QuietHours:
    """Quiet hours that began a minute ago."""
    local = datetime.now(ZoneInfo("Asia/Kathmandu"))
    minute = local.hour * 60 + local.minute
    return QuietHours((minute - 1) % 1440, (minute + for_minutes) % 1440, "Asia/Kathmandu")


async def test_quiet_hours_delay_a_mail_or_drop_it(desk: Desk) -> None:
    ann = await desk.buyer(NotificationSettings(quiet_hours=quiet_now(for_minutes=5)))
    bob = await desk.buyer(NotificationSettings(quiet_hours=quiet_now(for_minutes=60)))
    await desk.notifier.tell([await desk.expiring(ann), await desk.expiring(bob)], now_us())
    waits, dropped = await desk.row(ann), await desk.row(bob)
    assert waits["mail_state"] == "waiting"
    delay = waits["mail_due_at"] - datetime.now(UTC)
    assert timedelta(minutes=3) < delay <= timedelta(minutes=5)
    assert dropped["mail_state"] == "dropped"
    # The list is not quiet.
    assert waits["in_app"]
    assert dropped["in_app"]
    assert await mail_outbox.take(desk.pool, 10) == []


async def test_a_zone_that_is_no_more_keeps_nobody_from_being_told(desk: Desk) -> None:
    ann = await desk.buyer(NotificationSettings(quiet_hours=QuietHours(0, 1, "Atlantis/Lost_City")))
    assert len((await desk.notifier.tell([await desk.expiring(ann)], now_us())).told) == 1


# --- the outbox ------------------------------------------------------------------------------


async def waiting(desk: Desk, count: int = 1) -> list[Cause]:
    causes = [await desk.expiring(await desk.buyer()) for _ in range(count)]
    await desk.notifier.tell(causes, now_us())
    return causes


async def state(desk: Desk, cause: Cause) -> dict[str, Any]:
    return dict(await desk.row(cause.event.user_id))


async def test_a_mail_is_had_by_one_worker_at_a_time(desk: Desk) -> None:
    causes = await waiting(desk, 30)
    batches = await asyncio.gather(*(mail_outbox.take(desk.pool, 8) for _ in range(6)))
    taken = [mail.notification_id for batch in batches for mail in batch]
    assert len(taken) == len(set(taken)) == 30
    assert await mail_outbox.take(desk.pool, 8) == []
    mail = next(mail for batch in batches for mail in batch)
    assert mail.is_true
    assert mail.tries == 1
    assert mail.email.endswith("@example.com")
    assert len(causes) == 30


async def test_a_lease_that_ended_is_taken_over_and_its_holder_changes_nothing(
    desk: Desk,
) -> None:
    (cause,) = await waiting(desk)
    (first,) = await mail_outbox.take(desk.pool, 1)
    await desk.pool.execute("UPDATE notifications SET mail_due_at = now()")
    (second,) = await mail_outbox.take(desk.pool, 1)
    assert second.tries == 2
    await mail_outbox.failed(desk.pool, first, "too late to say")
    assert (await state(desk, cause))["mail_state"] == "waiting"
    await mail_outbox.sent(desk.pool, [second])
    assert (await state(desk, cause))["mail_state"] == "sent"


async def test_tries_are_further_and_further_apart_and_end(desk: Desk) -> None:
    (cause,) = await waiting(desk)
    delays = []
    while mails := await mail_outbox.take(desk.pool, 1):
        await mail_outbox.again(desk.pool, mails[0], "451 4.7.1")
        found = await state(desk, cause)
        delays.append(round((found["mail_due_at"] - datetime.now(UTC)).total_seconds() / 60))
        await desk.pool.execute("UPDATE notifications SET mail_due_at = now()")
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128]
    found = await state(desk, cause)
    assert (found["mail_state"], found["mail_error"]) == ("failed", "451 4.7.1")


async def test_what_was_not_tried_is_due_at_once(desk: Desk) -> None:
    (cause,) = await waiting(desk)
    await mail_outbox.give_back(desk.pool, await mail_outbox.take(desk.pool, 1))
    assert (await state(desk, cause))["mail_tries"] == 0
    assert await mail_outbox.seconds_to_next(desk.pool) == 0
    assert len(await mail_outbox.take(desk.pool, 1)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM seats",
        "UPDATE seats SET held_until = held_until + 1",
        "UPDATE seats SET held_until = NULL, hold = NULL, order_id = 'bought'",
        "UPDATE users SET status = 'suspended'",
    ],
)
async def test_what_is_over_by_then_is_known(desk: Desk, change: str) -> None:
    await waiting(desk)
    await desk.pool.execute(change)
    (mail,) = await mail_outbox.take(desk.pool, 1)
    assert not mail.is_true


# --- keeping it ------------------------------------------------------------------------------


async def test_old_notifications_go(desk: Desk) -> None:
    old, new = await waiting(desk, 2)
    await desk.pool.execute(
        "UPDATE notifications SET created_at = now() - interval '91 days' WHERE user_id = $1",
        old.event.user_id,
    )
    assert await notifications.prune(desk.pool) == 1
    assert await desk.rows(old.event.user_id) == []
    assert len(await desk.rows(new.event.user_id)) == 1
