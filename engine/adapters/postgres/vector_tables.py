"""Tables of leads' vectors."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
)

from engine.adapters.postgres.tables import metadata

# Vectors of masked public texts, by lead and version of the embedder, as float16. `digest` is
# of the text that was embedded. `number` rises with every write, so that readers can ask for
# what is new. They go when the lead does.
lead_vectors = Table(
    "lead_vectors",
    metadata,
    Column("lead_id", Text, ForeignKey("leads.lead_id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("market", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("number", BigInteger, Identity(), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("octet_length(vector) BETWEEN 2 AND 8192", name="vector"),
    Index("lead_vectors_version_number_idx", "version", "number", unique=True),
)

__all__ = ["lead_vectors", "metadata"]
