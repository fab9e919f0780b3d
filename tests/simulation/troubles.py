"""What strikes a run, by name: processes that die, freeze or double, servers that go away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.hosts import BookHost, Replica

if TYPE_CHECKING:
    from tests.simulation.world import World

# A process dies within this many steps of its own: between any two it takes.
STEPS = 80


class Troubles:
    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng

    async def strike(self) -> None:
        """Until the weather is calm."""
        world = self.world
        while (upcoming := world.weather.next_strike()) is not None:
            seconds, what = upcoming
            await asyncio.sleep(seconds)
            if not world.weather.struck[what]:
                return
            world.struck[what] = world.struck.get(what, 0) + 1
            getattr(self, f"_{what.replace(' ', '_')}")()

    def _some_book(self) -> BookHost:
        return self.rng.choice(list(self.world.books.values()))

    def _kill_book(self) -> None:
        host = self._some_book()
        if self.rng.random() < 0.3:
            host.process.dies_at_commit = True
            self.world.note(f"{host.process.name} dies at its next commit")
        else:
            host.process.steps_left = self.rng.randrange(STEPS)
            self.world.note(f"{host.process.name} dies in {host.process.steps_left} steps")

    def _second_book(self) -> None:
        host = self._some_book()
        self.world.note(f"{host.process.name} gets a rival")
        self.world.start_book(host.market)

    def _freeze_book(self) -> None:
        """Long enough for another to be started in its place; then it goes on unawares."""
        host, seconds = self._some_book(), self.world.weather.span(0.8)
        self.world.note(f"{host.process.name} freezes for {seconds:.3f} s")
        host.process.freeze(seconds)
        if self.rng.random() < 0.7:
            self.world.later(seconds * self.rng.random(), self.world.start_book, host.market)

    def _restart_book(self) -> None:
        host = self._some_book()
        self.world.note(f"{host.process.name} is restarted in order")
        stopped = host.call(host.book.stop())
        # Dead is dead: its place is taken as any dead one's.
        stopped.add_done_callback(
            lambda stopped: (stopped.exception(), host.process.kill()), context=self.world.context
        )

    def _kill_replica(self) -> None:
        replica = self.world.some_replica()
        if replica is not None:
            replica.process.steps_left = self.rng.randrange(STEPS)
            replica.process.on_death.append(lambda: self._succeed(replica))
            self.world.note(f"{replica.process.name} dies in {replica.process.steps_left} steps")

    def _succeed(self, replica: Replica) -> None:
        self.world.note(f"{replica.process.name} is dead")
        self.world.later(self.rng.random() * 0.5, self.world.start_replica)

    def _stall_database(self) -> None:
        # Rarely for longer than a book waits for one answer.
        seconds = 33.0 if self.rng.random() < 0.02 else self.rng.random() * 4
        self.world.note(f"the database stalls for {seconds:.3f} s")
        self.world.server.stall(seconds)

    def _restart_database(self) -> None:
        seconds = self.rng.random()
        self.world.note(f"the database restarts, for {seconds:.3f} s")
        self.world.server.restart(seconds)

    def _step_clock(self) -> None:
        most = 3600 if self.rng.random() < 0.1 else 2
        seconds = self.rng.uniform(-most, most)
        self.world.note(f"the clock steps by {seconds:.3f} s")
        self.world.step_ns += int(seconds * 1e9)

    def _empty_redis(self) -> None:
        self.world.note("Redis is emptied")
        self.world.redis.empty()

    def _change_account(self) -> None:
        users = self.world.tables.users
        user = users.rows[self.rng.choice(sorted(users.rows))]
        if self.rng.random() < 0.5:
            plan = self.rng.choice(list(self.world.plans))
            user = user._replace(plan=plan)
        else:
            user = user._replace(status="active" if user.status != "active" else "suspended")
        self.world.note(f"{user}")
        users.replace(user.user_id, user)
