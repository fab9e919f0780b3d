"""evaluations: how versions of a model did on data they were judged by later; counts per day

Features move from minutes to days: they are ten times all else, and nobody looks at a minute's.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_evaluations",
        sa.Column("evaluation_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("evaluation_id", name=op.f("model_evaluations_pkey")),
    )
    op.create_index(
        op.f("model_evaluations_name_version_evaluation_id_idx"),
        "model_evaluations",
        ["name", "version", "evaluation_id"],
    )

    op.create_table(
        "model_days",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("latency", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("scores", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("features", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint(
            "name", "version", "role", "at", "replica", name=op.f("model_days_pkey")
        ),
    )
    op.drop_column("model_watch", "features")


def downgrade() -> None:
    op.add_column(
        "model_watch",
        sa.Column("features", sa.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
    )
    op.alter_column("model_watch", "features", server_default=None)
    op.drop_table("model_days")
    op.drop_table("model_evaluations")
