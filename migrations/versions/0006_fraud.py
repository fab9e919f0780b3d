"""fraud: how each lead was judged, what reviewers said, and where match rows are read on from

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A default that is the same for all rows there are: the table is not rewritten.
    op.add_column(
        "match_rows",
        sa.Column(
            "written_in",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
    )
    op.create_index("match_rows_written_in_idx", "match_rows", ["written_in"])
    op.create_table(
        "fraud_scores",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("is_provisional", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("model_version", sa.Integer(), nullable=True),
        sa.Column("rules", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("reasons", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("features", sa.ARRAY(postgresql.REAL()), nullable=True),
        sa.Column("feature_schema", sa.SmallInteger(), nullable=True),
        sa.Column("needs_rescoring", sa.Boolean(), nullable=False),
        sa.Column(
            "scored_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("decided_facts", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "verdict IN ('clear', 'flagged', 'quarantined')",
            name=op.f("fraud_scores_verdict_check"),
        ),
        sa.CheckConstraint(
            "standing IN ('clear', 'flagged', 'quarantined')",
            name=op.f("fraud_scores_standing_check"),
        ),
        sa.CheckConstraint(
            "decision IN ('approved', 'rejected', 'held')",
            name=op.f("fraud_scores_decision_check"),
        ),
        sa.CheckConstraint(
            "(probability IS NULL) = (model IS NULL) AND (model IS NULL) = (model_version IS NULL)",
            name=op.f("fraud_scores_model_check"),
        ),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("fraud_scores_market_fkey")
        ),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("fraud_scores_pkey")),
    )
    op.create_index(
        "fraud_scores_waiting_idx",
        "fraud_scores",
        ["market", "lead_id"],
        postgresql_where=sa.text("needs_rescoring"),
    )
    op.create_index(
        "fraud_scores_suspects_idx",
        "fraud_scores",
        ["market", "standing"],
        postgresql_where=sa.text("standing <> 'clear'"),
    )
    op.create_table(
        "fraud_labels",
        sa.Column("label_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("is_scam", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("features", sa.ARRAY(postgresql.REAL()), nullable=True),
        sa.Column("feature_schema", sa.SmallInteger(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("model_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["market"], ["markets.market"], name=op.f("fraud_labels_market_fkey")
        ),
        sa.PrimaryKeyConstraint("label_id", name=op.f("fraud_labels_pkey")),
    )
    op.create_index("fraud_labels_lead_id_idx", "fraud_labels", ["lead_id"])


def downgrade() -> None:
    op.drop_table("fraud_labels")
    op.drop_table("fraud_scores")
    op.drop_column("match_rows", "written_in")
