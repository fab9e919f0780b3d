"""carts: shards, notifications and their settings, cart events for analysts

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# One row for each buyer whom an entry of the journal concerns: most name theirs, those that
# close a lead list the holds they end.
CART_EVENTS = """
CREATE VIEW cart_events AS
SELECT m.market,
       m.position,
       to_timestamp(m.at / 1e6) AS at,
       m.event->>'type' AS event,
       m.lead_id,
       b.user_id,
       (m.event->>'price')::int8 AS price,
       m.event->>'hold' AS hold,
       to_timestamp(coalesce(m.event->>'held_until', m.event->>'offered_until')::int8 / 1e6) AS until,
       m.event->>'reason' AS reason,
       (m.event->>'fee')::int8 AS fee,
       coalesce(b.fee_back, (m.event->>'fee_credit')::int8) AS fee_back,
       m.event->>'order_id' AS order_id,
       m.event->>'standing_order_id' AS standing_order_id
FROM market_events m
CROSS JOIN LATERAL (
    SELECT m.event->>'user_id' AS user_id, NULL::int8 AS fee_back WHERE m.event ? 'user_id'
    UNION ALL
    SELECT e.hold->>0, (e.hold->>1)::int8 FROM jsonb_array_elements(m.event->'ended') AS e(hold)
) b
WHERE m.event->>'type' IN ('held', 'extended', 'released', 'sold', 'withdrawn', 'quarantined',
                           'offered', 'queue_joined', 'queue_left')
"""


def upgrade() -> None:
    op.create_table(
        "cart_shards",
        sa.Column("is_only", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("shards", sa.Integer(), nullable=False),
        sa.CheckConstraint("is_only", name=op.f("cart_shards_is_only_check")),
        sa.CheckConstraint("shards >= 1", name=op.f("cart_shards_shards_check")),
        sa.PrimaryKeyConstraint("is_only", name=op.f("cart_shards_pkey")),
    )
    op.create_table(
        "notification_settings",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column(
            "channels",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("quiet_start", sa.SmallInteger(), nullable=True),
        sa.Column("quiet_end", sa.SmallInteger(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "num_nulls(quiet_start, quiet_end, time_zone) IN (0, 3) AND quiet_start <> quiet_end"
            " AND quiet_start BETWEEN 0 AND 1439 AND quiet_end BETWEEN 0 AND 1439",
            name=op.f("notification_settings_quiet_hours_check"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
            name=op.f("notification_settings_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("notification_settings_pkey")),
    )
    op.create_table(
        "notifications",
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("true_until", sa.BigInteger(), nullable=True),
        sa.Column("in_app", sa.Boolean(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_state", sa.Text(), server_default="none", nullable=False),
        sa.Column("mail_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("mail_error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "mail_state IN ('none', 'waiting', 'sent', 'failed', 'dropped')",
            name=op.f("notifications_mail_state_check"),
        ),
        sa.CheckConstraint(
            "mail_state <> 'waiting' OR mail_due_at IS NOT NULL",
            name=op.f("notifications_mail_due_at_check"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
            name=op.f("notifications_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("notifications_pkey")),
        sa.UniqueConstraint("user_id", "key", name=op.f("notifications_user_id_key_key")),
    )
    op.create_index(
        op.f("notifications_user_id_created_at_notification_id_idx"),
        "notifications",
        ["user_id", "created_at", "notification_id"],
    )
    op.create_index(
        "notifications_mail_idx",
        "notifications",
        ["mail_due_at"],
        postgresql_where=sa.text("mail_state = 'waiting'"),
    )
    op.create_index(
        "notifications_created_at_idx", "notifications", ["created_at"], postgresql_using="brin"
    )
    op.execute(CART_EVENTS)


def downgrade() -> None:
    op.execute("DROP VIEW cart_events")
    op.drop_table("notifications")
    op.drop_table("notification_settings")
    op.drop_table("cart_shards")
