"""registry: model versions, their roles and changes, replicas, counts, scores of shadows

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
ACTIONS = "'train', 'promote', 'canary', 'shadow', 'rollback', 'retire', 'refused'"


def upgrade() -> None:
    op.create_table(
        "model_versions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("schema", sa.Integer(), nullable=False),
        sa.Column("features", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("training_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "metrics",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("made_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.CheckConstraint("version > 0", name=op.f("model_versions_version_check")),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("model_versions_pkey")),
        sa.UniqueConstraint("name", "sha256", name=op.f("model_versions_name_sha256_key")),
    )
    op.create_table(
        "model_roles",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("share", sa.Double(), nullable=True),
        sa.Column("since", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "role IN ('live', 'canary', 'shadow')", name=op.f("model_roles_role_check")
        ),
        sa.CheckConstraint(
            "(role = 'canary') = (share IS NOT NULL)",
            name=op.f("model_roles_share_of_canary_check"),
        ),
        sa.CheckConstraint("share > 0 AND share <= 0.5", name=op.f("model_roles_share_check")),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["model_versions.name", "model_versions.version"],
            name=op.f("model_roles_name_version_fkey"),
        ),
        sa.PrimaryKeyConstraint("name", "role", name=op.f("model_roles_pkey")),
        sa.UniqueConstraint("name", "version", name=op.f("model_roles_name_version_key")),
    )
    op.create_table(
        "model_changes",
        sa.Column("change_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("from_version", sa.Integer(), nullable=True),
        sa.Column("to_version", sa.Integer(), nullable=True),
        sa.Column("share", sa.Double(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(f"action IN ({ACTIONS})", name=op.f("model_changes_action_check")),
        sa.PrimaryKeyConstraint("change_id", name=op.f("model_changes_pkey")),
    )
    op.create_index(
        op.f("model_changes_name_change_id_idx"), "model_changes", ["name", "change_id"]
    )
    op.create_table(
        "model_replicas",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=True),
        sa.Column("canary", sa.Integer(), nullable=True),
        sa.Column("shadow", sa.Integer(), nullable=True),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", "replica", name=op.f("model_replicas_pkey")),
    )
    op.create_table(
        "model_watch",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("latency", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("scores", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("features", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint(
            "name", "version", "role", "at", "replica", name=op.f("model_watch_pkey")
        ),
    )
    op.create_table(
        "shadow_scores",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shadow_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("live_version", sa.Integer(), nullable=False),
        sa.Column("live_score", sa.Double(), nullable=False),
        sa.Column("at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", "shadow_id", name=op.f("shadow_scores_pkey")),
    )
    op.create_index(op.f("shadow_scores_at_idx"), "shadow_scores", ["at"])


def downgrade() -> None:
    for table in (
        "shadow_scores",
        "model_watch",
        "model_replicas",
        "model_changes",
        "model_roles",
        "model_versions",
    ):
        op.drop_table(table)
