"""Credits: conserved, and moved by nothing but what the journal says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from engine.market import events as e
from tests.simulation.audits.history import History
from tests.simulation.record import Record
from tests.simulation.world import World


def drifted_credits(world: World, record: Record) -> Iterator[str]:
    balances: Counter[str] = Counter()
    for row in world.tables.transfers.rows.values():
        balances[row.debit_account] -= row.amount
        balances[row.credit_account] += row.amount
    total = 0
    for wallet in world.tables.wallets.rows.values():
        total += wallet.balance
        summed = balances[f"user:{wallet.user_id}"]
        if wallet.balance != summed:
            yield f"{wallet.user_id} has {wallet.balance}, the transfers sum to {summed}"
    spent = sum(row.price for row in world.tables.orders.rows.values())
    if balances["house:sales"] != spent:
        yield f"house:sales has {balances['house:sales']}, orders come to {spent}"
    if total + spent + balances["house:hold-fees"] != record.granted:
        yield f"{record.granted} credits became {total}, {spent} spent and {balances} in all"


def wrong_transfers(world: World, histories: Mapping[str, History]) -> Iterator[str]:
    """Nobody is charged, or given back, for anything but an event of the journal."""
    due = Counter(
        transfer
        for history in histories.values()
        for row, event in history
        for transfer in _transfers(row.position, history.market, event)
    )
    made = Counter(
        (row.transfer_id, row.debit_account, row.credit_account, row.amount)
        for row in world.tables.transfers.rows.values()
        if row.reason != "grant"
    )
    for transfer in (due - made) + (made - due):
        yield f"the transfer {transfer} is {'missing' if transfer in due else 'for nothing'}"


def _transfers(position: int, market: str, event: e.Event) -> Iterator[tuple[str, str, str, int]]:
    fees = "house:hold-fees"
    match event:
        case e.LeadHeld(fee=fee, user_id=user) | e.HoldExtended(fee=fee, user_id=user) if fee:
            yield f"hold-fee:{market}:{position}.0", f"user:{user}", fees, fee
        case e.LeadSold(user_id=user, price=price, fee_credit=credit):
            if credit:
                yield f"hold-fee-credit:{market}:{position}.0", fees, f"user:{user}", credit
            if price:
                yield f"order:{event.order_id}", f"user:{user}", "house:sales", price
        case e.LeadWithdrawn(ended=ended) | e.LeadQuarantined(ended=ended):
            for number, hold in enumerate(ended):
                if hold.fee:
                    refund = f"hold-fee-refund:{market}:{position}.{number}"
                    yield refund, fees, f"user:{hold.user_id}", hold.fee
