"""Tables of fraud: how each lead was judged, and what reviewers said of leads."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import REAL

from engine.adapters.postgres.tables import metadata

__all__ = ["metadata"]

# One row a lead. `verdict` is what model and rules say, `standing` what holds in the market;
# no probability and no version without a model. Neither text nor contact is in it.
fraud_scores = Table(
    "fraud_scores",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("standing", Text, nullable=False),
    # Quarantined while no model could be asked.
    Column("is_provisional", Boolean, nullable=False, server_default="false"),
    Column("probability", Double),
    Column("model", Text),
    Column("model_version", Integer),
    Column("rules", ARRAY(Text), nullable=False),
    Column("reasons", ARRAY(Text), nullable=False),
    Column("features", ARRAY(REAL)),
    Column("feature_schema", SmallInteger),
    Column("needs_rescoring", Boolean, nullable=False),
    Column("scored_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # A reviewer's word, and the facts it was about; NULL for those it is found with next.
    Column("decision", Text),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("decision_reason", Text),
    Column("decided_facts", LargeBinary),
    CheckConstraint("verdict IN ('clear', 'flagged', 'quarantined')", name="verdict"),
    CheckConstraint("standing IN ('clear', 'flagged', 'quarantined')", name="standing"),
    CheckConstraint("decision IN ('approved', 'rejected', 'held')", name="decision"),
    CheckConstraint(
        "(probability IS NULL) = (model IS NULL) AND (model IS NULL) = (model_version IS NULL)",
        name="model",
    ),
    Index(
        "fraud_scores_waiting_idx",
        "market",
        "lead_id",
        postgresql_where=text("needs_rescoring"),
    ),
    Index(
        "fraud_scores_suspects_idx",
        "market",
        "standing",
        postgresql_where=text("standing <> 'clear'"),
    ),
)

# What reviewers found, with what was known then: a model is trained on it. Kept for good.
fraud_labels = Table(
    "fraud_labels",
    metadata,
    Column("label_id", BigInteger, Identity(), primary_key=True),
    Column("lead_id", Text, nullable=False),
    Column("market", Text, ForeignKey("markets.market"), nullable=False),
    Column("is_scam", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("features", ARRAY(REAL)),
    Column("feature_schema", SmallInteger),
    Column("verdict", Text),
    Column("probability", Double),
    Column("model", Text),
    Column("model_version", Integer),
    Index(None, "lead_id"),
)
