"""the market

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geography
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    op.execute("CREATE EXTENSION IF NOT EXISTS citext")
    op.create_table(
        "commands",
        sa.Column("command_id", sa.LargeBinary(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("command_id", name=op.f("commands_pkey")),
    )
    op.create_index(
        "commands_decided_at_idx", "commands", ["decided_at"], unique=False, postgresql_using="brin"
    )
    op.create_table(
        "contacts",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("unparsed_address", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("source_url", sa.Text(), nullable=True),
        sa.Column("is_invented", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("contacts_pkey")),
    )
    op.create_table(
        "idempotency",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("idempotency_pkey")),
    )
    op.create_index("idempotency_created_at_idx", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "ingest_runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("ingest_runs_pkey")),
    )
    op.create_table(
        "lead_trading",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("lead_state", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("max_buyers", sa.Integer(), nullable=False),
        sa.Column("sold", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "lead_state IN ('available', 'held', 'sold', 'withdrawn', 'quarantined')",
            name=op.f("lead_trading_lead_state_check"),
        ),
        sa.CheckConstraint("price >= 1", name=op.f("lead_trading_price_check")),
        sa.CheckConstraint(
            "sold >= 0 AND held >= 0 AND max_buyers >= 1 AND sold + held <= max_buyers",
            name=op.f("lead_trading_seats_check"),
        ),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("lead_trading_pkey")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(op.f("lead_trading_market_idx"), "lead_trading", ["market"], unique=False)
    op.create_table(
        "market_events",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("feed_seq", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("event", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("public", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("market", "position", name=op.f("market_events_pkey")),
        sa.UniqueConstraint("market", "feed_seq", name=op.f("market_events_market_feed_seq_key")),
    )
    op.create_index(
        op.f("market_events_lead_id_position_idx"),
        "market_events",
        ["lead_id", "position"],
        unique=False,
    )
    op.create_table(
        "markets",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("feed_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("journal_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("market", name=op.f("markets_pkey")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "hold_counts",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("live_holds", sa.Integer(), nullable=False),
        sa.CheckConstraint("live_holds >= 0", name=op.f("hold_counts_live_holds_check")),
        sa.PrimaryKeyConstraint("user_id", "market", name=op.f("hold_counts_pkey")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "past_holds",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("first_held_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_because", sa.Text(), nullable=False),
        sa.Column("forget_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lead_id", "user_id", name=op.f("past_holds_pkey")),
    )
    op.create_index(
        op.f("past_holds_market_forget_at_idx"), "past_holds", ["market", "forget_at"], unique=False
    )
    op.create_table(
        "price_ticks",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lead_ids", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("prices", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("market", "position", name=op.f("price_ticks_pkey")),
    )
    op.create_table(
        "seats",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("seat", sa.SmallInteger(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("max_buyers", sa.Integer(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("hold", sa.Text(), nullable=True),
        sa.Column("first_held_at", sa.BigInteger(), nullable=True),
        sa.Column("held_at", sa.BigInteger(), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.Column("forget_after", sa.BigInteger(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(order_id IS NULL) = (held_until IS NOT NULL)", name=op.f("seats_held_or_sold_check")
        ),
        sa.CheckConstraint("seat BETWEEN 1 AND max_buyers", name=op.f("seats_seat_check")),
        sa.PrimaryKeyConstraint("lead_id", "seat", name=op.f("seats_pkey")),
        sa.UniqueConstraint("lead_id", "user_id", name=op.f("seats_lead_id_user_id_key")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "seats_market_live_idx",
        "seats",
        ["market"],
        unique=False,
        postgresql_where=sa.text("order_id IS NULL"),
    )
    op.create_index(
        "seats_user_id_live_idx",
        "seats",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("order_id IS NULL"),
    )
    op.create_table(
        "transfers",
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("debit_account", sa.Text(), nullable=False),
        sa.Column("credit_account", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount > 0", name=op.f("transfers_amount_check")),
        sa.CheckConstraint(
            "debit_account <> credit_account", name=op.f("transfers_accounts_check")
        ),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("transfers_pkey")),
    )
    op.create_index(
        op.f("transfers_credit_account_created_at_idx"),
        "transfers",
        ["credit_account", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("transfers_debit_account_created_at_idx"),
        "transfers",
        ["debit_account", "created_at"],
        unique=False,
    )
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("email", postgresql.CITEXT(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("preferred_market", sa.Text(), nullable=True),
        sa.Column("plan", sa.Text(), server_default="basic", nullable=False),
        sa.Column("role", sa.Text(), server_default="buyer", nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("role IN ('buyer', 'admin')", name=op.f("users_role_check")),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("users_status_check")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("users_pkey")),
        sa.UniqueConstraint("email", name=op.f("users_email_key")),
    )
    op.create_table(
        "checkouts",
        sa.Column("checkout_id", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("lead_ids", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("checkouts_user_id_fkey")
        ),
        sa.PrimaryKeyConstraint("checkout_id", name=op.f("checkouts_pkey")),
    )
    op.create_index(
        "checkouts_unfinished_idx",
        "checkouts",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("answer IS NULL"),
    )
    op.create_table(
        "entities",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["market"], ["markets.market"], name=op.f("entities_market_fkey")),
        sa.PrimaryKeyConstraint("market", "key", name=op.f("entities_pkey")),
    )
    op.create_index(op.f("entities_lead_id_idx"), "entities", ["lead_id"], unique=False)
    op.create_table(
        "intake_outbox",
        sa.Column("outbox_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("command", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("intake_outbox_market_fkey")
        ),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("intake_outbox_pkey")),
    )
    op.create_index(
        op.f("intake_outbox_market_outbox_id_idx"),
        "intake_outbox",
        ["market", "outbox_id"],
        unique=False,
    )
    op.create_geospatial_table(
        "leads",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quality", sa.Double(), nullable=False),
        sa.Column("fraud_flag", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("sources", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("is_sample", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("list_price", sa.BigInteger(), nullable=True),
        sa.Column("standard_status", sa.Text(), nullable=True),
        sa.Column("property_type", sa.Text(), nullable=True),
        sa.Column("property_sub_type", sa.Text(), nullable=True),
        sa.Column("bedrooms_total", sa.Integer(), nullable=True),
        sa.Column("bathrooms_total_integer", sa.Integer(), nullable=True),
        sa.Column("living_area", sa.Integer(), nullable=True),
        sa.Column("lot_size_square_feet", sa.BigInteger(), nullable=True),
        sa.Column("year_built", sa.Integer(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("state_or_province", sa.Text(), nullable=True),
        sa.Column("postal_code", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("public_remarks", sa.Text(), nullable=True),
        sa.Column("originating_system_name", sa.Text(), nullable=True),
        sa.Column("modification_timestamp", sa.Text(), nullable=True),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column(
            "location",
            Geography(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeogFromText",
                name="geography",
            ),
            sa.Computed(
                "CASE WHEN latitude IS NULL OR longitude IS NULL THEN NULL ELSE (ST_SetSRID(ST_MakePoint(longitude, latitude), 4326))::geography END",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('english', coalesce(property_sub_type, '') || ' ' || coalesce(property_type, '') || ' ' || coalesce(city, '') || ' ' || coalesce(postal_code, '') || ' ' || coalesce(public_remarks, ''))",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint("quality BETWEEN 0 AND 1", name=op.f("leads_quality_check")),
        sa.ForeignKeyConstraint(["market"], ["markets.market"], name=op.f("leads_market_fkey")),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("leads_pkey")),
    )
    op.create_geospatial_index(
        "leads_location_idx",
        "leads",
        ["location"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_index(
        "leads_market_listed_at_idx",
        "leads",
        ["market", sa.literal_column("listed_at DESC"), "lead_id"],
        unique=False,
    )
    op.create_index("leads_search_idx", "leads", ["search"], unique=False, postgresql_using="gin")
    op.create_table(
        "sessions",
        sa.Column("family_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("sessions_user_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("family_id", name=op.f("sessions_pkey")),
    )
    op.create_index(op.f("sessions_user_id_idx"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "source_records",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("record", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("rejected_because", sa.Text(), nullable=True),
        sa.Column("rejected_detail", sa.Text(), nullable=True),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("source_records_market_fkey")
        ),
        sa.PrimaryKeyConstraint("source", "source_id", name=op.f("source_records_pkey")),
    )
    op.create_index(op.f("source_records_lead_id_idx"), "source_records", ["lead_id"], unique=False)
    op.create_index(op.f("source_records_market_idx"), "source_records", ["market"], unique=False)
    op.create_table(
        "wallets",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("balance >= 0", name=op.f("wallets_balance_check")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("wallets_user_id_fkey")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("wallets_pkey")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("seat", sa.SmallInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("bought_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("orders_price_check")),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.lead_id"], name=op.f("orders_lead_id_fkey")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("orders_user_id_fkey")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("orders_pkey")),
        sa.UniqueConstraint("lead_id", "seat", name=op.f("orders_lead_id_seat_key")),
        sa.UniqueConstraint("lead_id", "user_id", name=op.f("orders_lead_id_user_id_key")),
    )
    op.create_index(
        op.f("orders_user_id_order_id_idx"),
        "orders",
        ["user_id", sa.literal_column("bought_at DESC"), "order_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("orders_user_id_order_id_idx"), table_name="orders")
    op.drop_table("orders")
    op.drop_table("wallets")
    op.drop_index(op.f("source_records_market_idx"), table_name="source_records")
    op.drop_index(op.f("source_records_lead_id_idx"), table_name="source_records")
    op.drop_table("source_records")
    op.drop_index(op.f("sessions_user_id_idx"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("leads_search_idx", table_name="leads", postgresql_using="gin")
    op.drop_index("leads_market_listed_at_idx", table_name="leads")
    op.drop_geospatial_index(
        "leads_location_idx", table_name="leads", postgresql_using="gist", column_name="location"
    )
    op.drop_geospatial_table("leads")
    op.drop_index(op.f("intake_outbox_market_outbox_id_idx"), table_name="intake_outbox")
    op.drop_table("intake_outbox")
    op.drop_index(op.f("entities_lead_id_idx"), table_name="entities")
    op.drop_table("entities")
    op.drop_index(
        "checkouts_unfinished_idx",
        table_name="checkouts",
        postgresql_where=sa.text("answer IS NULL"),
    )
    op.drop_table("checkouts")
    op.drop_table("users")
    op.drop_index(op.f("transfers_debit_account_created_at_idx"), table_name="transfers")
    op.drop_index(op.f("transfers_credit_account_created_at_idx"), table_name="transfers")
    op.drop_table("transfers")
    op.drop_index(
        "seats_user_id_live_idx", table_name="seats", postgresql_where=sa.text("order_id IS NULL")
    )
    op.drop_index(
        "seats_market_live_idx", table_name="seats", postgresql_where=sa.text("order_id IS NULL")
    )
    op.drop_table("seats")
    op.drop_table("price_ticks")
    op.drop_index(op.f("past_holds_market_forget_at_idx"), table_name="past_holds")
    op.drop_table("past_holds")
    op.drop_table("hold_counts")
    op.drop_table("markets")
    op.drop_index(op.f("market_events_lead_id_position_idx"), table_name="market_events")
    op.drop_table("market_events")
    op.drop_index(op.f("lead_trading_market_idx"), table_name="lead_trading")
    op.drop_table("lead_trading")
    op.drop_table("ingest_runs")
    op.drop_index("idempotency_created_at_idx", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_table("contacts")
    op.drop_index("commands_decided_at_idx", table_name="commands", postgresql_using="brin")
    op.drop_table("commands")
