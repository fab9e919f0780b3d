"""Why a standing order bought a lead, or did not: its rules, asked again of what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from engine.market.events import LeadSold
from engine.market.instant import from_datetime
from engine.market.lead_history import Entry, LeadHistory, LeadReplay, Moment, Own, PricePoint
from engine.market.listing import Listing
from engine.market.plan import Plan
from engine.market.rules import SECOND_US
from engine.market.standing_reasons import facts_reason, hours_reason
from engine.market.standing_rules import facts, failures, in_hours, local_time, wanted
from engine.market.standing_terms import StandingTerms

# Who comes late in a large tick has had to wait for at most this long (µs).
SOON_US = 5 * SECOND_US
# Later than anything (µs).
FAR = 2**62


class TermsSince(NamedTuple):
    """What the order asked for from a journal entry on; None once it was cancelled."""

    position: int
    at: int
    terms: StandingTerms | None


class Seen(NamedTuple):
    """The lead at a moment when it was put to the order, and the terms of then.

    `soon` is until when (µs) what happened next may have been decided with it: not longer
    than until `next_at`, its next moment.
    """

    moment: Moment
    terms: StandingTerms
    price: int
    max_buyers: int
    listing: Listing
    listing_position: int
    own: Own
    is_closed: bool
    is_available: bool
    next_at: int
    soon: int
    own_soon: Own
    is_available_soon: bool


class Means(NamedTuple):
    """What the order had bought that day and spent in all, and its buyer's credits."""

    bought_today: int
    spent: int
    balance: int


class Contested(NamedTuple):
    """A contest for the lead, decided at `at` µs: the order's `rank` among the `claims` that
    were recorded, None if it is not among them or won."""

    at: int
    seats: int
    claims: int
    rank: int | None


class Circumstances(NamedTuple):
    """What was recorded around a moment: the means right before it and soon after, whether
    the lead's text was found by the order's `q`, a contest that followed, and whether its
    buyer had bought a lead that was merged into it."""

    before: Means
    soon: Means
    is_said: bool = True
    contest: Contested | None = None
    is_bought_as_another: bool = False


class Fill(NamedTuple):
    """The lead's purchase by the order, journalled as `position`."""

    position: int
    order_id: str


def fill_of(entries: Sequence[Entry], standing_order_id: str) -> Fill | None:
    for entry in entries:
        event = entry.event
        if isinstance(event, LeadSold) and event.standing_order_id == standing_order_id:
            return Fill(entry.position, event.order_id)
    return None


def filling_moment(found: Sequence[Seen], fill: Fill | None) -> Seen | None:
    """The moment at which the order bought the lead, if it did at one of these."""
    before = [seen for seen in found if fill is not None and seen.moment.position < fill.position]
    return before[-1] if before else None


def moments(
    entries: Sequence[Entry],
    points: Sequence[PricePoint],
    terms: Sequence[TermsSince],
    user_id: str,
    most: int,
) -> list[Seen]:
    """The last `most` moments when the lead was put to the live order, in order."""
    replay = LeadReplay(entries, user_id)
    found = []
    for moment in replay.moments(points):
        asked = _terms_at(terms, moment)
        if asked is not None:
            found.append(_seen(moment, asked, replay.history))
    found = found[-most:]
    ends = [*(seen.moment.at for seen in found[1:]), FAR][: len(found)]
    # A second pass, since what happened next is only known once it is past.
    return [
        _with_aftermath(seen, entries, user_id, next_at)
        for seen, next_at in zip(found, ends, strict=True)
    ]


def failed_rules(
    seen: Seen, around: Circumstances, plan: Plan, zone: tzinfo, *, is_filled: bool
) -> dict[str, str]:
    """The rules that failed at the moment, by name in the order they are reported, each with
    what was recorded about it; none of the moment that filled the order."""
    if is_filled:
        return {}
    pays = plan.discounted(seen.price)
    failed = (
        _failed_facts(seen, around.is_said)
        | _failed_schedule(seen, zone)
        | _failed_means(seen.terms, around.before, pays)
        | _failed_state(seen, is_bought_as_another=around.is_bought_as_another)
    )
    return failed or _what_followed(seen, around, pays)


def day_began(at: int, zone: tzinfo) -> int:
    """When the local day of `at` began, both in µs."""
    midnight = local_time(at, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return from_datetime(midnight)


def _terms_at(terms: Sequence[TermsSince], moment: Moment) -> StandingTerms | None:
    known = [each for each in terms if (each.at, each.position) < (moment.at, moment.position)]
    return known[-1].terms if known else None


def _seen(moment: Moment, terms: StandingTerms, history: LeadHistory) -> Seen:
    return Seen(
        moment,
        terms,
        history.price,
        history.max_buyers,
        history.listing,
        history.listing_position,
        history.own,
        history.is_closed,
        history.is_available,
        FAR,
        moment.at,
        history.own,
        history.is_available,
    )


def _with_aftermath(seen: Seen, entries: Sequence[Entry], user_id: str, next_at: int) -> Seen:
    soon = min(seen.moment.at + SOON_US, next_at - 1)
    history = LeadHistory(user_id)
    for entry in entries:
        if entry.at <= soon:
            history.apply(entry)
    return seen._replace(
        next_at=next_at,
        soon=soon,
        own_soon=history.own,
        is_available_soon=history.is_available,
    )


def _failed_facts(seen: Seen, is_said: bool) -> dict[str, str]:
    terms, listing = seen.terms, seen.listing
    rules = [] if is_said else ["filter.q"]
    rules += failures(wanted(terms), facts(listing, seen.price, seen.max_buyers))
    return {rule: facts_reason(rule, terms, listing, seen.price, seen.max_buyers) for rule in rules}


def _failed_schedule(seen: Seen, zone: tzinfo) -> dict[str, str]:
    failed, local = {}, local_time(seen.moment.at, zone)
    if seen.terms.is_paused:
        failed["paused"] = "the order was paused"
    if not in_hours(seen.terms, local):
        failed["hours"] = hours_reason(seen.terms, local)
    return failed


def _failed_means(terms: StandingTerms, means: Means, pays: int) -> dict[str, str]:
    failed = {}
    if terms.per_day is not None and means.bought_today >= terms.per_day:
        failed["per_day"] = (
            f"{means.bought_today} were bought that day; at most {terms.per_day} a day"
        )
    if terms.budget is not None and means.spent + pays > terms.budget:
        failed["budget"] = (
            f"{means.spent} were spent and it cost {pays}; the budget is {terms.budget}"
        )
    if pays > means.balance:
        failed["credits"] = f"it cost {pays}; your balance was {means.balance}"
    return failed


def _failed_state(seen: Seen, *, is_bought_as_another: bool) -> dict[str, str]:
    failed = {}
    if seen.own == "bought":
        failed["already_bought"] = "you had bought it"
    elif is_bought_as_another:
        failed["already_bought"] = "you had bought a lead that turned out to be this one"
    elif seen.own == "held":
        failed["already_held"] = "you held a seat of it, or were offered one"
    if not seen.is_available:
        failed["lead_state"] = "it was off offer" if seen.is_closed else "no seat was free"
    return failed


def _what_followed(seen: Seen, around: Circumstances, pays: int) -> dict[str, str]:
    """No rule failed when it was put to the order, and yet it was not bought: what the others,
    and the order itself elsewhere, did at that moment."""
    if seen.own_soon == "bought":
        return {"already_bought": "you bought it at that moment otherwise"}
    if seen.own_soon == "held":
        return {"already_held": "you took a seat of it at that moment otherwise"}
    contest = around.contest
    if contest is not None:
        place = (
            f"it came behind the best {contest.claims}"
            if contest.rank is None
            else f"it came as number {contest.rank} of {contest.claims}"
        )
        return {"outranked": f"more claimed it than had seats ({contest.seats}); {place}"}
    failed = _failed_means(seen.terms, around.soon, pays)
    if failed:
        return {rule: f"with what came first at that moment, {failed[rule]}" for rule in failed}
    if not seen.is_available_soon:
        return {"outranked": "the last seat went to another at that moment"}
    return {"unknown": "nothing that was recorded explains it, or it is still undecided"}
