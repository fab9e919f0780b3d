"""Who does what: buyers with wallets, operators, and a record of all that was asked and said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
from msgspec.structs import replace

from actors.client import BookBusy, BookGaveUp, BookUnavailable
from engine.adapters.memory.schema import Transfer
from engine.adapters.memory.transaction import Transaction
from engine.market import commands as c
from engine.market.answers import Held, Reply
from engine.market.listing import Listing
from serve_apps.api import checkout
from tests.simulation.hosts import STARTING_FAILS, Replica, Use
from tests.simulation.loop import Killed
from tests.simulation.world import MARKETS, World

NO_ANSWER = (Killed, BookUnavailable, BookBusy, asyncio.CancelledError, *STARTING_FAILS)
LEADS_A_MARKET = 4
BUYERS = 5
POISON = Listing(quality=7.0)


class Asked:
    """One command under one id, and every reply that somebody saw: (instant, reply)."""

    __slots__ = ("asked_at", "command", "command_id", "market", "replies", "request_hash")

    def __init__(
        self, market: str, command: c.Command, command_id: bytes, request_hash: bytes | None
    ) -> None:
        self.market = market
        self.command = command
        self.command_id = command_id
        self.request_hash = request_hash
        self.asked_at = 0.0
        self.replies: list[tuple[float, Reply]] = []


class Activity:
    """The world's inhabitants. `asked`, `bought_carts` and `granted` are what audits go by."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.asked: list[Asked] = []
        self.carts: list[tuple[bytes, str, list[str], list[checkout.Outcome]]] = []
        self.granted = 0
        self.gave_up = 0
        self.lead_ids = {
            market: [f"{market}-{n}" for n in range(LEADS_A_MARKET)] for market in MARKETS
        }
        self.users = [f"buyer-{n}" for n in range(BUYERS)]
        self.credits = 0
        for user in self.users:
            credits = self.rng.choice((0, 30, 200, 200, 2_000))
            self.credits += credits
            world.open_account(user, credits, self.rng.choice(list(world.plans)))

    # --- asking ----------------------------------------------------------------------

    async def through(self, use: Use) -> Any:
        """Have a replica do something; until it is done, again by whichever is alive.

        Whoever asks may hang up meanwhile, and then asks again.
        """
        world = self.world
        while True:
            replica = world.some_replica()
            if replica is not None:
                call = replica.call(use(replica))
                if world.weather.spoils("hang up"):
                    world.later(world.weather.span(0.05), call.cancel)
                try:
                    return await call
                except BookGaveUp:
                    raise
                except NO_ANSWER as error:
                    world.note(f"no answer: {type(error).__name__}")
            await asyncio.sleep(world.weather.span(0.1))

    async def ask(self, market: str, command: c.Command, *, keyed: bool) -> Reply:
        asked = Asked(market, command, self.rng.randbytes(16), b"body" if keyed else None)
        self.asked.append(asked)
        asked.asked_at = self.world.now()
        return await self.ask_again(asked)

    async def ask_again(self, asked: Asked) -> Reply:
        def use(replica: Replica) -> Any:
            return replica.client.submit(
                asked.market,
                asked.command,
                command_id=asked.command_id,
                request_hash=asked.request_hash,
            )

        reply: Reply = await self.through(use)
        asked.replies.append((self.world.now(), reply))
        self.world.note(f"{_shown(asked.command)}: {_shown(reply.answer)}")
        return reply

    # --- operators -------------------------------------------------------------------

    async def list_all(self, market: str) -> None:
        for lead_id in self.lead_ids[market]:
            await self._list(market, lead_id)

    async def _list(self, market: str, lead_id: str) -> None:
        price, seats = self.rng.randint(1, 60), self.rng.choice((1, 1, 2, 3))
        listing = Listing(sources=("zillow",), city="Austin")
        await self.ask(market, c.ListLead(lead_id, price, seats, listing), keyed=False)

    async def operate(self, market: str, moves: int) -> None:
        """Prices move, leads go and come back, duplicates are found."""
        rng = self.rng
        for number in range(moves):
            await asyncio.sleep(self.world.weather.span(0.25))
            if self.world.weather.spoils("poison"):
                await self._poison(market, number)
                continue
            leads = self.lead_ids[market]
            one, other = rng.choice(leads), rng.choice(leads)
            make: Callable[[], c.Command] = rng.choice(
                (
                    lambda: c.Reprice((one, other), (rng.randint(1, 60), 9), "demand"),
                    lambda: c.Reprice((one,), (rng.randint(1, 60),), "demand"),
                    lambda: c.UpdateLead(one, Listing(sources=("redfin",))),
                    lambda: c.Withdraw(one, "gone"),
                    lambda: c.Relist(one),
                    lambda: c.Relist(one),
                    lambda: c.Quarantine(one, "odd"),
                    lambda: c.Approve(one),
                    lambda: c.Approve(one),
                    lambda: c.Merge(one, other),
                )
            )
            await self.ask(market, make(), keyed=rng.random() < 0.3)
            if rng.random() < 0.1:
                lead_id = f"{market}-{len(leads)}"
                await self._list(market, lead_id)
                leads.append(lead_id)

    async def _poison(self, market: str, number: int) -> None:
        """A command that no flush survives."""
        try:
            await self.ask(market, c.ListLead(f"{market}-bad-{number}", 5, 1, POISON), keyed=False)
        except BookGaveUp:
            self.gave_up += 1

    # --- buyers ----------------------------------------------------------------------

    async def shop(self, user: str, steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(self.world.weather.span(0.25))
            await self._step(user)

    async def _step(self, user: str) -> None:
        rng = self.rng
        draw = rng.random()
        if draw < 0.08 and self.asked:
            mine = [asked for asked in self.asked[-30:] if asked.replies]
            if mine:
                await self._repeat(rng.choice(mine))
        elif draw < 0.2:
            await self._check_out(user)
        elif draw < 0.24:
            await self._grant(user)
        else:
            market = rng.choice(MARKETS)
            command = self._buyers_command(user, rng.choice(self.lead_ids[market]))
            keyed = isinstance(command, c.Buy) or rng.random() < 0.5
            await self.ask(market, command, keyed=keyed)

    async def _repeat(self, asked: Asked) -> None:
        try:
            await self.ask_again(asked)
        except BookGaveUp:
            self.gave_up += 1

    def _buyers_command(self, user: str, lead_id: str) -> c.Command:
        rng = self.rng
        term = rng.choice(("15m", "15m", "24h", "3d"))
        draw = rng.random()
        if draw < 0.45:
            return c.Hold(lead_id, user, term)
        if draw < 0.55:
            return c.Extend(lead_id, user, term)
        if draw < 0.65:
            return c.Release(lead_id, user)
        order_id = rng.randbytes(8).hex()
        if draw < 0.8:
            return c.Buy(lead_id, user, order_id, from_cart=True)
        return c.Buy(lead_id, user, order_id, rng.choice((None, None, 20)))

    async def _check_out(self, user: str) -> None:
        """Hold a lead or two in each market, then buy what is held, and now and then more."""
        rng = self.rng
        chosen = [rng.choice(self.lead_ids[market]) for market in MARKETS for _ in range(2)]
        lead_ids = list(dict.fromkeys(chosen))
        for lead_id in lead_ids:
            if rng.random() < 0.8:
                market = lead_id.partition("-")[0]
                reply = await self.ask(market, c.Hold(lead_id, user, "15m"), keyed=False)
                if isinstance(reply.answer, Held) and rng.random() < 0.2:
                    await asyncio.sleep(0.3)
        checkout_id = rng.randbytes(16)
        outcomes: list[checkout.Outcome] = []
        self.carts.append((checkout_id, user, lead_ids, outcomes))

        async def use(replica: Replica) -> checkout.Outcome:
            begun = await self.world.checkouts.begin(replica, checkout_id, user, lead_ids)
            return await self.world.checkouts.complete(replica, begun)

        for _ in range(rng.choice((1, 1, 2))):
            outcomes.append(await self.through(use))
            self.world.note(f"{user} checks out {len(outcomes[-1].orders)} of {len(lead_ids)}")

    async def _grant(self, user: str) -> None:
        """Credits from the house, once, however often it takes."""
        grant_id, credits = f"grant:{self.rng.randbytes(8).hex()}", self.rng.randint(1, 80)
        tables = self.world.tables

        async def book(transaction: Transaction) -> None:
            wallet = await transaction.lock(tables.wallets, user)
            assert wallet is not None
            row = Transfer(grant_id, "house:grants", f"user:{user}", credits, "grant", None, 0)
            await transaction.insert(tables.transfers, row)
            await transaction.update(tables.wallets, user, balance=wallet.balance + credits)

        async def use(replica: Replica) -> None:
            connection = await self.world.server.database.connect("api")
            try:
                async with connection.transaction():
                    await connection.run("grant", book)
                    if self.world.weather.spoils("hog wallet"):
                        await asyncio.sleep(self.rng.random() * 5)
            except asyncpg.UniqueViolationError:
                return
            finally:
                await connection.close()

        await self.through(use)
        self.credits += credits
        self.world.note(f"{user} is granted {credits}")


def _shown(value: Any) -> str:
    """Without order ids, which the API draws by itself."""
    if hasattr(value, "order_id"):
        value = replace(value, order_id="?")
    return str(value)
