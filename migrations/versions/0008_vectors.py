"""vectors: of leads, by version of the embedder; finding what a buyer held and looked at

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Batches from before are few, and forgotten after five weeks.
VIEWERS = """
UPDATE demand_signals d SET viewer_ids = (
    SELECT array_agg(DISTINCT s.user_id) FROM unnest(d.user_ids, d.kinds) s(user_id, kind)
    WHERE s.kind = 1
)
WHERE 1 = ANY(d.kinds)
"""


def upgrade() -> None:
    op.create_table(
        "lead_vectors",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "octet_length(vector) BETWEEN 2 AND 8192", name=op.f("lead_vectors_vector_check")
        ),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["leads.lead_id"],
            name=op.f("lead_vectors_lead_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("lead_id", "version", name=op.f("lead_vectors_pkey")),
    )
    op.create_index(
        "lead_vectors_version_number_idx", "lead_vectors", ["version", "number"], unique=True
    )
    # They do not compress; reading them whole is what they are for.
    op.execute("ALTER TABLE lead_vectors ALTER COLUMN vector SET STORAGE PLAIN")
    op.create_index("past_holds_user_id_idx", "past_holds", ["user_id"])
    op.add_column("demand_signals", sa.Column("viewer_ids", sa.ARRAY(sa.Text()), nullable=True))
    op.execute(VIEWERS)
    op.create_index(
        "demand_signals_viewer_ids_idx", "demand_signals", ["viewer_ids"], postgresql_using="gin"
    )


def downgrade() -> None:
    op.drop_index("demand_signals_viewer_ids_idx", "demand_signals")
    op.drop_column("demand_signals", "viewer_ids")
    op.drop_index("past_holds_user_id_idx", "past_holds")
    op.drop_table("lead_vectors")
