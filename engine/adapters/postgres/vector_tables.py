"""Tables of (to be written)."""

from __future__ import annotations

from engine.adapters.postgres.tables import metadata

__all__ = ["metadata"]
