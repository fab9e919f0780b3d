"""Tables of the model registry: versions, their roles, and what serving them showed."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from engine.adapters.postgres.tables import metadata

# Written once, when its artefact is in the store; only `retired_at` is set later.
model_versions = Table(
    "model_versions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("url", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("schema", Integer, nullable=False),
    Column("features", ARRAY(Text), nullable=False),
    Column("training_sha256", Text, nullable=False, server_default=""),
    Column("metrics", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("made_by", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("retired_at", DateTime(timezone=True)),
    UniqueConstraint("name", "sha256"),
    CheckConstraint("version > 0", name="version"),
)

# The keys are what promises one live version, one canary and one shadow at most of a model,
# and that none has two roles.
model_roles = Table(
    "model_roles",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("share", Double),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("given_by", Text, nullable=False),
    Column("change_id", BigInteger, nullable=False),
    ForeignKeyConstraint(["name", "version"], ["model_versions.name", "model_versions.version"]),
    UniqueConstraint("name", "version"),
    CheckConstraint("role IN ('live', 'canary', 'shadow')", name="role"),
    CheckConstraint("(role = 'canary') = (share IS NOT NULL)", name="share_of_canary"),
    CheckConstraint("share > 0 AND share <= 0.5", name="share"),
)

model_changes = Table(
    "model_changes",
    metadata,
    Column("change_id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("role", Text),
    Column("from_version", Integer),
    Column("to_version", Integer),
    Column("share", Double),
    Column("changed_by", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint(
        "action IN ('train', 'promote', 'canary', 'shadow', 'rollback', 'retire', 'refused')",
        name="action",
    ),
    Index(None, "name", "change_id"),
)

# What each replica last said of itself; a row that is not renewed is of a replica that ended.
model_replicas = Table(
    "model_replicas",
    metadata,
    Column("name", Text, primary_key=True),
    Column("replica", Text, primary_key=True),
    Column("live", Integer),
    Column("canary", Integer),
    Column("shadow", Integer),
    Column("change_id", BigInteger, nullable=False),
    Column("problem", Text, nullable=False, server_default=""),
    Column("at", DateTime(timezone=True), nullable=False),
)

# Counts per minute, as engine/rollout/watch.py adds them up; kept for two days.
model_watch = Table(
    "model_watch",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("role", Text, primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("replica", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("latency", ARRAY(BigInteger), nullable=False),
    Column("scores", ARRAY(BigInteger), nullable=False),
)

# The same per day (UTC), and the values of the features.
model_days = Table(
    "model_days",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("role", Text, primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("replica", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("latency", ARRAY(BigInteger), nullable=False),
    Column("scores", ARRAY(BigInteger), nullable=False),
    Column("features", ARRAY(BigInteger), nullable=False),
)

# What a shadow would have said, beside what was. Subjects are ids: no text, no contact.
shadow_scores = Table(
    "shadow_scores",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("shadow_id", BigInteger, Identity(), primary_key=True),
    Column("subject", Text, nullable=False),
    Column("score", Double, nullable=False),
    Column("live_version", Integer, nullable=False),
    Column("live_score", Double, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "at"),
)

# Kept as long as the version is; a version is judged by the same data as often as one likes.
model_evaluations = Table(
    "model_evaluations",
    metadata,
    Column("evaluation_id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("metrics", JSONB, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("made_by", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "name", "version", "evaluation_id"),
)

__all__ = ["metadata"]
