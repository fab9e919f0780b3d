"""Whom to call, of the contacts that several records name for one lead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.intake.readings import moment_of
from engine.market.answers import Contact


class ContactClaim(msgspec.Struct, frozen=True):
    """The contact that one record names; `trust` and `modified` as in `Claim`."""

    source: str
    source_id: str
    trust: float
    modified: str | None
    contact: Contact


def survive_contact(claims: Sequence[ContactClaim]) -> Contact:
    """The contact that holds, whatever the order of the claims.

    Name, phone and e-mail are one person's and come from one claim: a stated person before
    an invented one, who can be reached before who can't, then trust, then recency. Address
    and point come from the most trusted claim that has them. Raises ValueError without a
    claim.
    """
    if not claims:
        raise ValueError("no contact to choose from")
    person = max(claims, key=_person_rank)
    by_trust = sorted(claims, key=_place_rank, reverse=True)
    located = next((c.contact for c in by_trust if c.contact.latitude is not None), Contact())
    return msgspec.structs.replace(
        person.contact,
        unparsed_address=_first_stated(by_trust, "unparsed_address"),
        latitude=located.latitude,
        longitude=located.longitude,
        source_url=person.contact.source_url or _first_stated(by_trust, "source_url"),
    )


def _first_stated(claims: Sequence[ContactClaim], name: str) -> Any:
    return next((v for each in claims if (v := getattr(each.contact, name)) is not None), None)


def _person_rank(claim: ContactClaim) -> tuple[Any, ...]:
    contact = claim.contact
    reachable = bool(contact.phone) + bool(contact.email)
    anybody = bool(reachable or contact.name)
    return (anybody and not contact.is_invented, reachable, anybody, *_place_rank(claim))


def _place_rank(claim: ContactClaim) -> tuple[Any, ...]:
    moment = moment_of(claim.modified)
    seconds = moment.timestamp() if moment is not None else -1e12
    return (
        claim.trust,
        seconds,
        claim.source,
        claim.source_id,
        msgspec.msgpack.encode(claim.contact),
    )
