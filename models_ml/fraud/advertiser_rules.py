"""Rules that need no model: each has a name and says why it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from models_ml.fraud.advertisements import Advertisement
from models_ml.fraud.advertiser_features import is_free_mail


class Rule(NamedTuple):
    name: str
    because: str
    holds: Callable[[Advertisement], bool]


RULES: Final = (
    Rule("session-elsewhere", "the session comes from another country than the home's",
         lambda ad: bool(ad.login_country and ad.country) and ad.login_country != ad.country),
    Rule("bare-profile", "less than a third of the profile is filled in",
         lambda ad: ad.completeness < 33),
    Rule("no-picture", "the profile has no picture", lambda ad: ad.has_picture == 0),
    Rule("no-browser", "no browser is told", lambda ad: not ad.browser),
    Rule("free-mail", "the mail address is of a free service",
         lambda ad: is_free_mail(ad.mail_domain)),
    Rule("round-rent", "the rent is in whole fifties", lambda ad: ad.price % 50 == 0),
)  # fmt: skip


def holding(ad: Advertisement) -> tuple[Rule, ...]:
    """The rules that hold, in the order of RULES; none for a managed account."""
    return () if ad.is_managed == 1 else tuple(rule for rule in RULES if rule.holds(ad))
