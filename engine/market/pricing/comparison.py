"""What came of an experiment: revenue per lead of two arms, and how sure the difference is.

The interval is Welch's with the normal quantile (B. L. Welch, Biometrika 34, 1947): means of
unequal variance, of so many leads that Student's quantile differs from the normal one by less
than 5 %.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

# Leads in each arm, below which no interval is given.
LEADS_MIN = 30
_QUANTILE = statistics.NormalDist().inv_cdf(0.975)


class LeadOutcome(NamedTuple):
    """What one lead brought: credits, seats sold of how many, and whether it is still on offer."""

    lead_id: str
    revenue: int
    sold: int
    max_buyers: int
    is_open: bool


class ArmOutcome(NamedTuple):
    """`revenue_per_lead` in credits; `unsold_share` is of leads without any sale; None without
    leads."""

    leads: int
    still_on_offer: int
    revenue_per_lead: float | None
    unsold_share: float | None


class Difference(NamedTuple):
    """Trial less control, credits per lead, with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def outcome_of(leads: Sequence[LeadOutcome]) -> ArmOutcome:
    if not leads:
        return ArmOutcome(0, 0, None, None)
    return ArmOutcome(
        len(leads),
        sum(lead.is_open for lead in leads),
        statistics.fmean(lead.revenue for lead in leads),
        sum(lead.sold == 0 for lead in leads) / len(leads),
    )


def difference_of(
    control: Sequence[LeadOutcome], trial: Sequence[LeadOutcome]
) -> Difference | None:
    """None with fewer than LEADS_MIN leads in an arm."""
    if min(len(control), len(trial)) < LEADS_MIN:
        return None
    mean, variance = 0.0, 0.0
    for sign, leads in ((-1, control), (1, trial)):
        revenues = [float(lead.revenue) for lead in leads]
        mean += sign * statistics.fmean(revenues)
        variance += statistics.variance(revenues) / len(revenues)
    reach = _QUANTILE * math.sqrt(variance)
    return Difference(mean, mean - reach, mean + reach)
