"""holds with fees, places in line, claims, standing orders

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LIVE = sa.text("order_id IS NULL")


def upgrade() -> None:
    op.add_column(
        "markets",
        sa.Column("matched_position", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column(
        "markets",
        sa.Column(
            "secret",
            sa.LargeBinary(),
            server_default=sa.text("uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())"),
            nullable=False,
        ),
    )
    # Ticks of before were never to be matched.
    op.execute("UPDATE markets SET matched_position = position")
    op.add_column("lead_trading", sa.Column("decide_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "lead_trading", sa.Column("rounds", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "seats", sa.Column("is_offer", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column("seats", sa.Column("fee", sa.BigInteger(), server_default="0", nullable=False))
    op.create_check_constraint(op.f("seats_fee_check"), "seats", "fee >= 0")
    op.drop_index("seats_market_live_idx", table_name="seats", postgresql_where=LIVE)
    op.create_index(
        "seats_market_live_idx", "seats", ["market", "held_until"], postgresql_where=LIVE
    )
    op.add_column(
        "hold_counts",
        sa.Column("held_value", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_check_constraint(
        op.f("hold_counts_held_value_check"), "hold_counts", "held_value >= 0"
    )
    op.execute(
        "UPDATE hold_counts h SET held_value = s.value FROM"
        " (SELECT user_id, market, sum(price) AS value FROM seats WHERE order_id IS NULL"
        " GROUP BY user_id, market) s WHERE h.user_id = s.user_id AND h.market = s.market"
    )
    op.add_column("orders", sa.Column("standing_order_id", sa.Text(), nullable=True))
    op.create_index(
        "orders_standing_order_id_idx",
        "orders",
        ["standing_order_id", "bought_at"],
        postgresql_where=sa.text("standing_order_id IS NOT NULL"),
    )
    op.create_table(
        "queue_places",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lead_id", "user_id", name=op.f("queue_places_pkey")),
    )
    op.create_index(op.f("queue_places_user_id_idx"), "queue_places", ["user_id"])
    op.create_index(op.f("queue_places_market_idx"), "queue_places", ["market"])
    op.create_table(
        "standing_orders",
        sa.Column("standing_order_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("bought", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spent", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("bought >= 0 AND spent >= 0", name=op.f("standing_orders_bought_check")),
        sa.CheckConstraint(
            "terms->>'budget' IS NULL OR spent <= (terms->>'budget')::int8 OR revision > 1",
            name=op.f("standing_orders_budget_check"),
        ),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("standing_orders_market_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("standing_orders_user_id_fkey")
        ),
        sa.PrimaryKeyConstraint("standing_order_id", name=op.f("standing_orders_pkey")),
    )
    op.create_index(
        op.f("standing_orders_user_id_standing_order_id_idx"),
        "standing_orders",
        ["user_id", sa.literal_column("placed_at DESC"), "standing_order_id"],
    )
    op.create_index(
        "standing_orders_market_live_idx",
        "standing_orders",
        ["market"],
        postgresql_where=sa.text("cancelled_at IS NULL"),
    )
    op.create_table(
        "claim_rounds",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("next_commitment", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lead_id", "round", name=op.f("claim_rounds_pkey")),
    )
    op.create_table(
        "claims",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("draw", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("standing_order_id", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lead_id", "round", "rank", name=op.f("claims_pkey")),
    )
    op.create_index(
        "claims_won_idx",
        "claims",
        ["market", "decided_at"],
        postgresql_where=sa.text("result = 'won'"),
    )


def downgrade() -> None:
    op.drop_table("claims")
    op.drop_table("claim_rounds")
    op.drop_table("standing_orders")
    op.drop_table("queue_places")
    op.drop_index("orders_standing_order_id_idx", table_name="orders")
    op.drop_column("orders", "standing_order_id")
    op.drop_constraint(op.f("hold_counts_held_value_check"), "hold_counts")
    op.drop_column("hold_counts", "held_value")
    # An offer is no hold to a book that knows none.
    op.execute(
        "WITH gone AS (DELETE FROM seats WHERE is_offer RETURNING lead_id)"
        " UPDATE lead_trading t SET held = t.held - g.offers, lead_state = 'available'"
        " FROM (SELECT lead_id, count(*) AS offers FROM gone GROUP BY lead_id) g"
        " WHERE t.lead_id = g.lead_id"
    )
    op.drop_index("seats_market_live_idx", table_name="seats", postgresql_where=LIVE)
    op.create_index("seats_market_live_idx", "seats", ["market"], postgresql_where=LIVE)
    op.drop_constraint(op.f("seats_fee_check"), "seats")
    op.drop_column("seats", "fee")
    op.drop_column("seats", "is_offer")
    op.drop_column("lead_trading", "rounds")
    op.drop_column("lead_trading", "decide_at")
    op.drop_column("markets", "secret")
    op.drop_column("markets", "matched_position")
