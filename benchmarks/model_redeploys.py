"""Models exchanged under load: does a request fail, does a socket drop, who answered?

    python -m benchmarks.model_redeploys [--times 20] [--sockets 200] [--callers 8] [--leads 3000]

An installation of its own, and two versions each of the recommender and of the listing model. So
often, one model after the other, through HTTP: canary of half, its end, promotion, rollback. All
the while callers read recommendations, similar leads and searches and buy leads; an admin hands
in listings, which are judged by the listing model; sockets follow the market's feed.

A request fails if its answer is none or not 2xx. A recommendation is wrong if its version was
not one of those that might answer between its question and its answer. A socket drops if it
closes, or if its frames do not join.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import secrets
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import httpx
import msgspec
from websockets.asyncio.client import connect

from aiqleads.client.feed.channels import Channel
from aiqleads.client.feed.follower import Follower
from benchmarks.stand import BUYERS, MARKET, Stand, lead_id, stand
from engine.adapters.postgres.pool import open_pool
from models_ml.bundle import unpack
from models_ml.fraud.listing_train import fitted, learnt_of
from models_ml.fraud.sample_leads import World, read_worlds
from models_ml.recommend.model import packaged, packed, read
from models_ml.served import PARTS_BYTES_MAX, ModelName
from serve_apps.scoring.registering import register, store_of

ADMIN = {"AIQLEADS_ADMIN_EMAIL": "admin@bench.example"}
RECOMMENDER, FRAUD = "recommender", "fraud"
TAKEN_SECONDS_MAX = 30.0
# Between one change and the next the load goes on by itself.
PAUSE_SECONDS = 0.3
UPLOAD_SECONDS = 1.0
UPLOAD_ROWS = 20
OPENING_AT_ONCE = 20


class Step(NamedTuple):
    """One change, and how long until every replica had taken it in, seconds."""

    model: str
    action: str
    seconds: float


class Counts:
    """What the load met. `may_answer` are the recommender's versions of this moment."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.seconds: dict[str, list[float]] = {}
        self.may_answer: frozenset[int] = frozenset()
        self.dropped: list[str] = []
        self.frames = 0

    def answered(self, kind: str, answer: httpx.Response, seconds: float) -> None:
        self.answers[kind] += 1
        self.seconds.setdefault(kind, []).append(seconds)
        if not answer.is_success:
            self.failures[f"{kind} {answer.status_code} {answer.text[:120]}"] += 1

    def ranked(self, model: dict[str, Any], might: frozenset[int]) -> None:
        self.versions[f"{model['name']} {model['version']}"] += 1
        if model["name"] == RECOMMENDER and model["version"] not in might:
            self.wrong.append(f"{model['version']} where {sorted(might)} might answer")


async def measure(found: Stand, password: str, arguments: argparse.Namespace) -> bool:
    """Whether nothing failed."""
    counts = Counts()
    side = found.marketplace
    versions = await _enter_versions(found)
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    base = f"http://127.0.0.1:{side.port}"
    async with httpx.AsyncClient(base_url=base, timeout=30, trust_env=False, limits=limits) as http:
        admin = await _admin(http, password)
        for model, (first, _) in versions.items():
            if (await _shown(http, admin, model))["live"] != first:
                await _change(http, admin, model, "promote", version=first)
        counts.may_answer = frozenset(versions[RECOMMENDER][:1])
        leads = iter(range(arguments.leads))
        load = [
            _caller(http, side.tokens[number], counts, leads) for number in range(arguments.callers)
        ]
        async with (
            _sockets(side.port, side.tokens[: arguments.sockets], counts),
            _running([*load, _uploads(http, admin, counts)]),
        ):
            started = time.perf_counter()
            steps = [
                step
                for _ in range(arguments.times)
                for model in (RECOMMENDER, FRAUD)
                async for step in _round(http, admin, model, versions[model], counts)
            ]
            took = time.perf_counter() - started
    _report(counts, steps, arguments.sockets, took)
    judged = await _judged(found, versions[FRAUD])
    return judged and not (counts.failures or counts.wrong or counts.dropped)


async def _enter_versions(found: Stand) -> dict[str, tuple[int, int]]:
    """Two of each model, as they would be trained one after the other."""
    ranking = read(unpack(packaged(), PARTS_BYTES_MAX))
    other_settings = msgspec.structs.replace(ranking.settings, diversity=1.0)
    worlds = [World(7, 1_000, False), World(8, 1_000, False)]
    one, other = [learnt_of([rows]) for rows in read_worlds(worlds, lambda _: None)]
    bundles: dict[ModelName, tuple[bytes, bytes]] = {
        RECOMMENDER: (packaged(), packed(other_settings, ranking.metadata)),
        FRAUD: (fitted(one).bundle, fitted(other).bundle),
    }
    pool = await open_pool(found.settings.database_url, application="benchmark", size_max=1)
    try:
        store = store_of(found.settings)
        entered: dict[str, tuple[int, int]] = {}
        for model, contents in bundles.items():
            made = [await register(pool, store, model, each, by="benchmark") for each in contents]
            entered[model] = (made[0][0].version, made[1][0].version)
        return entered
    finally:
        await pool.close()


async def _admin(http: httpx.AsyncClient, password: str) -> dict[str, str]:
    form = {"email": ADMIN["AIQLEADS_ADMIN_EMAIL"], "password": password}
    answer = (await http.post("/v1/auth/login", json=form)).raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def _round(
    http: httpx.AsyncClient,
    admin: dict[str, str],
    model: str,
    versions: tuple[int, int],
    counts: Counts,
) -> AsyncIterator[Step]:
    """Canary, its end, promotion, rollback: at the end the first version is live again."""
    first, second = versions
    changes: tuple[tuple[str, dict[str, Any], set[int]], ...] = (
        ("canary", {"version": second, "share": 0.5}, {first, second}),
        ("rollback", {}, {first}),
        ("promote", {"version": second}, {second}),
        ("rollback", {}, {first}),
    )
    for action, form, after in changes:
        if model == RECOMMENDER:
            counts.may_answer = counts.may_answer | frozenset(after)
        yield Step(model, action, await _change(http, admin, model, action, **form))
        if model == RECOMMENDER:
            counts.may_answer = frozenset(after)
        await asyncio.sleep(PAUSE_SECONDS)


async def _change(
    http: httpx.AsyncClient, admin: dict[str, str], model: str, action: str, **form: Any
) -> float:
    """Seconds until every replica said that it follows."""
    started = time.perf_counter()
    asked = await http.post(f"/v1/admin/models/{model}/{action}", json=form, headers=admin)
    change_id = asked.raise_for_status().json()["change_id"]
    while True:
        replicas = (await _shown(http, admin, model))["replicas"]
        if replicas and all(each["change_id"] >= change_id for each in replicas):
            return time.perf_counter() - started
        if time.perf_counter() - started > TAKEN_SECONDS_MAX:
            raise RuntimeError(f"{model} {action} was not taken in: {replicas}")
        await asyncio.sleep(0.02)


async def _shown(http: httpx.AsyncClient, admin: dict[str, str], model: str) -> dict[str, Any]:
    answer = (await http.get("/v1/admin/models", headers=admin)).raise_for_status()
    return next(each for each in answer.json()["items"] if each["name"] == model)


async def _caller(http: httpx.AsyncClient, token: str, counts: Counts, leads: Any) -> None:
    """One buyer: reads, and buys a lead now and then."""
    headers = {"Authorization": f"Bearer {token}"}
    for number in itertools.count():
        lead = lead_id(number % 1_000)
        for kind, path in (
            ("recommendations", f"/v1/recommendations?market={MARKET}&limit=10"),
            ("similar", f"/v1/leads/{lead}/similar?limit=5"),
            ("search", f"/v1/leads?market={MARKET}&limit=5"),
        ):
            might, started = counts.may_answer, time.perf_counter()
            answer = await http.get(path, headers=headers)
            counts.answered(kind, answer, time.perf_counter() - started)
            if kind != "search" and answer.is_success:
                counts.ranked(answer.json()["model"], might | counts.may_answer)
        bought = next(leads, None)
        if number % 4 == 0 and bought is not None:
            started = time.perf_counter()
            answer = await http.post(
                f"/v1/leads/{lead_id(bought)}/buy",
                json={},
                headers={**headers, "Idempotency-Key": secrets.token_hex(8)},
            )
            counts.answered("buy", answer, time.perf_counter() - started)


async def _uploads(http: httpx.AsyncClient, admin: dict[str, str], counts: Counts) -> None:
    """Listings for the intake, which has each judged."""
    for number in itertools.count():
        rows = ["id,street_address,city,state,zip,price,contact_phone"]
        for row in range(UPLOAD_ROWS):
            place = number * UPLOAD_ROWS + row
            price, phone = 200_000 + 1_000 * (place % 400), f"512555{place % 10_000:04d}"
            rows.append(f"{place},{place + 1} Oak St,Austin,TX,78701,{price},{phone}")
        started = time.perf_counter()
        answer = await http.post(
            "/v1/uploads",
            params={"market": MARKET, "filename": f"{number}.csv"},
            content="\n".join(rows).encode(),
            headers={**admin, "Content-Type": "text/csv"},
        )
        counts.answered("upload", answer, time.perf_counter() - started)
        await asyncio.sleep(UPLOAD_SECONDS)


@asynccontextmanager
async def _running(work: list[Any]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for each in ended:
        if not isinstance(each, asyncio.CancelledError):
            raise RuntimeError("the load ended early") from each


@asynccontextmanager
async def _sockets(port: int, tokens: list[str], counts: Counts) -> AsyncIterator[None]:
    """One for each buyer, subscribed; each is read to the end, and must still be open then."""
    gate = asyncio.Semaphore(OPENING_AT_ONCE)
    ready = [asyncio.Event() for _ in tokens]
    tasks = [
        asyncio.create_task(_follow(port, token, counts, gate, event.set))
        for token, event in zip(tokens, ready, strict=True)
    ]
    try:
        for task, event in zip(tasks, ready, strict=True):
            waiting = asyncio.create_task(event.wait())
            await asyncio.wait({task, waiting}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not event.is_set():
                raise RuntimeError(f"a socket was not served: {task}")
        yield
    finally:
        for task in tasks:
            task.cancel()
        for each in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(each, asyncio.CancelledError):
                counts.dropped.append(f"{type(each).__name__}: {each}")


async def _follow(
    port: int, token: str, counts: Counts, gate: asyncio.Semaphore, ready: Callable[[], None]
) -> None:
    """Raises what ends the socket, or Gap for frames that do not join."""
    follower = Follower()
    headers = {"Authorization": f"Bearer {token}"}
    async with gate:
        socket = await connect(
            f"ws://127.0.0.1:{port}/v1/feed", additional_headers=headers, compression=None
        )
    async with socket:
        follower.opened()
        request = follower.add(Channel(f"market:{MARKET}"))
        assert request is not None
        await socket.send(request)
        while True:
            text = await socket.recv()
            if follower.take(text).ended:
                raise ConnectionError(f"the subscription ended: {text[:200]!r}")
            counts.frames += 1
            ready()


async def _judged(found: Stand, versions: tuple[int, int]) -> bool:
    """Shows who judged the leads that came in; whether all were, by one of the two."""
    connection = await asyncpg.connect(found.settings.database_url)
    try:
        rows = await connection.fetch(
            "SELECT model_version, needs_rescoring, count(*) FROM fraud_scores"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )
    finally:
        await connection.close()
    for version, waits, count in rows:
        by = f"by version {version}" if version is not None else "by rules alone"
        print(f"  {count:,} leads judged {by}{', to be scored again' if waits else ''}")
    return bool(rows) and all(
        version in versions or (version is None and waits) for version, waits, _ in rows
    )


def _report(counts: Counts, steps: list[Step], sockets: int, took: float) -> None:
    print("| change | times | median s until all follow | longest |\n|---|---|---|---|")
    for model, action in sorted({(step.model, step.action) for step in steps}):
        times = [s.seconds for s in steps if (s.model, s.action) == (model, action)]
        print(
            f"| {model} {action} | {len(times)} | {statistics.median(times):.2f}"
            f" | {max(times):.2f} |"
        )
    print("\n| request | answers | p50 ms | p99 ms |\n|---|---|---|---|")
    for kind, times in counts.seconds.items():
        cuts = statistics.quantiles(times, n=100)
        print(f"| {kind} | {len(times):,} | {cuts[49] * 1e3:.0f} | {cuts[98] * 1e3:.0f} |")
    print(f"\nin {took:.0f} s: {sum(counts.failures.values())} requests failed,")
    for what, count in counts.failures.most_common(10):
        print(f"  {count} {what}")
    print(f"{len(counts.dropped)} of {sockets} sockets dropped ({counts.frames:,} frames came),")
    for what in counts.dropped[:5]:
        print(f"  {what}")
    print(f"{len(counts.wrong)} answers by a version that might not answer")
    for what in counts.wrong[:5]:
        print(f"  {what}")
    for what, count in sorted(counts.versions.items()):
        print(f"  {count:,} ranked by {what}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="of each change, of each model")
    parser.add_argument("--sockets", type=int, default=200, help=f"at most {BUYERS}")
    parser.add_argument("--callers", type=int, default=8, help=f"at most {BUYERS}")
    parser.add_argument("--leads", type=int, default=3_000)
    arguments = parser.parse_args()
    password = secrets.token_urlsafe(12)
    environment = {
        **ADMIN,
        "AIQLEADS_ADMIN_PASSWORD": password,
        # What is asked is whether an exchange harms; nothing is to be rolled back by itself.
        "AIQLEADS_MODELS_PROBATION_MINUTES": "0",
        "AIQLEADS_MODELS_LATENCY_RATIO_MAX": "1000",
        "AIQLEADS_MODELS_DRIFT_MAX": "1000",
    }
    with stand(arguments.leads, with_baseline=False, environment=environment) as found:
        well = asyncio.run(measure(found, password, arguments))
    raise SystemExit(0 if well else 1)


if __name__ == "__main__":
    main()
