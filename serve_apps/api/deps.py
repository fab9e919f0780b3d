"""What the API needs, opened once per replica and passed by hand."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import asyncpg
from redis.asyncio import Redis

from actors.client import MarketClient, Transport
from actors.desks import DecideLead, UndoMerge, ray_decide_lead, ray_undo_merge
from actors.models import Recommends
from engine.adapters.postgres.pool import open_pool
from engine.adapters.upload_check import UploadChecks
from engine.market.plan import Plan, all_terms, load_plans
from engine.market_directory import Market, load_markets
from engine.settings import Settings
from engine.source_directory import Source, load_sources
from serve_apps.api.account_cache import AccountCache
from serve_apps.api.feed.feed import Feed
from serve_apps.api.feed.principal import AccountAuthenticator
from serve_apps.api.lead_directory import LeadDirectory
from serve_apps.api.market_board import MarketBoard
from serve_apps.api.passwords import Passwords
from serve_apps.api.rate_limits import RateLimits, redis_client
from serve_apps.api.sightings import Sightings
from serve_apps.api.tokens import AccessTokens, RefreshTokens
from serve_apps.api.trading import KeysInFlight
from serve_apps.api.traffic import Traffic
from serve_apps.api.turns import Turns

POOL_SIZE_MAX = 8
# A preview reads for seconds and holds tens of megabytes.
PREVIEWS_AT_ONCE = 2
PREVIEWS_WAITING = 16


@dataclass(frozen=True)
class Deps:
    """Everything a request may use. Opened by `open_deps`, closed by `close`."""

    settings: Settings
    pool: asyncpg.Pool
    redis: Redis | None
    market_client: MarketClient
    undo_merge: UndoMerge
    decide_lead: DecideLead
    # Without: recommendations are the newest and most wanted leads.
    recommends: Recommends | None
    plans: Mapping[str, Plan]
    markets: Mapping[str, Market]
    sources: Mapping[str, Source]
    leads: LeadDirectory
    board: MarketBoard
    accounts: AccountCache
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    passwords: Passwords
    rate_limits: RateLimits
    traffic: Traffic
    sightings: Sightings
    feed: Feed
    feed_accounts: AccountAuthenticator
    upload_checks: UploadChecks
    hash_key: bytes
    keys_in_flight: KeysInFlight = field(default_factory=KeysInFlight)
    previews: Turns = field(default_factory=lambda: Turns(PREVIEWS_AT_ONCE, PREVIEWS_WAITING))
    # Further conditions of readiness: name -> whether it holds now.
    readiness: dict[str, Callable[[], bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", frozenset(all_terms(self.plans)))
        object.__setattr__(self, "empty_body_hash", self.body_hash(b"{}"))

    # Set above, from the rest.
    terms: frozenset[str] = field(init=False, repr=False)
    empty_body_hash: bytes = field(init=False, repr=False)

    def body_hash(self, canonical: bytes) -> bytes:
        return hashlib.blake2b(canonical, key=self.hash_key, digest_size=16).digest()

    def limit_of(self, plan: str | None) -> int:
        """Requests a minute of a plan, of the anonymous for None; 0 is no limit."""
        if plan is None:
            return self.settings.rate_limit_anonymous
        found: int | None = getattr(self.settings, f"rate_limit_{plan}", None)
        return self.settings.rate_limit_basic if found is None else found


async def open_deps(
    settings: Settings,
    transport: Transport | None = None,
    undo_merge: UndoMerge | None = None,
    decide_lead: DecideLead | None = None,
    recommends: Recommends | None = None,
) -> Deps:
    """Connections, caches and listeners of one replica, ready to serve.

    `transport` carries commands to the books, `undo_merge` and `decide_lead` reach the desks,
    `recommends` the recommender; without a transport all are Ray's and Serve's. Raises ValueError
    on settings that can't work, OSError or asyncpg.PostgresError without a database.
    """
    secret = settings.jwt_secret.get_secret_value()
    if len(secret) < 32:
        raise ValueError("AIQLEADS_JWT_SECRET must have at least 32 characters; `up` makes one")
    if transport is None:
        from actors.launch import ray_transport
        from actors.served_models import recommends as served_recommends

        transport = ray_transport()
        recommends = recommends or served_recommends(settings)
    pool = await open_pool(settings.database_url, application="api", size_max=POOL_SIZE_MAX)
    try:
        return await _assemble(
            settings,
            transport,
            undo_merge or ray_undo_merge(),
            decide_lead or ray_decide_lead(),
            recommends,
            pool,
            secret,
        )
    except BaseException:
        pool.terminate()
        raise


async def _assemble(
    settings: Settings,
    transport: Transport,
    undo_merge: UndoMerge,
    decide_lead: DecideLead,
    recommends: Recommends | None,
    pool: asyncpg.Pool,
    secret: str,
) -> Deps:
    redis = redis_client(settings.redis_url) if settings.redis_url else None
    markets = load_markets(settings.markets_file)
    traffic = Traffic(secrets.token_hex(4))
    tokens = AccessTokens(secret, settings.access_token_seconds)
    accounts = AccountCache(pool, settings.database_url, settings.access_token_seconds)
    feed_accounts = AccountAuthenticator(tokens, accounts)
    feed = Feed(
        settings=settings,
        pool=pool,
        redis=redis,
        authenticator=feed_accounts,
        markets=markets,
        registry=traffic.registry,
    )
    deps = Deps(
        settings=settings,
        pool=pool,
        redis=redis,
        market_client=MarketClient(transport),
        undo_merge=undo_merge,
        decide_lead=decide_lead,
        recommends=recommends,
        plans=load_plans(settings.plans_file),
        markets=markets,
        sources=load_sources(settings.sources_file),
        leads=LeadDirectory(pool),
        board=MarketBoard(pool, markets, settings.captures is None),
        accounts=accounts,
        access_tokens=tokens,
        refresh_tokens=RefreshTokens(secret),
        passwords=Passwords(),
        rate_limits=RateLimits(redis),
        traffic=traffic,
        sightings=Sightings(pool, traffic.replica, traffic.registry),
        feed=feed,
        feed_accounts=feed_accounts,
        upload_checks=UploadChecks(settings.mappings_dir, settings.markets_file),
        hash_key=hashlib.blake2b(secret.encode(), digest_size=32, person=b"bodies").digest(),
    )
    await deps.leads.prewarm()
    accounts.start()
    feed_accounts.start()
    await feed.start()
    deps.sightings.start()
    deps.readiness["feed"] = lambda: feed.hub.alive
    return deps


async def close_deps(deps: Deps) -> None:
    await deps.sightings.stop()
    await deps.feed.stop()
    await deps.feed_accounts.stop()
    await deps.accounts.stop()
    await deps.rate_limits.stop()
    deps.passwords.close()
    if deps.redis is not None:
        await deps.redis.aclose()
    await deps.pool.close()
