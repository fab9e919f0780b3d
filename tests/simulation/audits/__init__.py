"""After everything healed: is what people were told true, and is it all there, once?"""

from __future__ import annotations

from tests.simulation.activity import Activity
from tests.simulation.audits.answers import broken_promises, lost_checkouts, lost_orders
from tests.simulation.audits.credits import drifted_credits, wrong_transfers
from tests.simulation.audits.history import History, wrong_history
from tests.simulation.audits.ownership import wrong_owners
from tests.simulation.audits.refusals import untrue_refusals
from tests.simulation.audits.standing import overshot_limits
from tests.simulation.audits.streams import wrong_streams
from tests.simulation.audits.tables import wrong_tables
from tests.simulation.world import MARKETS, World


async def audit(world: World, activity: Activity) -> list[str]:
    """Violations in words; empty if all is well."""
    record = activity.record
    histories = {market: History(world, market) for market in MARKETS}
    found = [*broken_promises(record), *lost_orders(world, record)]
    found += [*lost_checkouts(world, record), *drifted_credits(world, record)]
    found += wrong_transfers(world, histories)
    found += untrue_refusals(world, record, histories)
    found += overshot_limits(world)
    for market, history in histories.items():
        found += [f"{market}: {text}" for text in wrong_owners(world, market)]
        found += [f"{market}: {text}" for text in wrong_history(world, history)]
        found += [f"{market}: {text}" for text in await wrong_tables(world, history)]
        found += [f"{market}: {text}" for text in wrong_streams(world, history)]
    return found
