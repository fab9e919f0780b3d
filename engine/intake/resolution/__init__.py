"""Which records are one lead: features, blocking, comparison and the resolver over them.

Pure: the desk feeds features, the resolver answers with the rows they match. What counts
as one lead is an offer, that is a home and who offers it, for lease or for sale.
"""

from engine.intake.resolution.features import MatchFeatures, features_of
from engine.intake.resolution.partition import partition
from engine.intake.resolution.resolver import Match, Resolver

__all__ = ["Match", "MatchFeatures", "Resolver", "features_of", "partition"]
