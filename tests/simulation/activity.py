"""Who does what: buyers with wallets and standing orders, and operators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
from msgspec.structs import replace

from actors.client import BookBusy, BookGaveUp, BookUnavailable
from engine.adapters.memory.rows import Transfer
from engine.adapters.memory.transaction import Transaction
from engine.market import commands as c
from engine.market.answers import Held, Reply, StandingKept
from engine.market.commands import Refused
from engine.market.listing import Listing
from tests.simulation import requests
from tests.simulation.hosts import STARTING_FAILS, Replica, Use
from tests.simulation.loop import Killed
from tests.simulation.record import Asked, Cart, Record
from tests.simulation.world import MARKETS, World

NO_ANSWER = (Killed, BookUnavailable, BookBusy, asyncio.CancelledError, *STARTING_FAILS)
LEADS_A_MARKET = 4
BUYERS = 5
# Each buyer is signed in twice.
SESSIONS = 2
POISON = Listing(quality=7.0)


class Activity:
    """The world's inhabitants, and the record of what they saw."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.record = Record()
        self.gave_up = 0
        self.lead_ids = {
            market: [f"{market}-{n}" for n in range(LEADS_A_MARKET)] for market in MARKETS
        }
        self.users = [f"buyer-{n}" for n in range(BUYERS)]
        # (market, id, revision) of a buyer's standing orders.
        self.standing: dict[str, list[tuple[str, str, int]]] = {user: [] for user in self.users}
        # In some runs nothing rests: it costs.
        self.rests = self.rng.random() < 0.6
        for user in self.users:
            credits = self.rng.choice((0, 30, 200, 200, 2_000))
            self.record.granted += credits
            world.open_account(user, credits, self.rng.choice(list(world.plans)))

    # --- asking ----------------------------------------------------------------------

    async def through(self, use: Use, *, asks_again: bool = True) -> Any:
        """Have a replica do something; until it is done, again by whichever is alive.

        Whoever asks may hang up meanwhile, and then asks again, or not: None then.
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
                except NO_ANSWER as error:
                    world.note(f"no answer: {type(error).__name__}")
                    if not asks_again:
                        return None
            await asyncio.sleep(world.weather.span(0.1))

    async def ask(self, market: str, command: c.Command, *, keyed: bool) -> Reply:
        return await self._ask_under(self.rng.randbytes(16), market, command, keyed and b"body")

    async def _ask_under(
        self, command_id: bytes, market: str, command: c.Command, request_hash: bytes | None
    ) -> Reply:
        asked = Asked(market, command, command_id, request_hash or None, self.world.now())
        self.record.asked.append(asked)
        return await self._ask(asked)

    async def _ask(self, asked: Asked) -> Reply:
        reply: Reply = await self.through(lambda replica: _submit(replica, asked))
        asked.replies.append((self.world.now(), reply))
        self.world.note(f"{_shown(asked.command)}: {_shown(reply.answer)}")
        return reply

    # --- operators -------------------------------------------------------------------

    async def run_market(self, market: str, moves: int) -> None:
        for lead_id in self.lead_ids[market]:
            await self._list(market, lead_id)
        for number in range(moves):
            await asyncio.sleep(self.world.weather.span(0.25))
            if self.world.weather.spoils("poison"):
                await self._poison(market, f"{market}-bad-{number}")
            elif self.rng.random() < 0.1:
                lead_id = f"{market}-{len(self.lead_ids[market])}"
                self.lead_ids[market].append(lead_id)
                await self._list(market, lead_id)
            else:
                command = requests.of_operator(self.rng, self.lead_ids[market])
                await self.ask(market, command, keyed=self.rng.random() < 0.3)
                if isinstance(command, (c.Relist, c.Approve)):
                    await self._rush(market, command.lead_id)

    async def _list(self, market: str, lead_id: str) -> None:
        price, seats = self.rng.randint(1, 60), self.rng.choice((1, 1, 2, 3))
        command = c.ListLead(lead_id, price, seats, requests.listing(self.rng))
        await self.ask(market, command, keyed=False)
        await self._rush(market, lead_id)

    async def _rush(self, market: str, lead_id: str) -> None:
        """Several claim what has just been put on offer."""
        if self.rng.random() < 0.3:
            claims: list[c.Command] = [
                requests.buy(self.rng, user, lead_id, from_cart=False)
                if self.rng.random() < 0.5
                else c.Hold(lead_id, user, "15m")
                for user in self.rng.sample(self.users, 3)
            ]
            await asyncio.gather(*(self.ask(market, claim, keyed=True) for claim in claims))

    async def _poison(self, market: str, lead_id: str) -> None:
        """A command that no flush survives; who asks is told so in the end."""
        asked = Asked(market, c.ListLead(lead_id, 5, 1, POISON), self.rng.randbytes(16), None, 0.0)

        async def use(replica: Replica) -> None:
            try:
                await _submit(replica, asked)
            except BookGaveUp:
                self.gave_up += 1

        await self.through(use)
        self.world.note(f"{lead_id} is poison")

    # --- buyers ----------------------------------------------------------------------

    async def shop(self, user: str, steps: int) -> None:
        """What one session of a buyer does."""
        for _ in range(steps):
            await asyncio.sleep(self.world.weather.span(0.4))
            await self._chosen(self.rng.random())(user)

    def _chosen(self, draw: float) -> Callable[[str], Any]:
        if draw < 0.08:
            return self._repeat
        if draw < 0.2:
            return self._check_out
        if draw < 0.24:
            return self._grant
        if draw < 0.26:
            return self._use_one_key_twice
        if draw < 0.34 and self.rests:
            return self._rest
        return self._buy_at_the_last_moment if draw < 0.4 else self._trade

    async def _trade(self, user: str) -> None:
        market = self.rng.choice(MARKETS)
        lead_id = self.rng.choice(self.lead_ids[market])
        command = requests.of_buyer(self.rng, user, lead_id)
        keyed = isinstance(command, c.Buy) or self.rng.random() < 0.5
        await self.ask(market, command, keyed=keyed)

    async def _repeat(self, user: str) -> None:
        """Somebody's question of a while ago, once more."""
        answered = [asked for asked in self.record.asked[-30:] if asked.replies]
        if answered:
            await self._ask(self.rng.choice(answered))

    async def _use_one_key_twice(self, user: str) -> None:
        """At once, in both markets, for what is not the same."""
        key = self.rng.randbytes(16)
        holds = [c.Hold(self.rng.choice(self.lead_ids[m]), user, "15m") for m in MARKETS]
        await asyncio.gather(
            *(
                self._ask_under(key, market, hold, market.encode())
                for market, hold in zip(MARKETS, holds, strict=True)
            )
        )

    async def _buy_at_the_last_moment(self, user: str) -> None:
        """Or just after it."""
        market = self.rng.choice(MARKETS)
        lead_id = self.rng.choice(self.lead_ids[market])
        held = (await self.ask(market, c.Hold(lead_id, user, "15m"), keyed=False)).answer
        if isinstance(held, Held):
            left = held.held_until / 1e6 - self.world.wall_ns() / 1e9
            await asyncio.sleep(min(max(0.0, left + self.rng.gauss(0, 0.01)), 2.0))
            command = requests.buy(self.rng, user, lead_id, from_cart=True)
            await self.ask(market, command, keyed=True)

    async def _rest(self, user: str) -> None:
        """Place a standing order, or change or cancel one."""
        rng = self.rng
        if not self.standing[user] or rng.random() < 0.5:
            market, order_id = rng.choice(MARKETS), rng.randbytes(8).hex()
            command: c.Command = c.PlaceStanding(order_id, user, requests.standing_terms(rng))
            answer = (await self.ask(market, command, keyed=True)).answer
            if isinstance(answer, StandingKept):
                self.standing[user].append((market, order_id, answer.revision))
            return
        market, order_id, revision = self.standing[user].pop()
        if rng.random() < 0.3:
            await self.ask(market, c.CancelStanding(order_id, user), keyed=False)
            return
        terms = requests.standing_terms(rng)
        answer = (
            await self.ask(market, c.ChangeStanding(order_id, user, terms, revision), keyed=True)
        ).answer
        if not isinstance(answer, Refused):
            self.standing[user].append((market, order_id, revision + 1))

    async def _check_out(self, user: str) -> None:
        """Hold a lead or two in each market, then buy what is held, and now and then more."""
        rng = self.rng
        chosen = [rng.choice(self.lead_ids[market]) for market in MARKETS for _ in range(2)]
        lead_ids = list(dict.fromkeys(chosen))
        for lead_id in lead_ids:
            if rng.random() < 0.8:
                market = lead_id.partition("-")[0]
                await self.ask(market, c.Hold(lead_id, user, "15m"), keyed=False)
        cart = Cart(rng.randbytes(16), user, lead_ids)
        self.record.carts.append(cart)

        def use(replica: Replica) -> Any:
            return self.world.checkouts.check_out(replica, cart.checkout_id, user, lead_ids)

        # Who leaves does not ask again: others finish what was begun.
        leaves = rng.random() < 0.3
        for _ in range(1 if leaves else 2):
            outcome = await self.through(use, asks_again=not leaves)
            if outcome is not None:
                cart.outcomes.append(outcome)
                self.world.note(f"{user} checks out {len(outcome.orders)} of {lead_ids}")

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
        self.record.granted += credits
        self.world.note(f"{user} is granted {credits}")


async def _submit(replica: Replica, asked: Asked) -> Reply:
    return await replica.client.submit(
        asked.market,
        asked.command,
        command_id=asked.command_id,
        request_hash=asked.request_hash,
    )


def _shown(value: Any) -> str:
    """Without order ids, which the API draws by itself."""
    if hasattr(value, "order_id"):
        value = replace(value, order_id="?")
    return str(value)
