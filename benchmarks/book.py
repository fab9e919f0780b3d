"""Decisions per second and bytes per lead of the pure book.

    python -m benchmarks.book [--leads 1000000] [--decisions 400000] [--runs 5]

The mix: half holds, a quarter buys (of the buyer's own hold and outright), the rest
releases and refusals, over uniformly drawn leads and buyers. Beside it, in the same
run, the same mix against the same state kept in an SQLite table in memory, one indexed
UPDATE per decision: what a book kept in rows would cost without any network.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import sqlite3
import statistics
import time

from engine.market import commands as c
from engine.market.account import Account
from engine.market.book import Book
from engine.market.commands import Refused
from engine.market.lead import Lead
from engine.market.plan import load_plans

BUYERS = 5_000
START = 1_800_000_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--decisions", type=int, default=400_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    book, bytes_a_lead = _filled(options.leads)
    print(f"{options.leads:,} leads in one process, {bytes_a_lead:,.0f} bytes a lead (RSS)")
    rates, rows = [], []
    for run in range(options.runs):
        rates.append(_decide(book, options, seed=run))
        rows.append(_decide_in_rows(min(options.leads, 100_000), options.decisions // 10, run))
    _report("book", rates)
    _report("rows (SQLite in memory)", rows)
    print(f"ratio of medians: {statistics.median(rates) / statistics.median(rows):.1f}")


def _report(name: str, rates: list[float]) -> None:
    print(
        f"{name}: {statistics.median(rates):,.0f} decisions/s"
        f" (min {min(rates):,.0f}, max {max(rates):,.0f}, {len(rates)} runs)"
    )


def _filled(leads: int) -> tuple[Book, float]:
    gc.collect()
    before = _resident()
    book = Book()
    for number in range(leads):
        book.load_lead(f"{number:016x}", Lead(10 + number % 50, 1 + 2 * (number % 2)))
    return book, (_resident() - before) / leads


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def _decide(book: Book, options: argparse.Namespace, *, seed: int) -> float:
    """Decisions (with their apply) per CPU-second."""
    rng = random.Random(seed)
    plan = load_plans()["enterprise"]
    accounts = {f"b{i}": Account(f"b{i}", 10**12, plan, 0) for i in range(BUYERS)}
    plan_free = [f"b{i}" for i in range(BUYERS)]
    lead_ids = list(book.leads)
    script = _script(rng, lead_ids, plan_free, options.decisions)
    now = START + seed * 86_400_000_000 * 30
    for event in book.due(now):
        book.apply(event, now)
    refused = 0
    gc.disable()
    started = time.process_time()
    for command in script:
        now += 5
        decision = book.decide(command, now, accounts[command.user_id])
        if type(decision) is Refused:
            refused += 1
        elif decision is not None:
            book.apply(decision, now)
    spent = time.process_time() - started
    gc.enable()
    print(f"  run {seed + 1}: {refused / len(script):.0%} refused")
    return len(script) / spent


def _script(
    rng: random.Random, lead_ids: list[str], buyers: list[str], decisions: int
) -> list[c.BuyerCommand]:
    script: list[c.BuyerCommand] = []
    held: list[tuple[str, str]] = []
    for number in range(decisions):
        kind = rng.random()
        if kind < 0.5:
            pair = (rng.choice(lead_ids), rng.choice(buyers))
            held.append(pair)
            script.append(c.Hold(*pair, "15m"))
        elif kind < 0.75:
            own = held and rng.random() < 0.5
            pair = held.pop(rng.randrange(len(held))) if own else _pair(rng, lead_ids, buyers)
            script.append(c.Buy(*pair, f"order-{number}"))
        elif kind < 0.9 and held:
            script.append(c.Release(*held.pop(rng.randrange(len(held)))))
        else:
            script.append(c.Release(*_pair(rng, lead_ids, buyers)))
    return script


def _pair(rng: random.Random, lead_ids: list[str], buyers: list[str]) -> tuple[str, str]:
    return rng.choice(lead_ids), rng.choice(buyers)


def _decide_in_rows(leads: int, decisions: int, seed: int) -> float:
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("CREATE TABLE leads (lead_id TEXT PRIMARY KEY, free INT, price INT)")
    database.execute("CREATE TABLE seats (lead_id TEXT, buyer TEXT, PRIMARY KEY (lead_id, buyer))")
    ids = [f"{number:016x}" for number in range(leads)]
    database.executemany("INSERT INTO leads VALUES (?, 3, 10)", [(i,) for i in ids])
    script = _script(random.Random(seed), ids, [f"b{i}" for i in range(BUYERS)], decisions)
    started = time.process_time()
    for command in script:
        if isinstance(command, c.Release):
            gone = database.execute(
                "DELETE FROM seats WHERE lead_id = ? AND buyer = ?",
                (command.lead_id, command.user_id),
            ).rowcount
            if gone:
                database.execute(
                    "UPDATE leads SET free = free + 1 WHERE lead_id = ?", (command.lead_id,)
                )
        elif database.execute(
            "UPDATE leads SET free = free - 1 WHERE lead_id = ? AND free > 0", (command.lead_id,)
        ).rowcount:
            database.execute(
                "INSERT OR IGNORE INTO seats VALUES (?, ?)", (command.lead_id, command.user_id)
            )
    return len(script) / (time.process_time() - started)


if __name__ == "__main__":
    main()
