"""The actors of an installation: made at launch, found by name, reached by `ray_transport`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

import asyncpg
import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError

from actors.base_values import model_values
from actors.cart_shard import CartShard
from actors.client import BookGone, MarketClient, Transport
from actors.cluster import NAMESPACE, connect, keep_starting, log_to_stderr
from actors.intake_desk import IntakeDesk
from actors.judging import LeadJudge
from actors.lead_book import LeadBook
from actors.pricing_agent import PricingAgent
from actors.scheduler import Scheduler, Turn
from actors.source_run import Progress
from engine.adapters.letters import Letters
from engine.adapters.smtp import Smtp, SmtpServer
from engine.market.plan import load_plans
from engine.market.pricing.experiment import plan_of
from engine.market.rules import SECOND_US
from engine.market_directory import Market, load_markets
from engine.settings import Settings

log = logging.getLogger(__name__)

# A command is retried by its caller under its own id, never by Ray.
ACTOR_OPTIONS: dict[str, Any] = {
    "num_cpus": 0,
    "max_restarts": -1,
    "max_task_retries": 0,
    "max_concurrency": 256,
    "lifetime": "detached",
    "namespace": NAMESPACE,
}
READY_SECONDS = 120.0
SCHEDULER = "scheduler"
CARTS = "carts:"
PRICING = "pricing:"


class BookActor(LeadBook):
    """A LeadBook as a Ray actor: serving when it is there, gone for good when fenced."""

    async def __init__(self, market: str, settings: Settings) -> None:  # type: ignore[misc]
        log_to_stderr(settings)
        super().__init__(
            market,
            settings.database_url,
            settings.redis_url,
            load_plans(settings.plans_file),
            claim_window_us=settings.claim_window_ms * 1_000,
            offer_us=settings.offer_seconds * SECOND_US,
            on_fenced=_leave_for_good,
        )
        await keep_starting(f"book:{market}", self.start)

    async def status(self) -> dict[str, Any]:
        return {**self.stats(), "pid": os.getpid()}


class DeskActor(IntakeDesk):
    """An IntakeDesk as a Ray actor."""

    async def __init__(self, market: str, settings: Settings) -> None:  # type: ignore[misc]
        # With it comes Serve, of which the other actors' processes need nothing.
        from actors.served_models import fraud_scorer

        log_to_stderr(settings)
        judge = LeadJudge(
            fraud_scorer(settings),
            flag_at=settings.fraud_flag_at,
            quarantine_at=settings.fraud_quarantine_at,
            timeout=settings.fraud_timeout_ms / 1_000,
        )
        super().__init__(market, settings.database_url, MarketClient(ray_transport()), judge)
        await keep_starting(f"desk:{market}", self.start)

    async def status(self) -> dict[str, Any]:
        return {"market": self.market, "serving": True, "pid": os.getpid(), **self.judged()}


class CartActor(CartShard):
    """A CartShard as a Ray actor."""

    async def __init__(self, index: int, settings: Settings) -> None:  # type: ignore[misc]
        log_to_stderr(settings)
        super().__init__(
            index,
            settings.cart_shards,
            settings.database_url,
            settings.redis_url,
            settings.reminder_minutes,
            mail=_mail(settings),
        )
        await keep_starting(f"{CARTS}{index}", self.start)

    async def status(self) -> dict[str, Any]:
        return {**self.stats(), "pid": os.getpid()}


class PricingActor:
    """A PricingAgent as a Ray actor; settings that can't be price nothing, and say why."""

    async def __init__(self, market: str, settings: Settings) -> None:
        log_to_stderr(settings)
        self._market = market
        self._agent: PricingAgent | None = None
        self._problem = ""
        try:
            plan = plan_of(settings.pricing_policy, settings.pricing_experiment)
        except ValueError as error:
            self._problem = str(error)
            log.error("prices of %s stay as they are: %s", market, error)
            return
        self._agent = PricingAgent(
            market,
            settings.database_url,
            MarketClient(ray_transport()),
            plan,
            interval=settings.pricing_interval_ms / 1000,
            values=model_values,
            on_fenced=_leave_for_good,
        )
        await keep_starting(f"{PRICING}{market}", self._agent.start)

    async def status(self) -> dict[str, Any]:
        if self._agent is None:
            said = {"market": self._market, "serving": False, "problem": self._problem}
        else:
            said = self._agent.stats()
        return {**said, "pid": os.getpid()}

    async def stop(self) -> None:
        if self._agent is not None:
            await self._agent.stop()


class SchedulerActor(Scheduler):
    """The Scheduler as a Ray actor, running sources on the cluster."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        # With it come the parsers, of which the other actors' processes need none.
        from actors.ingest import run_source, sources_on

        log_to_stderr(settings)

        async def run(pool: asyncpg.Pool, turn: Turn) -> Progress:
            return await run_source(settings, pool, turn.source, turn.market, run_id=turn.run_id)

        super().__init__(
            settings.database_url,
            sources_on(settings),
            run,
            keeps_time=settings.ingest_schedule == "on",
        )
        await keep_starting("scheduler", self.start)

    async def status(self) -> dict[str, Any]:
        return {"serving": True, "runs": self.running(), "pid": os.getpid()}


def launch(settings: Settings, on_progress: Callable[[str], None] = lambda _: None) -> None:
    """Have every market's book, desk and pricing agent, the carts and the scheduler running and
    serving; a repeat changes nothing, but that carts move when there are more or fewer shards.

    Raises RuntimeError naming the actor that did not come up.
    """
    connect(settings)
    markets = load_markets(settings.markets_file)
    asyncio.run(_enter(settings, list(markets.values())))
    carts = {f"{CARTS}{index}": index for index in range(settings.cart_shards)}
    stages: list[dict[str, tuple[type, tuple[Any, ...]]]] = [
        {f"book:{market}": (BookActor, (market, settings)) for market in markets},
        {f"desk:{market}": (DeskActor, (market, settings)) for market in markets},
        {name: (CartActor, (index, settings)) for name, index in carts.items()},
        {
            name: (PricingActor, (name.removeprefix(PRICING), settings))
            for name in _agents(settings)
        },
        {SCHEDULER: (SchedulerActor, (settings,))},
    ]
    for stage in stages:
        handles = {
            name: _running(name, actor_class, *arguments)
            for name, (actor_class, arguments) in stage.items()
        }
        for name, handle in handles.items():
            _await_ready(name, handle)
            if name in carts:
                _assign(name, handle, carts[name], settings.cart_shards)
            on_progress(name)
    # Only now: until the carts are where they belong, nobody's reminder is left out.
    for name in _surplus(settings):
        _end(name)


def stop_actors(settings: Settings) -> None:
    """End every actor that `launch` made, so that its market is let go in order."""
    connect(settings)
    for name in reversed([*_names(settings), *_surplus(settings)]):
        _end(name)


def statuses(settings: Settings) -> dict[str, dict[str, Any] | None]:
    """What each actor says of itself; None for one that does not answer."""
    connect(settings)
    found: dict[str, dict[str, Any] | None] = {}
    for name in _names(settings):
        handle = _find(name)
        try:
            found[name] = handle and ray.get(handle.status.remote(), timeout=5)
        except (RayActorError, TimeoutError):
            found[name] = None
    return found


def _names(settings: Settings) -> list[str]:
    """Every actor's, a book before its desk."""
    markets = load_markets(settings.markets_file)
    kinds = ("book", "desk")
    return [
        *(f"{kind}:{market}" for market in markets for kind in kinds),
        *(f"{CARTS}{index}" for index in range(settings.cart_shards)),
        *_agents(settings),
        SCHEDULER,
    ]


def _agents(settings: Settings) -> list[str]:
    if settings.pricing == "off":
        return []
    return [f"{PRICING}{market}" for market in load_markets(settings.markets_file)]


def _surplus(settings: Settings) -> list[str]:
    """Shards of carts from when there were more, and agents from when prices were theirs."""
    wanted = set(_names(settings))
    there = ray.util.list_named_actors()
    return sorted(
        name for name in there if name.startswith((CARTS, PRICING)) and name not in wanted
    )


def ray_transport() -> Transport:
    """Batches to the book actors by name, for a MarketClient in any process of the cluster."""
    handles: dict[str, Any] = {}

    async def send(market: str, payload: bytes) -> bytes:
        try:
            handle = handles.get(market)
            if handle is None:
                # Asks the cluster's head and waits for it: not in the event loop.
                handle = handles[market] = await asyncio.to_thread(
                    ray.get_actor, f"book:{market}", NAMESPACE
                )
            reply: bytes = await handle.submit.remote(payload)
            return reply
        except (ActorUnavailableError, ActorDiedError, ValueError) as error:
            # ValueError is Ray's word for "no actor of this name".
            handles.pop(market, None)
            raise BookGone(f"the {market} book is not there: {type(error).__name__}") from error

    return send


def _running(name: str, actor_class: type, *arguments: Any) -> Any:
    """The actor of this name: the one that answers, else a new one."""
    handle = _find(name)
    if handle is not None:
        try:
            ray.get(handle.status.remote(), timeout=READY_SECONDS)
            return handle
        except (RayActorError, TimeoutError) as error:
            log.warning("%s does not answer (%s); replacing it", name, error)
            ray.kill(handle, no_restart=True)
    return ray.remote(**ACTOR_OPTIONS, name=name)(actor_class).remote(*arguments)


def _assign(name: str, handle: Any, index: int, count: int) -> None:
    try:
        ray.get(handle.assign.remote(index, count), timeout=READY_SECONDS)
    except (RayActorError, TimeoutError) as error:
        raise RuntimeError(f"{name} did not take over its carts: {error}") from error


def _end(name: str) -> None:
    handle = _find(name)
    if handle is None:
        return
    try:
        ray.get(handle.stop.remote(), timeout=15)
    except (RayActorError, TimeoutError) as error:
        log.warning("%s did not stop in order: %s", name, error)
    ray.kill(handle, no_restart=True)


def _find(name: str) -> Any | None:
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return None


def _await_ready(name: str, handle: Any) -> None:
    try:
        ray.get(handle.status.remote(), timeout=READY_SECONDS)
    except (RayActorError, TimeoutError) as error:
        raise RuntimeError(f"{name} did not come up: {error}") from error


def _mail(settings: Settings) -> tuple[Letters, Smtp] | None:
    """Who writes and sends e-mails, None without a server or with settings that can't work:
    carts go on without it, and `doctor` tells."""
    url = settings.smtp_url.get_secret_value()
    if not url:
        return None
    try:
        return Letters(settings.mail_from, settings.public_url), Smtp(SmtpServer.parse(url))
    except ValueError as error:
        log.error("no e-mail is sent: %s", error)
        return None


async def _enter(settings: Settings, markets: list[Market]) -> None:
    connection = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        await connection.executemany(
            "INSERT INTO markets (market, name, time_zone) VALUES ($1, $2, $3)"
            " ON CONFLICT (market) DO UPDATE"
            " SET name = excluded.name, time_zone = excluded.time_zone"
            " WHERE (markets.name, markets.time_zone) <> (excluded.name, excluded.time_zone)",
            [(market.slug, market.name, market.time_zone) for market in markets],
        )
        await connection.execute(
            "INSERT INTO cart_shards AS c (shards) VALUES ($1) ON CONFLICT (is_only)"
            " DO UPDATE SET shards = excluded.shards WHERE c.shards <> excluded.shards",
            settings.cart_shards,
        )
    finally:
        await connection.close()


def _leave_for_good() -> None:
    """A fenced book must not come back: Ray would restart a process that merely ended."""
    ray.kill(ray.get_runtime_context().current_actor, no_restart=True)
