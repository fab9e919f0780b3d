"""Standing orders found per second by the index, beside asking every order.

    python -m benchmarks.standing_orders [--orders 10000] [--leads 1000] [--runs 5]

One market, one process, CPU time. The scan asks every order in plain Python, what most fail
first, and leaves an order at the first thing it fails. Both sides must find the same. Then
the cost of a listing at 1,000 to 100,000 orders: of the natural mix, where the matches grow
with the orders, and of orders that reach less far the more there are, so that the matches
of a listing stay about as many.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import statistics
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from math import asin, cos, radians, sin, sqrt
from typing import TypeVar

from benchmarks.standing_market import Lead, random_lead, random_order, random_small_order
from engine.market.listing import Listing
from engine.market.sphere import EARTH_RADIUS_M
from engine.market.standing_index import StandingIndex
from engine.market.standing_terms import StandingFilter, StandingTerms

SIZES = (1_000, 10_000, 100_000)
Item = TypeVar("Item")
Orders = dict[str, StandingTerms]
Find = Callable[[Lead], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--leads", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    rng = random.Random(1)
    leads = [random_lead(rng) for _ in range(options.leads)]
    orders = _orders(options.orders, random_order, seed=2)
    index = _report_changes(orders, options.runs)
    _report_beside_the_scan(index, orders, leads, options.runs)
    _report_growth("natural mix", lambda size: random_order, leads, options.runs)
    _report_growth("as many matches", _small_orders, leads, options.runs)


def _orders(count: int, make: Callable[[random.Random], StandingTerms], *, seed: int) -> Orders:
    rng = random.Random(seed)
    return {f"{number:022x}": make(rng) for number in range(count)}


def _small_orders(size: int) -> Callable[[random.Random], StandingTerms]:
    return partial(random_small_order, scale=(SIZES[0] / size) ** 0.5)


# --- adding and removing -------------------------------------------------------------------


def _report_changes(orders: Orders, runs: int) -> StandingIndex:
    gc.collect()
    before = _resident()
    index = _filled(orders)
    bytes_an_order = (_resident() - before) / len(orders)
    print(f"{len(orders):,} orders in one index, {bytes_an_order:,.0f} bytes an order (RSS)")
    added, removed = [], []
    for _ in range(runs):
        removed.append(_microseconds(index.remove, list(orders)))
        added.append(_microseconds(lambda order_id: index.add(order_id, orders[order_id]), orders))
    print(f"  add {_spread(added)} us, remove {_spread(removed)} us an order")
    return index


def _filled(orders: Orders) -> StandingIndex:
    index = StandingIndex()
    for order_id, terms in orders.items():
        index.add(order_id, terms)
    return index


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


# --- finding -------------------------------------------------------------------------------


def _report_beside_the_scan(
    index: StandingIndex, orders: Orders, leads: Sequence[Lead], runs: int
) -> None:
    scan = partial(_asked_one_by_one, orders)
    matches = sum(_compared(index, scan, lead) for lead in leads) / len(leads)
    found, scanned = [], []
    for _ in range(runs):
        found.append(_microseconds(partial(_found, index), leads))
        scanned.append(_microseconds(scan, leads))
    print(f"{len(orders):,} orders, {len(leads):,} listings, {matches:.1f} matches a listing:")
    for name, times in (("index", found), ("scan", scanned)):
        rates = [matches / each * 1e6 for each in times]
        print(f"  {name:<5} {_spread(times)} us a listing, {_spread(rates, 0)} matches/s")
    ratios = [scan_us / index_us for scan_us, index_us in zip(scanned, found, strict=True)]
    print(f"  scan / index: {_spread(ratios)}")


def _found(index: StandingIndex, lead: Lead) -> list[str]:
    return index.find(*lead)


def _compared(index: StandingIndex, scan: Find, lead: Lead) -> int:
    """How many orders match. Raises SystemExit if the two sides differ."""
    found, scanned = sorted(index.find(*lead)), sorted(scan(lead))
    if found != scanned:
        raise SystemExit(f"index and scan differ on {lead}: {set(found) ^ set(scanned)}")
    return len(found)


def _report_growth(
    name: str,
    make: Callable[[int], Callable[[random.Random], StandingTerms]],
    leads: Sequence[Lead],
    runs: int,
) -> None:
    print(f"{name}:")
    first = 0.0
    for size in SIZES:
        index = _filled(_orders(size, make(size), seed=3))
        find: Find = partial(_found, index)
        matches = sum(len(find(lead)) for lead in leads) / len(leads)
        times = [_microseconds(find, leads) for _ in range(runs)]
        first = first or statistics.median(times)
        print(
            f"  {size:>7,} orders: {matches:6.1f} matches, {_spread(times)} us a listing,"
            f" {statistics.median(times) / first:.1f} times the first"
        )


def _microseconds(act: Callable[[Item], object], items: Collection[Item]) -> float:
    """CPU µs that `act` takes on one of `items`."""
    gc.collect()
    gc.disable()
    started = time.process_time()
    for item in items:
        act(item)
    spent = time.process_time() - started
    gc.enable()
    return spent / len(items) * 1e6


def _spread(values: Sequence[float], digits: int = 1) -> str:
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} ({least:,.{digits}f}-{most:,.{digits}f})"


# --- the scan ------------------------------------------------------------------------------


def _asked_one_by_one(orders: Orders, lead: Lead) -> list[str]:
    return [order_id for order_id, terms in orders.items() if _wants(terms, lead)]


def _wants(terms: StandingTerms, lead: Lead) -> bool:
    listing, price, max_buyers = lead
    asked = terms.filter
    if price > terms.price_max or (asked.price_min is not None and price < asked.price_min):
        return False
    if terms.seats != "any" and (terms.seats == "exclusive") != (max_buyers == 1):
        return False
    if asked.property_type and listing.property_type not in asked.property_type:
        return False
    return _has_numbers(asked, listing) and _is_there(asked, listing)


def _has_numbers(asked: StandingFilter, listing: Listing) -> bool:
    return (
        _is_between(listing.list_price, asked.list_price_min, asked.list_price_max)
        and _is_between(listing.bedrooms_total, asked.bedrooms_total_min, asked.bedrooms_total_max)
        and _is_between(listing.living_area, asked.living_area_min, asked.living_area_max)
        and _is_between(listing.year_built, asked.year_built_min, asked.year_built_max)
        and _is_between(
            listing.lot_size_square_feet,
            asked.lot_size_square_feet_min,
            asked.lot_size_square_feet_max,
        )
    )


def _is_between(fact: int | None, least: int | None, most: int | None) -> bool:
    if fact is None:
        return least is None and most is None
    return (least is None or least <= fact) and (most is None or fact <= most)


def _is_there(asked: StandingFilter, listing: Listing) -> bool:
    if asked.source and not any(source in asked.source for source in listing.sources):
        return False
    if asked.near is None and asked.bbox is None:
        return True
    if listing.latitude is None or listing.longitude is None:
        return False
    if asked.bbox is not None:
        west, south, east, north = asked.bbox
        if not (west <= listing.longitude <= east and south <= listing.latitude <= north):
            return False
    if asked.near is None or asked.radius_m is None:
        return True
    return _metres(*asked.near, listing.latitude, listing.longitude) <= asked.radius_m


def _metres(latitude: float, longitude: float, other_latitude: float, other: float) -> float:
    here, there = radians(latitude), radians(other_latitude)
    north, east = sin((there - here) / 2), sin(radians(other - longitude) / 2)
    haversine = north * north + cos(here) * cos(there) * east * east
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(haversine)))


if __name__ == "__main__":
    main()
