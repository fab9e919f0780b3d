"""Does the database say one thing? Every rule here holds after any crash."""

from __future__ import annotations

import asyncpg

_SHOWN_MAX = 20

# Rule -> a query that lists its violations, as one text each.
RULES: dict[str, str] = {
    "a wallet's balance is the sum of its transfers": """
        SELECT w.user_id || ' has ' || w.balance || ', its transfers sum to ' || s.total
        FROM wallets w CROSS JOIN LATERAL (
            SELECT coalesce((SELECT sum(amount) FROM transfers
                             WHERE credit_account = 'user:' || w.user_id), 0)
                 - coalesce((SELECT sum(amount) FROM transfers
                             WHERE debit_account = 'user:' || w.user_id), 0) AS total
        ) s WHERE w.balance <> s.total""",
    "a lead's counts are those of its seats": """
        SELECT t.lead_id || ' counts ' || t.sold || ' sold, ' || t.held || ' held, its seats say '
            || s.sold || ' and ' || s.held
        FROM lead_trading t CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE order_id IS NOT NULL) AS sold,
                   count(*) FILTER (WHERE order_id IS NULL) AS held
            FROM seats WHERE seats.lead_id = t.lead_id
        ) s WHERE t.sold <> s.sold OR t.held <> s.held""",
    "a lead has no more seats taken than it has": """
        SELECT s.lead_id || ' has ' || count(*) || ' seats taken of ' || max(t.max_buyers)
        FROM seats s JOIN lead_trading t USING (lead_id)
        GROUP BY s.lead_id HAVING count(*) > max(t.max_buyers)""",
    "a lead is sold if and only if every seat is": """
        SELECT lead_id || ' is ' || lead_state || ', sold ' || sold || ' of ' || max_buyers
        FROM lead_trading WHERE (lead_state = 'sold') <> (sold = max_buyers)
            AND lead_state NOT IN ('withdrawn', 'quarantined')""",
    "a buyer's hold counts are those of the held seats": """
        SELECT user_id || ' counts ' || coalesce(c.live_holds, 0) || ' holds of '
            || coalesce(c.held_value, 0) || ' credits in ' || market || ', the seats say '
            || coalesce(s.held, 0) || ' of ' || coalesce(s.value, 0)
        FROM hold_counts c FULL JOIN (
            SELECT user_id, market, count(*) AS held, sum(price) AS value FROM seats
            WHERE order_id IS NULL AND NOT is_offer GROUP BY user_id, market
        ) s USING (user_id, market)
        WHERE coalesce(c.live_holds, 0) <> coalesce(s.held, 0)
            OR coalesce(c.held_value, 0) <> coalesce(s.value, 0)""",
    "nobody waits for a lead with a free seat": """
        SELECT q.user_id || ' waits for ' || q.lead_id || ', which is ' || t.lead_state
        FROM queue_places q LEFT JOIN lead_trading t USING (lead_id)
        WHERE t.lead_state IS DISTINCT FROM 'held'""",
    "a standing order has bought and spent what its orders say": """
        SELECT s.standing_order_id || ' counts ' || s.bought || ' for ' || s.spent
            || ', its orders say ' || o.bought || ' for ' || o.spent
        FROM standing_orders s CROSS JOIN LATERAL (
            SELECT count(*) AS bought, coalesce(sum(price), 0) AS spent FROM orders
            WHERE orders.standing_order_id = s.standing_order_id
        ) o WHERE s.bought <> o.bought OR s.spent <> o.spent""",
    "fees of holds given back are fees that were paid": """
        SELECT p.account || ' paid ' || p.paid || ' in fees for ' || p.lead_id || ' and got back '
            || p.back
        FROM (
            SELECT reference AS lead_id,
                CASE reason WHEN 'hold-fee' THEN debit_account ELSE credit_account END AS account,
                sum(amount) FILTER (WHERE reason = 'hold-fee') AS paid,
                coalesce(sum(amount) FILTER (WHERE reason <> 'hold-fee'), 0) AS back
            FROM transfers WHERE reason IN ('hold-fee', 'hold-fee-credit', 'hold-fee-refund')
            GROUP BY 1, 2
        ) p WHERE p.back > coalesce(p.paid, 0)""",
    "a contest has no more winners than seats": """
        SELECT r.lead_id || ' round ' || r.round || ' had ' || r.seats || ' seats'
        FROM claim_rounds r WHERE r.seats < (SELECT count(*) FROM claims c
            WHERE c.lead_id = r.lead_id AND c.round = r.round AND c.result = 'won')""",
    "every order has its sold seat": """
        SELECT o.order_id || ' has no sold seat' FROM orders o
        WHERE NOT EXISTS (SELECT FROM seats s WHERE s.order_id = o.order_id
            AND s.lead_id = o.lead_id AND s.user_id = o.user_id AND s.price = o.price)""",
    "every sold seat has its order": """
        SELECT s.lead_id || ' seat ' || s.seat || ' has no order' FROM seats s
        WHERE s.order_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = s.order_id)""",
    "every order moved its price exactly once": """
        SELECT o.order_id || ' costs ' || o.price || ', ' || p.transfers || ' transfers moved '
            || p.moved
        FROM orders o CROSS JOIN LATERAL (
            SELECT count(*) AS transfers, coalesce(sum(amount), 0) AS moved FROM transfers t
            WHERE t.reason = 'purchase' AND t.reference = o.order_id
                AND t.debit_account = 'user:' || o.user_id
        ) p WHERE p.moved <> o.price OR p.transfers > 1""",
    "every purchase transfer has its order": """
        SELECT t.transfer_id || ' pays for no order' FROM transfers t
        WHERE t.reason = 'purchase'
            AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = t.reference)""",
    "a market's feed numbers have no gap": """
        SELECT m.market || ' is at feed_seq ' || m.feed_seq || ', its journal has ' || j.entries
            || ' numbers up to ' || j.newest
        FROM markets m CROSS JOIN LATERAL (
            SELECT count(feed_seq) AS entries, coalesce(max(feed_seq), 0) AS newest
            FROM market_events e WHERE e.market = m.market
        ) j WHERE j.entries <> m.feed_seq OR j.newest <> m.feed_seq""",
    "a market's journal positions have no gap": """
        SELECT m.market || ' is at position ' || m.position || ', its journal has ' || j.entries
            || ' entries up to ' || j.newest
        FROM markets m CROSS JOIN LATERAL (
            SELECT count(*) AS entries, coalesce(max(position), 0) AS newest
            FROM market_events e WHERE e.market = m.market
        ) j WHERE j.entries <> m.position OR j.newest <> m.position""",
    "a lead that was merged is withdrawn": """
        SELECT l.lead_id || ' went into ' || l.merged_into || ' and is ' || t.lead_state
        FROM leads l JOIN lead_trading t USING (lead_id)
        WHERE l.merged_into IS NOT NULL AND t.lead_state <> 'withdrawn'""",
    "a record belongs to the lead that stayed": """
        SELECT r.source || ' ' || r.source_id || ' of ' || r.market || ' is with ' || i.lead_id
            || ', which went into ' || i.merged_into
        FROM source_records r JOIN lead_identities i USING (lead_id)
        WHERE i.merged_into IS NOT NULL""",
}


async def audit(database_url: str) -> list[str]:
    """Violations in words, at most 20 per rule; empty when all is well.

    One snapshot, so it may run while the market trades.
    """
    connection = await asyncpg.connect(database_url, timeout=10)
    found: list[str] = []
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for rule, query in RULES.items():
                rows = await connection.fetch(
                    f"SELECT violation FROM ({query}) v(violation) LIMIT {_SHOWN_MAX}"
                )
                found += [f"{rule}: {row['violation']}" for row in rows]
    finally:
        await connection.close()
    return found
