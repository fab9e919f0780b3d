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

from engine.adapters.postgres.search_vector import SEARCH_VECTOR

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
    # Up to where price ticks have been matched with standing orders.
    Column("matched_position", BigInteger, nullable=False, server_default="0"),
    # What the seeds of claim rounds are derived from; never leaves the book.
    Column(
        "secret",
        LargeBinary,
        nullable=False,
        server_default=text("uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())"),
    ),
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
        Computed(SEARCH_VECTOR, persisted=True),
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
    # When claims on it, and standing orders, are to be decided (µs); null once they are.
    Column("decide_at", BigInteger),
    # Contests decided so far: which seed the next one takes.
    Column("rounds", Integer, nullable=False, server_default="0"),
    # What made the price, packed (engine/market/pricing/parts.py); null if nobody knows, as of
    # a price set by hand. And the newest tick with the lead in it.
    Column("price_parts", LargeBinary),
    Column("tick_position", BigInteger),
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
    # Kept for the first in line until `held_until`, not yet a hold of theirs.
    Column("is_offer", Boolean, nullable=False, server_default="false"),
    # Credits paid for holding.
    Column("fee", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("lead_id", "user_id"),
    CheckConstraint("fee >= 0", name="fee"),
    CheckConstraint("seat BETWEEN 1 AND max_buyers", name="seat"),
    CheckConstraint("(order_id IS NULL) = (held_until IS NOT NULL)", name="held_or_sold"),
    Index("seats_user_id_live_idx", "user_id", postgresql_where=text("order_id IS NULL")),
    Index(
        "seats_market_live_idx", "market", "held_until", postgresql_where=text("order_id IS NULL")
    ),
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
    Column("held_value", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("live_holds >= 0", name="live_holds"),
    CheckConstraint("held_value >= 0", name="held_value"),
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
    Index(None, "user_id"),
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
    Column("standing_order_id", Text),
    CheckConstraint("price >= 0", name="price"),
    UniqueConstraint("lead_id", "user_id"),
    UniqueConstraint("lead_id", "seat"),
    Index(None, "user_id", text("bought_at DESC"), "order_id"),
    Index(
        "orders_standing_order_id_idx",
        "standing_order_id",
        "bought_at",
        postgresql_where=text("standing_order_id IS NOT NULL"),
    ),
)

# Who waits for a seat of a lead, in order of `number`, the journal position of joining.
queue_places = Table(
    "queue_places",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("market", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Index(None, "user_id"),
    Index(None, "market"),
)

# Automatic buying. `bought` and `spent` move in the commit of the purchase; instants in µs.
standing_orders = Table(
    "standing_orders",
    metadata,
    Column("standing_order_id", Text, primary_key=True),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False),
    Column("terms", JSONB, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("bought", Integer, nullable=False, server_default="0"),
    Column("spent", BigInteger, nullable=False, server_default="0"),
    Column("placed_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("cancelled_at", BigInteger),
    CheckConstraint("bought >= 0 AND spent >= 0", name="bought"),
    CheckConstraint(
        "terms->>'budget' IS NULL OR spent <= (terms->>'budget')::int8 OR revision > 1",
        name="budget",
    ),
    Index(None, "user_id", text("placed_at DESC"), "standing_order_id"),
    Index(
        "standing_orders_market_live_idx", "market", postgresql_where=text("cancelled_at IS NULL")
    ),
)

# Contests for seats, with what is needed to check them: anyone may.
claim_rounds = Table(
    "claim_rounds",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("market", Text, nullable=False),
    Column("seats", Integer, nullable=False),
    Column("seed", Text, nullable=False),
    Column("next_commitment", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("market", Text, nullable=False),
    Column("claim_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("wins", Integer, nullable=False),
    Column("draw", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("standing_order_id", Text),
    Column("decided_at", BigInteger, nullable=False),
    Index("claims_won_idx", "market", "decided_at", postgresql_where=text("result = 'won'")),
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
    # Of each price what made it, packed; null if nobody knows.
    Column("parts", ARRAY(LargeBinary)),
    # Of each lead the position of the tick before, so that its past is a chain; null in ticks
    # from before they were chained.
    Column("before", ARRAY(BigInteger)),
)

# --- pricing -------------------------------------------------------------------------

# Who saw which lead, as each replica counted it: parallel arrays. `kinds` are 0 for a lead
# among others in a search's answer, 1 for one looked at by itself. `viewer_ids` are those of
# kind 1, each once, so that what one buyer looked at can be found.
demand_signals = Table(
    "demand_signals",
    metadata,
    Column("market", Text, primary_key=True),
    Column("signal_id", BigInteger, Identity(), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column(
        "written_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
    ),
    Column("replica", Text, nullable=False),
    Column("lead_ids", ARRAY(Text), nullable=False),
    Column("user_ids", ARRAY(Text), nullable=False),
    Column("kinds", ARRAY(SmallInteger), nullable=False),
    Column("viewer_ids", ARRAY(Text)),
    Index("demand_signals_viewer_ids_idx", "viewer_ids", postgresql_using="gin"),
)

# What a market's agent knows, and up to where of journal and signals it knows it. A newer
# agent raises the epoch; an older one then writes nothing.
pricing_checkpoints = Table(
    "pricing_checkpoints",
    metadata,
    Column("market", Text, ForeignKey("markets.market"), primary_key=True),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("position", BigInteger, nullable=False, server_default="0"),
    Column("signal_id", BigInteger, nullable=False, server_default="0"),
    Column("state", LargeBinary),
    Column("at", BigInteger, nullable=False, server_default="0"),
    # What operators and buyers may see of it: policy, arms, ticks, estimates.
    Column("summary", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)

# Policies compared on leads: of those listed since `started_at` (µs) a share by hash is
# priced by `trial`, the rest by `control`.
pricing_experiments = Table(
    "pricing_experiments",
    metadata,
    Column("market", Text, ForeignKey("markets.market"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("control", Text, nullable=False),
    Column("trial", Text, nullable=False),
    Column("share", Double, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    CheckConstraint("share > 0 AND share < 1", name="share"),
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
    # What each record says: what the columns above survive from.
    Column("claims", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
)

# What each source said last, without contact data and with masked text.
source_records = Table(
    "source_records",
    metadata,
    Column("market", Text, ForeignKey("markets.market"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("lead_id", Text),
    Column("content_hash", Text, nullable=False),
    Column("record", JSONB),
    # Field to [rule, confidence] where a field is not simply as stated; parts of the quality.
    Column("notes", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("quality", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("trust", Double, nullable=False, server_default="0.5"),
    Column("seats", SmallInteger, nullable=False, server_default="3"),
    Column("language", Text),
    Column("licence", Text, nullable=False, server_default="public"),
    Column("fetched_at", DateTime(timezone=True)),
    Column("rejected_because", Text),
    Column("rejected_detail", Text),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("reviewed_by", Text),
    Column("review_note", Text),
    Column("first_seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "lead_id"),
    Index(
        "source_records_rejected_idx",
        "market",
        "source",
        postgresql_where=text("rejected_because IS NOT NULL"),
    ),
)

# By what a record is recognised, one row for each thing it ever said of its home: hashes
# of address, phone and text, and the place to about 10 m. Erased with the lead.
match_rows = Table(
    "match_rows",
    metadata,
    Column("market", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("features", LargeBinary, nullable=False),
    # The transaction that wrote it: whoever reads on misses none that commits late.
    Column(
        "written_in",
        BigInteger,
        nullable=False,
        server_default=text("(pg_current_xact_id()::text)::bigint"),
    ),
    Index(None, "written_in"),
)

# What the intake knows of each lead: whether it had the book offer it, and where it went.
lead_identities = Table(
    "lead_identities",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("number", BigInteger, Identity(), nullable=False),
    Column("offered", Text, nullable=False),
    # Hash of the listing that the book was told last.
    Column("told", LargeBinary),
    Column("merged_into", Text),
    CheckConstraint("offered IN ('never', 'listed', 'withdrawn')", name="offered"),
    Index(None, "market"),
    Index(
        "lead_identities_merged_into_idx",
        "merged_into",
        postgresql_where=text("merged_into IS NOT NULL"),
    ),
)

# Two leads found to be one: who stayed, who went, and the records that went along.
lead_merges = Table(
    "lead_merges",
    metadata,
    Column("merge_id", Text, primary_key=True),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("survivor", Text, nullable=False),
    Column("merged", Text, nullable=False),
    # The records that went along; NULL until the book has answered.
    Column("records", JSONB),
    Column("probability", Double, nullable=False),
    Column("is_link", Boolean, nullable=False, server_default="false"),
    Column("merged_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("undone_at", DateTime(timezone=True)),
    Column("undone_by", Text),
    Column("new_lead_id", Text),
    Index("lead_merges_market_merged_at_idx", "market", text("merged_at DESC"), "merge_id"),
    Index(None, "survivor"),
    Index(None, "merged"),
)

# Leads that are never joined again: a merge undone, or both sold.
leads_apart = Table(
    "leads_apart",
    metadata,
    Column("market", Text, ForeignKey("markets.market"), primary_key=True),
    Column("lead_id", Text, primary_key=True),
    Column("other_id", Text, primary_key=True),
    CheckConstraint("lead_id < other_id", name="ordered"),
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

# What a professional network tells of a market without being a lead.
signals = Table(
    "signals",
    metadata,
    Column("source", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("market", Text),
    Column("facts", JSONB, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("is_sample", Boolean, nullable=False, server_default="false"),
    Column("first_seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "market", "kind"),
)

# --- runs of sources ---------------------------------------------------------------

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
    Column("pages", BigInteger, nullable=False, server_default="0"),
    Column("records", BigInteger, nullable=False, server_default="0"),
    Column("errors", BigInteger, nullable=False, server_default="0"),
    # Field to the share of records that have it: what drift is measured by.
    Column("fill", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("resumed_from", Text),
    Index("ingest_runs_source_market_idx", "source", "market", text("started_at DESC")),
)

run_errors = Table(
    "run_errors",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("url", Text),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# One row per source and market: who runs it now, where it goes on, when it is due.
source_state = Table(
    "source_state",
    metadata,
    Column("source", Text, primary_key=True),
    Column("market", Text, primary_key=True),
    Column("lease_owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("next_run_at", DateTime(timezone=True)),
    Column("checkpoint", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("paused", Boolean, nullable=False, server_default="false"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("drift", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)

# What was fetched last, so that the next run asks only for what changed.
fetched_pages = Table(
    "fetched_pages",
    metadata,
    Column("source", Text, primary_key=True),
    Column("market", Text, primary_key=True),
    Column("url_hash", LargeBinary, primary_key=True),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("content_hash", Text),
    Column("fetched_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("run_id", Text),
)

# Answers of the model that repairs records, by what it was asked: asked once.
repairs = Table(
    "repairs",
    metadata,
    Column("content_hash", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("answer", JSONB, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# Files that buyers and partners hand in: listed once an admin has approved them.
uploads = Table(
    "uploads",
    metadata,
    Column("upload_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("filename", Text),
    Column("media_type", Text, nullable=False),
    Column("mapping", Text),
    Column("content", LargeBinary),
    Column("state", Text, nullable=False),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    _created(),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text),
    Column("note", Text),
    Column("run_id", Text),
    CheckConstraint("state IN ('waiting', 'approved', 'rejected', 'taken')", name="state"),
    Index("uploads_created_at_idx", text("created_at DESC"), "upload_id"),
    Index(None, "user_id"),
)

# --- carts and notifications ---------------------------------------------------------

# Among how many shards the carts are spread: one row, written by whoever launches them.
cart_shards = Table(
    "cart_shards",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default="true"),
    Column("shards", Integer, nullable=False),
    CheckConstraint("is_only", name="is_only"),
    CheckConstraint("shards >= 1", name="shards"),
)

# Which channels tell a buyer what; kinds that `channels` leaves out are told as by default.
# Quiet hours are minutes of the day in the buyer's time zone.
notification_settings = Table(
    "notification_settings",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True),
    Column("channels", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("quiet_start", SmallInteger),
    Column("quiet_end", SmallInteger),
    Column("time_zone", Text),
    CheckConstraint(
        "num_nulls(quiet_start, quiet_end, time_zone) IN (0, 3) AND quiet_start <> quiet_end"
        " AND quiet_start BETWEEN 0 AND 1439 AND quiet_end BETWEEN 0 AND 1439",
        name="quiet_hours",
    ),
)

# What buyers were told, once by (user_id, key), and the outbox of e-mails. A row with neither
# channel only keeps its key. `true_until` (µs) is the deadline of a hold or offer: the mail
# is dropped when it is over. `mail_due_at` of a mail being sent is the end of its lease.
notifications = Table(
    "notifications",
    metadata,
    Column("notification_id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("true_until", BigInteger),
    Column("in_app", Boolean, nullable=False),
    Column("read_at", DateTime(timezone=True)),
    Column("mail_state", Text, nullable=False, server_default="none"),
    Column("mail_due_at", DateTime(timezone=True)),
    Column("mail_tries", SmallInteger, nullable=False, server_default="0"),
    Column("mail_error", Text),
    _created(),
    UniqueConstraint("user_id", "key"),
    CheckConstraint(
        "mail_state IN ('none', 'waiting', 'sent', 'failed', 'dropped')", name="mail_state"
    ),
    CheckConstraint("mail_state <> 'waiting' OR mail_due_at IS NOT NULL", name="mail_due_at"),
    Index(None, "user_id", "created_at", "notification_id"),
    Index("notifications_mail_idx", "mail_due_at", postgresql_where=text("mail_state = 'waiting'")),
    Index("notifications_created_at_idx", "created_at", postgresql_using="brin"),
)
