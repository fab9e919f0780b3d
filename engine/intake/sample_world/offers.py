"""Where the sample world's homes are offered, and under which ids."""

from __future__ import annotations

import random

from engine.intake.sample_world.home import Sighting

POST_ID_BASE = 7_000_000_000
COPIES_MAX = 10
_FACEBOOK_ID_BASE = 1_000_000_000_000_000
_ID_BASES = {
    "zillow": 900_000_000,
    "redfin": 300_000_000,
    "realtor": 5_000_000_000,
    "mls": 400_000_000,
    "fsbo": 600_000_000,
}
_REPOST_SHARE = 0.15
_SCAM_IS_SOCIAL_SHARE = 0.3
# The market's own source, which is named like the market.
_LOCAL = "local"
_SHARES_RENT = {"craigslist": 0.42, "facebook": 0.17, "zillow": 0.28, "redfin": 0.23,
                "realtor": 0.1, "mls": 0.1, _LOCAL: 0.12}  # fmt: skip
_SHARES_SALE = {"craigslist": 0.1, "facebook": 0.05, "zillow": 0.42, "redfin": 0.32,
                "realtor": 0.2, "mls": 0.3, _LOCAL: 0.1}  # fmt: skip
_SHARES_OWNER = {"craigslist": 0.45, "facebook": 0.25, "zillow": 0.2, "fsbo": 0.5,
                 _LOCAL: 0.1}  # fmt: skip


def sightings_of(
    index: int, market: str, rng: random.Random, *, for_rent: bool, by_owner: bool
) -> tuple[Sighting, ...]:
    """Where the home is offered: 1.7 places on average, one at least."""
    shares = _SHARES_RENT if for_rent else _SHARES_OWNER if by_owner else _SHARES_SALE
    found = []
    for source, share in shares.items():
        if rng.random() < share:
            found += _sightings_at(source, index, market, rng, for_rent=for_rent)
    if not found:
        source = rng.choices(list(shares), list(shares.values()))[0]
        found += _sightings_at(source, index, market, rng, for_rent=for_rent)
    return tuple(found)


def plan_posts(
    sightings: tuple[Sighting, ...], index: int, rng: random.Random
) -> tuple[Sighting, ...]:
    """Two to five posts if there is one: an office posts a plan every few days, and only
    there. Without a post the sightings as they are."""
    if all(each.source != "craigslist" for each in sightings):
        return sightings
    return tuple(Sighting("craigslist", _post_id(index, n)) for n in range(rng.randrange(2, 6)))


def posts_of_a_scam(index: int, rng: random.Random) -> tuple[Sighting, ...]:
    """Up to three posts, sometimes an offer on the social market too."""
    posts = [Sighting("craigslist", _post_id(index, n)) for n in range(rng.randrange(1, 4))]
    if rng.random() < _SCAM_IS_SOCIAL_SHARE:
        posts.append(Sighting("facebook", str(_FACEBOOK_ID_BASE + index * COPIES_MAX)))
    return tuple(posts)


def _sightings_at(
    source: str, index: int, market: str, rng: random.Random, *, for_rent: bool
) -> list[Sighting]:
    """Classifieds are posted again under new ids; a portal knows a home by one."""
    if source == _LOCAL:
        return [Sighting(market, f"local-{index}")]
    if source not in _ID_BASES:
        copies = 1 + (rng.random() < _REPOST_SHARE)
        base = POST_ID_BASE if source == "craigslist" else _FACEBOOK_ID_BASE
        return [Sighting(source, str(base + index * COPIES_MAX + copy)) for copy in range(copies)]
    if source == "redfin" and for_rent:
        return [Sighting(source, f"redfin-5{index:012d}")]
    return [Sighting(source, str(_ID_BASES[source] + index))]


def _post_id(index: int, copy: int) -> str:
    return str(POST_ID_BASE + index * COPIES_MAX + copy)
