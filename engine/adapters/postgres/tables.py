"""The tables, in SQLAlchemy Core: what Alembic compares the migrations against.

Runtime access is asyncpg; nothing executes through these objects. What must always
hold is a constraint here, so that a bug in the engine fails a commit instead of
selling a seat twice.
"""

from __future__ import annotations

from datetime import datetime

from geoalchemy2 import Geography
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, JSON, JSONB, TSVECTOR

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def _created() -> Column[datetime]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


# --- who ---------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("email", CITEXT, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("full_name", Text, nullable=False),
    Column("phone", Text),
    Column("preferred_market", Text),
    Column("plan", Text, nullable=False, server_default="basic"),
    Column("role", Text, nullable=False, server_default="buyer"),
    Column("status", Text, nullable=False, server_default="active"),
    _created(),
    CheckConstraint("role IN ('buyer', 'admin')", name="role"),
    CheckConstraint("status IN ('active', 'suspended')", name="status"),
)

# One row per sign-in: a family of refresh tokens. Only the newest token's hash is
# stored, so one conditional UPDATE decides a rotation and an older token is a reuse.
sessions = Table(
    "sessions",
    metadata,
    Column("family_id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    _created(),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_because", Text),
    Index(None, "user_id"),
)

# --- money -------------------------------------------------------------------------

# The balance of a buyer. House accounts have no row: theirs would be the hottest one.
wallets = Table(
    "wallets",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id"), primary_key=True),
    Column("balance", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("balance >= 0", name="balance"),
    postgresql_with={"fillfactor": "70"},
)

# Every movement names both accounts, so the ledger sums to zero by construction.
# Accounts are `user:<user_id>` or `house:<purpose>`.
transfers = Table(
    "transfers",
    metadata,
    Column("transfer_id", Text, primary_key=True),
    Column("debit_account", Text, nullable=False),
    Column("credit_account", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reference", Text),
    _created(),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("debit_account <> credit_account", name="accounts"),
    Index(None, "debit_account", "created_at"),
    Index(None, "credit_account", "created_at"),
)

# --- the market --------------------------------------------------------------------

markets = Table(
    "markets",
    metadata,
    Column("market", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    # Raised by every starting book; a flush under an older epoch touches no row.
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("position", BigInteger, nullable=False, server_default="0"),
    Column("feed_seq", BigInteger, nullable=False, server_default="0"),
    Column("journal_at", BigInteger, nullable=False, server_default="0"),
    postgresql_with={"fillfactor": "50"},
)

# The journal. `event` is what the state is folded from; `public` is what the feed
# sends, kept as text so that a replay repeats it to the byte.
market_events = Table(
    "market_events",
    metadata,
    Column("market", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("feed_seq", BigInteger),
    Column("at", BigInteger, nullable=False),
    Column("lead_id", Text, nullable=False),
    Column("event", JSONB, nullable=False),
    Column("public", JSON),
    UniqueConstraint("market", "feed_seq"),
    Index(None, "lead_id", "position"),
)

# What is publicly known of a lead. Contact data is in `contacts`, what trading
# changes in `lead_trading`: rows here, and their indexes, change only with the listing.
leads = Table(
    "leads",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("listed_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("quality", Double, nullable=False),
    Column("fraud_flag", Boolean, nullable=False, server_default="false"),
    Column("sources", ARRAY(Text), nullable=False),
    Column("is_sample", Boolean, nullable=False, server_default="false"),
    Column("list_price", BigInteger),
    Column("standard_status", Text),
    Column("property_type", Text),
    Column("property_sub_type", Text),
    Column("bedrooms_total", Integer),
    Column("bathrooms_total_integer", Integer),
    Column("living_area", Integer),
    Column("lot_size_square_feet", BigInteger),
    Column("year_built", Integer),
    Column("city", Text),
    Column("state_or_province", Text),
    Column("postal_code", Text),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("public_remarks", Text),
    Column("originating_system_name", Text),
    Column("modification_timestamp", Text),
    Column("merged_into", Text),
    Column(
        "location",
        Geography("POINT", srid=4326, spatial_index=False),
        Computed(
            "CASE WHEN latitude IS NULL OR longitude IS NULL THEN NULL ELSE"
            " (ST_SetSRID(ST_MakePoint(longitude, latitude), 4326))::geography END",
            persisted=True,
        ),
    ),
    Column(
        "search",
        TSVECTOR,
        Computed(
            "to_tsvector('english', coalesce(property_sub_type, '') || ' ' ||"
            " coalesce(property_type, '') || ' ' || coalesce(city, '') || ' ' ||"
            " coalesce(postal_code, '') || ' ' || coalesce(public_remarks, ''))",
            persisted=True,
        ),
    ),
    CheckConstraint("quality BETWEEN 0 AND 1", name="quality"),
    Index("leads_location_idx", "location", postgresql_using="gist"),
    Index("leads_search_idx", "search", postgresql_using="gin"),
    Index("leads_market_listed_at_idx", "market", text("listed_at DESC"), "lead_id"),
)

# Price and availability, apart: they change with every trade, and no index covers
# what changes, so an update stays on its page.
lead_trading = Table(
    "lead_trading",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("market", Text, nullable=False),
    Column("lead_state", Text, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("max_buyers", Integer, nullable=False),
    Column("sold", Integer, nullable=False, server_default="0"),
    Column("held", Integer, nullable=False, server_default="0"),
    CheckConstraint("price >= 1", name="price"),
    CheckConstraint(
        "sold >= 0 AND held >= 0 AND max_buyers >= 1 AND sold + held <= max_buyers", name="seats"
    ),
    CheckConstraint(
        "lead_state IN ('available', 'held', 'sold', 'withdrawn', 'quarantined')",
        name="lead_state",
    ),
    Index(None, "market"),
    postgresql_with={"fillfactor": "70"},
)

# One row per taken seat, a live hold or a sale: the primary key is "one live hold or
# order per seat", the unique pair is "one seat per buyer per lead".
seats = Table(
    "seats",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("seat", SmallInteger, primary_key=True),
    Column("market", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("max_buyers", Integer, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("hold", Text),
    Column("first_held_at", BigInteger),
    Column("held_at", BigInteger),
    Column("held_until", BigInteger),
    Column("forget_after", BigInteger),
    Column("order_id", Text),
    UniqueConstraint("lead_id", "user_id"),
    CheckConstraint("seat BETWEEN 1 AND max_buyers", name="seat"),
    CheckConstraint("(order_id IS NULL) = (held_until IS NOT NULL)", name="held_or_sold"),
    Index("seats_user_id_live_idx", "user_id", postgresql_where=text("order_id IS NULL")),
    Index("seats_market_live_idx", "market", postgresql_where=text("order_id IS NULL")),
    postgresql_with={"fillfactor": "70"},
)

# How many leads a buyer holds in each market. Written by the market's book alone, so no
# two books meet in a row; summed under the wallet's lock for the plan's limit.
hold_counts = Table(
    "hold_counts",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("market", Text, primary_key=True),
    Column("live_holds", Integer, nullable=False),
    CheckConstraint("live_holds >= 0", name="live_holds"),
    postgresql_with={"fillfactor": "70"},
)

# A hold that ended without a purchase: remembered so that holding again does not
# start the clock anew. Live while `forget_at` (µs) lies ahead.
past_holds = Table(
    "past_holds",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("market", Text, nullable=False),
    Column("first_held_at", BigInteger, nullable=False),
    Column("ended_because", Text, nullable=False),
    Column("forget_at", BigInteger, nullable=False),
    Index(None, "market", "forget_at"),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("market", Text, nullable=False),
    Column("lead_id", Text, ForeignKey("leads.lead_id"), nullable=False),
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False),
    Column("seat", SmallInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("bought_at", BigInteger, nullable=False),
    CheckConstraint("price >= 0", name="price"),
    UniqueConstraint("lead_id", "user_id"),
    UniqueConstraint("lead_id", "seat"),
    Index(None, "user_id", text("bought_at DESC"), "order_id"),
)

# Every decided command of a book, with its answer: a repeat is answered from here.
# `request_hash` tells a repeat from another body under the same Idempotency-Key.
commands = Table(
    "commands",
    metadata,
    Column("command_id", LargeBinary, primary_key=True),
    Column("market", Text, nullable=False),
    Column("request_hash", LargeBinary),
    Column("answer", LargeBinary, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Index("commands_decided_at_idx", "decided_at", postgresql_using="brin"),
)

# A checkout's list, committed before the first purchase: what is unfinished is
# finished forward from here.
checkouts = Table(
    "checkouts",
    metadata,
    Column("checkout_id", LargeBinary, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("lead_ids", ARRAY(Text), nullable=False),
    Column("answer", JSONB),
    _created(),
    Index("checkouts_unfinished_idx", "created_at", postgresql_where=text("answer IS NULL")),
)

# Answers of keyed writes that no book decides (grants, profile, registration).
idempotency = Table(
    "idempotency",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("answer", JSONB),
    _created(),
    Index("idempotency_created_at_idx", "created_at"),
)

# One row per tick of a market's prices: parallel arrays.
price_ticks = Table(
    "price_ticks",
    metadata,
    Column("market", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lead_ids", ARRAY(Text), nullable=False),
    Column("prices", ARRAY(BigInteger), nullable=False),
)

# --- intake ------------------------------------------------------------------------

# Who to call and where it stands. Read by lead, for the buyer who owns an order.
contacts = Table(
    "contacts",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("name", Text),
    Column("phone", Text),
    Column("email", Text),
    Column("unparsed_address", Text),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("source_url", Text),
    Column("is_invented", Boolean, nullable=False, server_default="false"),
)

# What each source said last, without contact data and with masked text.
source_records = Table(
    "source_records",
    metadata,
    Column("source", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("lead_id", Text),
    Column("content_hash", Text, nullable=False),
    Column("record", JSONB),
    Column("rejected_because", Text),
    Column("rejected_detail", Text),
    Column("first_seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "lead_id"),
    Index(None, "market"),
)

# Which lead a record belongs to: `key` is a hash of a source id or of a normalised
# address with unit, so the table names no home.
entities = Table(
    "entities",
    metadata,
    Column("market", Text, ForeignKey("markets.market"), primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("lead_id", Text, nullable=False),
    Index(None, "lead_id"),
)

# Commands of the intake that the book has not answered yet. Public facts only.
intake_outbox = Table(
    "intake_outbox",
    metadata,
    Column("outbox_id", BigInteger, Identity(), primary_key=True),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("command", LargeBinary, nullable=False),
    _created(),
    Index(None, "market", "outbox_id"),
)

# Runs of sources, for the operator.
ingest_runs = Table(
    "ingest_runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("market", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("error", Text),
)
