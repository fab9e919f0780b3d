"""the intake

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fetched_pages",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("url_hash", sa.LargeBinary(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=True),
        sa.Column(
            "fetched_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source", "market", "url_hash", name=op.f("fetched_pages_pkey")),
    )
    op.create_table(
        "match_rows",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "market", "source", "source_id", "digest", name=op.f("match_rows_pkey")
        ),
    )
    op.create_table(
        "repairs",
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("content_hash", "model", name=op.f("repairs_pkey")),
    )
    op.create_table(
        "run_errors",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("run_errors_pkey")),
    )
    op.create_table(
        "signals",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("is_sample", sa.Boolean(), server_default="false", nullable=False),
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
        sa.PrimaryKeyConstraint("source", "source_id", name=op.f("signals_pkey")),
    )
    op.create_index(op.f("signals_market_kind_idx"), "signals", ["market", "kind"], unique=False)
    op.create_table(
        "source_state",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "checkpoint",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("paused", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "drift",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("source", "market", name=op.f("source_state_pkey")),
    )
    op.create_table(
        "lead_identities",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("offered", sa.Text(), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=True),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "offered IN ('never', 'listed', 'withdrawn')",
            name=op.f("lead_identities_offered_check"),
        ),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("lead_identities_market_fkey")
        ),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("lead_identities_pkey")),
    )
    op.create_index(op.f("lead_identities_market_idx"), "lead_identities", ["market"], unique=False)
    op.create_index(
        "lead_identities_merged_into_idx",
        "lead_identities",
        ["merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_table(
        "lead_merges",
        sa.Column("merge_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("survivor", sa.Text(), nullable=False),
        sa.Column("merged", sa.Text(), nullable=False),
        sa.Column("records", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("is_link", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "merged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("new_lead_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("lead_merges_market_fkey")
        ),
        sa.PrimaryKeyConstraint("merge_id", name=op.f("lead_merges_pkey")),
    )
    op.create_index(
        "lead_merges_market_merged_at_idx",
        "lead_merges",
        ["market", sa.literal_column("merged_at DESC"), "merge_id"],
        unique=False,
    )
    op.create_index(op.f("lead_merges_merged_idx"), "lead_merges", ["merged"], unique=False)
    op.create_index(op.f("lead_merges_survivor_idx"), "lead_merges", ["survivor"], unique=False)
    op.create_table(
        "leads_apart",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("other_id", sa.Text(), nullable=False),
        sa.CheckConstraint("lead_id < other_id", name=op.f("leads_apart_ordered_check")),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("leads_apart_market_fkey")
        ),
        sa.PrimaryKeyConstraint("market", "lead_id", "other_id", name=op.f("leads_apart_pkey")),
    )
    op.create_table(
        "uploads",
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'approved', 'rejected', 'taken')",
            name=op.f("uploads_state_check"),
        ),
        sa.ForeignKeyConstraint(["market"], ["markets.market"], name=op.f("uploads_market_fkey")),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("uploads_pkey")),
    )
    op.create_index(
        "uploads_created_at_idx",
        "uploads",
        [sa.literal_column("created_at DESC"), "upload_id"],
        unique=False,
    )
    op.create_index(op.f("uploads_user_id_idx"), "uploads", ["user_id"], unique=False)
    op.add_column(
        "contacts",
        sa.Column(
            "claims",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "ingest_runs", sa.Column("pages", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "ingest_runs", sa.Column("records", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "ingest_runs", sa.Column("errors", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "ingest_runs",
        sa.Column(
            "fill",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column("ingest_runs", sa.Column("resumed_from", sa.Text(), nullable=True))
    op.create_index(
        "ingest_runs_source_market_idx",
        "ingest_runs",
        ["source", "market", sa.literal_column("started_at DESC")],
        unique=False,
    )
    op.add_column(
        "source_records",
        sa.Column(
            "notes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "source_records",
        sa.Column(
            "quality",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "source_records", sa.Column("licence", sa.Text(), server_default="public", nullable=False)
    )
    op.add_column(
        "source_records", sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "source_records", sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("source_records", sa.Column("reviewed_by", sa.Text(), nullable=True))
    op.add_column("source_records", sa.Column("review_note", sa.Text(), nullable=True))
    op.drop_index(op.f("source_records_market_idx"), table_name="source_records")
    op.create_index(
        "source_records_rejected_idx",
        "source_records",
        ["market", "source"],
        unique=False,
        postgresql_where=sa.text("rejected_because IS NOT NULL"),
    )
    op.add_column(
        "source_records",
        sa.Column("trust", sa.Double(), server_default="0.5", nullable=False),
    )
    op.add_column("source_records", sa.Column("language", sa.Text(), nullable=True))
    op.add_column(
        "source_records",
        sa.Column("seats", sa.SmallInteger(), server_default="3", nullable=False),
    )
    op.drop_index(op.f("entities_lead_id_idx"), table_name="entities")
    op.drop_table("entities")
    # Two markets may carry the same record: a key without the market let one overwrite it.
    op.drop_constraint("source_records_pkey", "source_records", type_="primary")
    op.create_primary_key(
        "source_records_pkey", "source_records", ["market", "source", "source_id"]
    )
    # Leads of before: known as listed or withdrawn, oldest first. What they are recognised
    # by is learnt when their sources are read next.
    op.execute(
        "INSERT INTO lead_identities (lead_id, market, offered, merged_into)"
        " SELECT lead_id, l.market, CASE WHEN t.lead_state = 'withdrawn' THEN 'withdrawn'"
        " ELSE 'listed' END, l.merged_into"
        " FROM leads l JOIN lead_trading t USING (lead_id) ORDER BY l.listed_at, lead_id"
    )
    # Which record said it is not known: the contact stays until its records are read again.
    op.execute(
        "UPDATE contacts SET claims = jsonb_build_array(jsonb_build_object('source', '',"
        " 'source_id', '', 'trust', 0, 'modified', NULL, 'contact',"
        " jsonb_strip_nulls(to_jsonb(contacts) - 'lead_id' - 'claims')))"
    )


def downgrade() -> None:
    op.drop_constraint("source_records_pkey", "source_records", type_="primary")
    op.create_primary_key("source_records_pkey", "source_records", ["source", "source_id"])
    op.drop_column("source_records", "seats")
    op.drop_column("source_records", "language")
    op.drop_column("source_records", "trust")
    op.create_table(
        "entities",
        sa.Column("market", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("key", postgresql.BYTEA(), autoincrement=False, nullable=False),
        sa.Column("lead_id", sa.TEXT(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["market"], ["markets.market"], name=op.f("entities_market_fkey")),
        sa.PrimaryKeyConstraint("market", "key", name=op.f("entities_pkey")),
    )
    op.create_index(op.f("entities_lead_id_idx"), "entities", ["lead_id"], unique=False)
    op.drop_index(
        "source_records_rejected_idx",
        table_name="source_records",
        postgresql_where=sa.text("rejected_because IS NOT NULL"),
    )
    op.create_index(op.f("source_records_market_idx"), "source_records", ["market"], unique=False)
    op.drop_column("source_records", "review_note")
    op.drop_column("source_records", "reviewed_by")
    op.drop_column("source_records", "reviewed_at")
    op.drop_column("source_records", "fetched_at")
    op.drop_column("source_records", "licence")
    op.drop_column("source_records", "quality")
    op.drop_column("source_records", "notes")
    op.drop_index("ingest_runs_source_market_idx", table_name="ingest_runs")
    op.drop_column("ingest_runs", "resumed_from")
    op.drop_column("ingest_runs", "fill")
    op.drop_column("ingest_runs", "errors")
    op.drop_column("ingest_runs", "records")
    op.drop_column("ingest_runs", "pages")
    op.drop_column("contacts", "claims")
    op.drop_index(op.f("uploads_user_id_idx"), table_name="uploads")
    op.drop_index("uploads_created_at_idx", table_name="uploads")
    op.drop_table("uploads")
    op.drop_table("leads_apart")
    op.drop_index(op.f("lead_merges_survivor_idx"), table_name="lead_merges")
    op.drop_index(op.f("lead_merges_merged_idx"), table_name="lead_merges")
    op.drop_index("lead_merges_market_merged_at_idx", table_name="lead_merges")
    op.drop_table("lead_merges")
    op.drop_index(
        "lead_identities_merged_into_idx",
        table_name="lead_identities",
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.drop_index(op.f("lead_identities_market_idx"), table_name="lead_identities")
    op.drop_table("lead_identities")
    op.drop_table("source_state")
    op.drop_index(op.f("signals_market_kind_idx"), table_name="signals")
    op.drop_table("signals")
    op.drop_table("run_errors")
    op.drop_table("repairs")
    op.drop_table("match_rows")
    op.drop_table("fetched_pages")
