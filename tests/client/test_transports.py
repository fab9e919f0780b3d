"""Both clients against a server that drops, drips, floods and turns tokens down."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aiqleads.client import AsyncClient, errors
from aiqleads.client.patience import Patience
from tests.client.either import Either, Kind, either
from tests.client.loopback import Asked, loopback
from tests.client.scripted import tokens

HELD = {"lead_id": "a", "price": 3, "hold": "15m", "held_until": "2026-05-01T12:00:00.5Z"}
QUICK = Patience(pause_seconds=0.01, request_seconds=0.5, budget_seconds=5)
LOGIN = {"email": "a@b.example", "password": "pw"}


class House:
    """Issues tokens as the market does: a refresh token is good once, a second use ends all."""

    def __init__(self) -> None:
        self.number = 0
        self.refreshes = 0
        self.logins = 0
        self.is_ended = False
        self.refresh_seconds = 0.0

    async def take(self, asked: Asked) -> bool:
        """Answer what is about sessions, and calls without the newest token."""
        if asked.target == "/v1/auth/login":
            self.logins += 1
            self.is_ended = False
        elif asked.target == "/v1/auth/refresh":
            await self._refresh(asked)
        elif asked.token == f"access-{self.number}" and not self.is_ended:
            return False
        else:
            await asked.answer(401, {"type": "unauthorized"})
            return True
        if self.is_ended:
            await asked.answer(401, {"type": "token-reused"})
        else:
            self.number += 1
            await asked.answer(200, tokens(self.number))
        return True

    async def _refresh(self, asked: Asked) -> None:
        self.refreshes += 1
        used, current = json.loads(asked.body)["refresh_token"], f"refresh-{self.number}"
        self.is_ended = self.is_ended or used != current
        await asyncio.sleep(self.refresh_seconds)


async def _signed_in(kind: Kind, url: str, **options: Any) -> Either:
    found = either(kind, url, patience=QUICK, **options)
    await found.call("login", LOGIN["email"], LOGIN["password"])
    return found


async def test_a_dropped_write_is_sent_again_with_its_key(kind: Kind) -> None:
    house, dropped = House(), 0

    async def handler(asked: Asked) -> None:
        nonlocal dropped
        if await house.take(asked):
            return
        dropped += 1
        if dropped == 1:
            server.hang_up()
        elif dropped == 2:
            await asked.write(b"HTTP/1.1 201 -\r\ncontent-length: 500\r\n\r\n{")
            server.hang_up()
        elif dropped == 3:
            await asyncio.sleep(0.7)
        else:
            await asked.answer(201, HELD)

    async with loopback(handler) as server:
        client = await _signed_in(kind, server.url)
        held = await client.call("hold", "a")
        assert held.price == 3
        keys = {a.headers["idempotency-key"] for a in server.asked if a.target.endswith("items")}
        assert (len(keys), dropped) == (1, 4)
        await client.close()


async def test_a_body_that_drips_or_floods_is_given_up(kind: Kind) -> None:
    async def handler(asked: Asked) -> None:
        if asked.target.endswith("drip"):
            await asked.write(b"HTTP/1.1 200 -\r\ncontent-length: 1000\r\n\r\n")
            for _ in range(30):
                await asked.write(b" ")
                await asyncio.sleep(0.1)
        else:
            await asked.write(b"HTTP/1.1 200 -\r\ncontent-length: 900000000\r\n\r\n")
            for _ in range(20):
                await asked.write(b" " * 1024 * 1024)

    once = Patience(repeats_max=0, request_seconds=2, budget_seconds=2)
    async with loopback(handler) as server:
        client = either(kind, server.url, patience=once)
        with pytest.raises(errors.Unreachable, match="more than"):
            await client.call("market", "flood")
        quick = either(kind, server.url, patience=Patience(repeats_max=0, request_seconds=0.4))
        async with asyncio.timeout(2):
            with pytest.raises(errors.Unreachable):
                await quick.call("market", "drip")
        await client.close()
        await quick.close()


async def test_a_server_that_is_not_there_is_unreachable(kind: Kind) -> None:
    async def nobody(asked: Asked) -> None:
        raise AssertionError

    async with loopback(nobody) as server:
        url = server.url
    client = either(kind, url, patience=Patience(repeats_max=2, pause_seconds=0.01))
    with pytest.raises(errors.Unreachable) as caught:
        await client.call("market", "austin")
    assert not caught.value.is_outcome_unknown
    await client.close()


async def test_a_redirect_is_not_followed(kind: Kind) -> None:
    async def handler(asked: Asked) -> None:
        if not await house.take(asked):
            await asked.answer(307, location=f"{server.url}/elsewhere")

    house = House()
    async with loopback(handler) as server:
        client = await _signed_in(kind, server.url)
        with pytest.raises(errors.UnexpectedAnswer):
            await client.call("wallet")
        assert not [a for a in server.asked if a.target == "/elsewhere"]
        await client.close()


async def test_many_calls_with_a_refused_token_renew_it_once(kind: Kind) -> None:
    house = House()

    async def handler(asked: Asked) -> None:
        if asked.token == "access-1":
            await asked.answer(401, {"type": "unauthorized"})
        elif not await house.take(asked):
            await asked.answer(200, {"balance": 1})

    async with loopback(handler) as server:
        client = await _signed_in(kind, server.url)
        house.refresh_seconds = 0.05
        balances = await asyncio.gather(*(client.call("wallet") for _ in range(20)))
        assert [each.balance for each in balances] == [1] * 20
        assert (house.refreshes, house.is_ended) == (1, False)
        await client.close()


async def test_a_session_that_ended_is_begun_again_once_for_all(kind: Kind) -> None:
    house, kept = House(), []

    async def handler(asked: Asked) -> None:
        if not await house.take(asked):
            await asked.answer(200, {"balance": 1})

    async with loopback(handler) as server:
        client = either(kind, server.url, patience=QUICK, on_tokens=kept.append, **LOGIN)
        await client.call("wallet")
        house.is_ended = True
        await asyncio.gather(*(client.call("wallet") for _ in range(10)))
        assert (house.logins, house.refreshes) == (2, 1)
        assert [each and each.refresh_token for each in kept] == ["refresh-1", None, "refresh-2"]
        await client.close()


async def test_each_call_gets_an_error_of_its_own(kind: Kind) -> None:
    async def handler(asked: Asked) -> None:
        if asked.target == "/v1/auth/login":
            await asked.answer(200, tokens(1))
        else:
            await asyncio.sleep(0.05)
            await asked.answer(401, {"type": "unauthorized"})

    async with loopback(handler) as server:
        client = await _signed_in(kind, server.url)
        keys = [f"key-{number}" for number in range(5)]
        outcomes = await asyncio.gather(
            *(client.call("buy", "a", key=key) for key in keys), return_exceptions=True
        )
        assert [getattr(each, "idempotency_key", None) for each in outcomes] == keys
        await client.close()


async def test_who_leaves_during_a_renewal_does_not_end_the_session() -> None:
    house = House()

    async def handler(asked: Asked) -> None:
        if asked.token == "access-1":
            await asked.answer(401, {"type": "unauthorized"})
        elif not await house.take(asked):
            await asked.answer(200, {"balance": 1})

    async with loopback(handler) as server:
        client = (await _signed_in("async", server.url)).client
        assert isinstance(client, AsyncClient)
        house.refresh_seconds = 0.2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.wallet()
        assert house.refreshes == 1
        assert (await client.wallet()).balance == 1
        assert (house.refreshes, house.is_ended) == (1, False)
        await client.close()


async def test_closing_waits_for_a_renewal_so_that_its_token_is_kept() -> None:
    house, kept = House(), []

    async def handler(asked: Asked) -> None:
        if asked.token == "access-1":
            await asked.answer(401, {"type": "unauthorized"})
        else:
            await house.take(asked)

    async with loopback(handler) as server:
        found = await _signed_in("async", server.url, on_tokens=kept.append)
        house.refresh_seconds = 0.2
        call = asyncio.create_task(found.call("wallet"))
        while not house.refreshes:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        call.cancel()
        await found.close()
        assert kept[-1].refresh_token == "refresh-2"


async def test_a_list_that_turns_in_a_circle_ends(kind: Kind) -> None:
    async def handler(asked: Asked) -> None:
        await asked.answer(200, {"items": [], "next_cursor": "again"})

    async with loopback(handler) as server:
        client = either(kind, server.url)
        with pytest.raises(errors.UnexpectedAnswer, match="followed by itself"):
            await client.items("markets")
        await client.close()
