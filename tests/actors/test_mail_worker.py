"""E-mails from the outbox to a server: sent once, later when it is away, never by two at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.mail_worker import MailWorker
from engine.adapters.letters import Letters
from engine.adapters.local.ports import free_port
from engine.adapters.postgres.pool import open_pool
from engine.adapters.smtp import Smtp, SmtpServer
from tests.actors.cart_stand import MINUTE, SECOND, CartStand, cart_stand
from tests.actors.trading_house import trading_house, until
from tests.adapters.mail_server import mail_server

LETTERS = Letters("AIQLeads <noreply@example.org>", "https://leads.example.org")


def smtp(port: int) -> Smtp:
    return Smtp(SmtpServer.parse(f"smtp://127.0.0.1:{port}"))


@pytest.fixture
async def stand(fresh_database_url: str, redis_url: str) -> AsyncIterator[CartStand]:
    async with trading_house(fresh_database_url, redis_url) as house, cart_stand(house) as stand:
        yield stand


async def mail_states(stand: CartStand) -> list[str]:
    rows = await stand.house.pool.fetch("SELECT mail_state FROM notifications")
    return sorted(row["mail_state"] for row in rows)


async def test_a_reminder_is_mailed(stand: CartStand) -> None:
    ann = await stand.house.buyer()
    await stand.hold(ann, 10 * MINUTE + SECOND // 2)
    async with mail_server() as server:
        shard = await stand.shard(mail=(LETTERS, smtp(server.port)))
        await until(lambda: shard.stats()["mails_sent"] == 1)
        assert server.recipients() == [f"{ann}@example.com"]
        _, message = server.mails[0]
        text = message.get_body(("plain",))
        assert text is not None
        assert "Condominium in Austin at 25 credits is held for you" in text.get_content()
        assert await mail_states(stand) == ["sent"]
        await shard.stop()


async def test_workers_share_the_outbox(stand: CartStand) -> None:
    users = [await stand.house.buyer() for _ in range(60)]
    for user in users:
        await stand.hold(user, 9 * MINUTE, held_us=6 * MINUTE)
    async with mail_server() as server:
        server.delay = 0.02
        nowhere = await stand.shard()
        await until(lambda: nowhere.stats()["reminded"] == 60)
        # Told by a shard without mail: none waits. Have them wait now.
        await stand.house.pool.execute(
            "UPDATE notifications SET mail_state = 'waiting', mail_due_at = now()"
        )
        pools = [await open_pool(stand.house.database_url, application="test") for _ in range(3)]
        workers = [MailWorker(pool, LETTERS, smtp(server.port)) for pool in pools]
        for worker in workers:
            worker.start()
        await until(lambda: sum(worker.sent for worker in workers) == 60)
        for worker, pool in zip(workers, pools, strict=True):
            await worker.stop()
            await pool.close()
        assert sorted(server.recipients()) == sorted(f"{user}@example.com" for user in users)
        assert server.at_once > 1


async def test_a_server_that_is_away_is_waited_for(
    stand: CartStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.mail_worker.PAUSE_SECONDS", 0.05)
    monkeypatch.setattr("engine.adapters.postgres.mail_outbox.BACK_OFF_SECONDS", 0.05)
    users = [await stand.house.buyer() for _ in range(3)]
    for user in users:
        await stand.hold(user, 9 * MINUTE, held_us=6 * MINUTE)
    away = await stand.shard(mail=(LETTERS, smtp(free_port())))
    await until(lambda: away.stats()["reminded"] == 3)

    async def tried() -> bool:
        return await stand.house.pool.fetchval("SELECT max(mail_tries) > 0 FROM notifications")

    await until(tried)
    await away.stop()
    assert await mail_states(stand) == ["waiting"] * 3
    # What the stopped one had is taken when its lease is over.
    await stand.house.pool.execute("UPDATE notifications SET mail_due_at = now()")
    async with mail_server() as server:
        shard = await stand.shard(mail=(LETTERS, smtp(server.port)))
        await until(lambda: shard.stats()["mails_sent"] == 3)
        assert sorted(server.recipients()) == sorted(f"{user}@example.com" for user in users)
        await shard.stop()


async def test_what_is_over_and_what_can_not_be_written_keeps_back_nobody(
    stand: CartStand,
) -> None:
    _, strange, ann = users = [await stand.house.buyer() for _ in range(3)]
    holds = [await stand.hold(user, 9 * MINUTE, held_us=6 * MINUTE) for user in users]
    told = await stand.shard()
    await until(lambda: told.stats()["reminded"] == 3)
    await stand.house.pool.execute("DELETE FROM seats WHERE lead_id = $1", holds[0][0])
    await stand.house.pool.execute(
        "UPDATE notifications SET mail_state = 'waiting', mail_due_at = now(),"
        " kind = CASE user_id WHEN $1 THEN 'of.tomorrow' ELSE kind END",
        strange,
    )
    async with mail_server() as server:
        shard = await stand.shard(mail=(LETTERS, smtp(server.port)))
        await until(lambda: shard.stats()["mails_sent"] == 1)
        await asyncio.sleep(0.1)
        assert server.recipients() == [f"{ann}@example.com"]
        assert await mail_states(stand) == ["dropped", "failed", "sent"]
        await shard.stop()
