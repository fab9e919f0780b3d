"""pricing: what made a price, a lead's past prices as a chain, signals of demand, experiments

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The ticks there are become chains. Prices were changed by hand alone so far, so they are few.
CHAIN = """
UPDATE price_ticks p SET before = c.before
FROM (
    SELECT market, position, array_agg(before ORDER BY number) AS before
    FROM (
        SELECT t.market, t.position, u.number,
               lag(t.position) OVER (PARTITION BY t.market, u.lead_id
                                     ORDER BY t.position, u.number) AS before
        FROM price_ticks t, unnest(t.lead_ids) WITH ORDINALITY u(lead_id, number)
    ) each
    GROUP BY market, position
) c
WHERE p.market = c.market AND p.position = c.position
"""
NEWEST = """
UPDATE lead_trading l SET tick_position = n.position
FROM (
    SELECT u.lead_id, max(t.position) AS position
    FROM price_ticks t, unnest(t.lead_ids) u(lead_id) GROUP BY u.lead_id
) n
WHERE l.lead_id = n.lead_id
"""


def upgrade() -> None:
    # All nullable and without a default: neither table is rewritten.
    op.add_column("lead_trading", sa.Column("price_parts", sa.LargeBinary(), nullable=True))
    op.add_column("lead_trading", sa.Column("tick_position", sa.BigInteger(), nullable=True))
    op.add_column("price_ticks", sa.Column("parts", sa.ARRAY(sa.LargeBinary()), nullable=True))
    op.add_column("price_ticks", sa.Column("before", sa.ARRAY(sa.BigInteger()), nullable=True))
    op.execute(CHAIN)
    op.execute(NEWEST)
    op.create_table(
        "demand_signals",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("lead_ids", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("user_ids", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("kinds", sa.ARRAY(sa.SmallInteger()), nullable=False),
        sa.PrimaryKeyConstraint("market", "signal_id", name=op.f("demand_signals_pkey")),
    )
    op.create_table(
        "pricing_checkpoints",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("signal_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "summary",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("pricing_checkpoints_market_fkey")
        ),
        sa.PrimaryKeyConstraint("market", name=op.f("pricing_checkpoints_pkey")),
    )
    # Columns of numbers, written every few seconds: compressing them costs more than it saves.
    op.execute("ALTER TABLE pricing_checkpoints ALTER COLUMN state SET STORAGE EXTERNAL")
    op.create_table(
        "pricing_experiments",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("control", sa.Text(), nullable=False),
        sa.Column("trial", sa.Text(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("share > 0 AND share < 1", name=op.f("pricing_experiments_share_check")),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("pricing_experiments_market_fkey")
        ),
        sa.PrimaryKeyConstraint("market", "name", name=op.f("pricing_experiments_pkey")),
    )


def downgrade() -> None:
    op.drop_table("pricing_experiments")
    op.drop_table("pricing_checkpoints")
    op.drop_table("demand_signals")
    op.drop_column("price_ticks", "before")
    op.drop_column("price_ticks", "parts")
    op.drop_column("lead_trading", "tick_position")
    op.drop_column("lead_trading", "price_parts")
