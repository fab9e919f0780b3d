"""After everything healed: is what people were told true, and is it all there, once?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from tests.simulation.activity import Activity
from tests.simulation.audits.answers import (
    broken_promises,
    keys_used_twice,
    lost_checkouts,
    lost_orders,
)
from tests.simulation.audits.credits import drifted_credits, wrong_transfers
from tests.simulation.audits.history import History, wrong_history
from tests.simulation.audits.ownership import wrong_owners
from tests.simulation.audits.refusals import untrue_refusals
from tests.simulation.audits.standing import overshot_limits
from tests.simulation.audits.streams import wrong_streams
from tests.simulation.audits.tables import wrong_tables
from tests.simulation.world import MARKETS, World


def audit(world: World, activity: Activity) -> list[str]:
    """Violations in words; empty if all is well."""
    record = activity.record
    histories = {market: History(world, market) for market in MARKETS}
    found = _seen(
        partial(broken_promises, record),
        partial(keys_used_twice, record),
        partial(lost_orders, world, record),
        partial(lost_checkouts, world, record),
        partial(drifted_credits, world, record),
        partial(wrong_transfers, world, histories),
        partial(overshot_limits, world),
        partial(untrue_refusals, world, record, histories),
    )
    for market, history in histories.items():
        seen = _seen(
            partial(wrong_owners, world, market),
            partial(wrong_history, world, history),
            partial(wrong_tables, world, history),
            partial(wrong_streams, world, history),
        )
        found += [f"{market}: {violation}" for violation in seen]
    return found


def _seen(*looks: partial[Iterable[str]]) -> list[str]:
    """What is so wrong that looking at it fails is a violation as well."""
    found: list[str] = []
    for look in looks:
        try:
            found += look()
        except (LookupError, ValueError, AssertionError) as error:
            found.append(f"{look.func.__name__} can't be told: {error!r}")
    return found
