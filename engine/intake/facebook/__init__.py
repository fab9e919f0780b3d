"""Facebook Marketplace: result lists and listings, read to records."""

from engine.intake.facebook.document import parse
from engine.intake.facebook.listing import SOURCE

__all__ = ["SOURCE", "parse"]
