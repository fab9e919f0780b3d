"""What a record tells of its advertiser, as the model of advertisers asks for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from engine.intake.prepared import Prepared
from engine.market.listing import Listing
from models_ml.fraud.advertisements import Advertisement
from models_ml.value.comparables import is_lease

# Every market is one of the United States.
COUNTRY = "us"


def advertisements(records: Mapping[str, Sequence[Prepared]]) -> dict[str, Advertisement]:
    """By lead, of the newest of its records just read that tells anything."""
    found = {}
    for lead_id, said in records.items():
        telling = [each for each in said if each.advertiser]
        if telling:
            newest = max(telling, key=lambda each: each.listing.modification_timestamp or "")
            found[lead_id] = _advertisement(newest.listing, newest.advertiser)
    return found


def _advertisement(listing: Listing, told: Mapping[str, str | float]) -> Advertisement:
    rent = listing.list_price if is_lease(listing) else None
    return Advertisement(
        kind=str(told.get("listing_kind", "")),
        place=listing.city or "",
        price=float(rent) if rent else math.nan,
        login_country=str(told.get("session_country", "")),
        country=COUNTRY,
        registration_possible=float(told.get("registration_possible", math.nan)),
        completeness=float(told.get("advertiser_completeness", math.nan)),
        is_managed=float(told.get("advertiser_is_managed", math.nan)),
        has_picture=float(told.get("advertiser_has_picture", math.nan)),
        browser=str(told.get("session_browser", "")),
        system=str(told.get("session_system", "")),
        mail_domain=str(told.get("advertiser_mail_domain", "")),
    )
