"""Whether prices and exposure differ between areas, beyond what the leads themselves explain.

Prices are learnt by area, and areas differ in who lives there: so the outcome is watched. A
price is set against what the lead is worth (its base) and against what is asked for the home;
exposure is how often leads are shown while on offer and how long they take to sell. Every
figure is a ratio to the market's own. The bounds are the four-fifths rule's, 29 CFR
1607.4(D), borrowed from employment as a signal to look closer: it is no finding, and staying
within it is no clearance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Verdict = Literal["thin", "unclear", "within", "beyond"]

RATIO_LEAST: Final = 0.8
RATIO_MOST: Final = 1.25
SAMPLE_LEAST: Final = 30
"""With fewer leads (of time to sale: fewer sales) a figure says too little to be judged."""
_AREAS_LEAST: Final = 3
_Z: Final = 1.96


class Watched(NamedTuple):
    """A market's leads, on offer or sold; parallel arrays, NaN is unknown.

    `area` is where the lead is, "" if unknown; `price` and `base` are credits, `list_price` is
    USD (a month, if `is_lease`), `hours` how long the lead was on offer, until its first sale
    or now. `shown` counts impressions in the `shown_hours` on offer of which they were
    counted; None if impressions are not recorded at all.
    """

    area: Sequence[str]
    price: Floats
    base: Floats
    list_price: Floats
    is_lease: npt.NDArray[np.bool_]
    hours: Floats
    is_sold: npt.NDArray[np.bool_]
    shown: Floats | None = None
    shown_hours: Floats | None = None


class Ratio(NamedTuple):
    """An area's figure over the market's, with a 95 % interval; None where there is none.

    `sample` counts what it rests on. `thin`: too little to judge; `beyond`: outside the bounds,
    and surely not 1; `unclear`: outside the bounds, but it may be chance.
    """

    sample: int
    ratio: float | None
    least: float | None
    most: float | None
    verdict: Verdict


class Area(NamedTuple):
    """`price_to_base` and `price_to_list` compare medians, the latter within sales and within
    leases; `impressions` are per hour on offer, None if not recorded; `time_to_sale` is hours
    on offer per lead sold. `lead_share` is the area's share of the market's leads."""

    area: str
    leads: int
    on_offer: int
    lead_share: float
    price_to_base: Ratio
    price_to_list: Ratio
    impressions: Ratio | None
    time_to_sale: Ratio


class Market(NamedTuple):
    """What the ratios are to: over all leads the median of credits per credit of base, and of
    credits per 1,000 USD asked for (a sale, a lease); over areas the median of impressions per
    hour and of hours on offer per lead sold. None is unknown."""

    price_to_base: float | None
    price_to_list_sale: float | None
    price_to_list_lease: float | None
    impressions_per_hour: float | None
    hours_per_sale: float | None


class Disparity(NamedTuple):
    """`notes` say in words what is beyond the bounds and what is too thin to tell. Areas with
    the most leads come first; `left_out` counts leads without a place and areas past the
    limit."""

    leads: int
    market: Market
    areas: list[Area]
    left_out: int
    notes: list[str]


def disparity(leads: Watched, areas_most: int = 200) -> Disparity:
    """The report on the `areas_most` areas with the most leads."""
    to_base = leads.price / leads.base
    to_list = leads.price / (leads.list_price / 1_000)
    kinds = {kind: _median(to_list[leads.is_lease == kind]) for kind in (False, True)}
    usual = np.array([kinds[bool(kind)] or np.nan for kind in leads.is_lease])
    names, place, counts = np.unique(
        np.asarray(leads.area, dtype=np.str_), return_inverse=True, return_counts=True
    )
    sold = leads.is_sold.astype(np.float64)
    market = Market(
        price_to_base=_median(to_base),
        price_to_list_sale=kinds[False],
        price_to_list_lease=kinds[True],
        impressions_per_hour=_usual_rate(leads.shown, leads.shown_hours, np.ones_like(sold), place),
        hours_per_sale=_usual_rate(leads.hours, sold, sold, place),
    )
    rows = np.split(np.argsort(place, kind="stable"), np.cumsum(counts)[:-1])
    order = sorted(range(len(names)), key=lambda each: (-counts[each], names[each]))
    found = [
        _area(str(names[each]), rows[each], leads, market, to_base, to_list / usual)
        for each in order
        if names[each]
    ][:areas_most]
    listed = sum(area.leads for area in found)
    return Disparity(
        len(leads.area), market, found, len(leads.area) - listed, _notes(found, market)
    )


def _area(
    name: str,
    rows: npt.NDArray[np.intp],
    leads: Watched,
    market: Market,
    to_base: Floats,
    to_list: Floats,
) -> Area:
    impressions = None
    if leads.shown is not None and leads.shown_hours is not None:
        impressions = _shown(
            leads.shown[rows], leads.shown_hours[rows], market.impressions_per_hour
        )
    return Area(
        area=name,
        leads=len(rows),
        on_offer=int((~leads.is_sold[rows]).sum()),
        lead_share=len(rows) / len(leads.area),
        price_to_base=_median_ratio(to_base[rows], market.price_to_base),
        price_to_list=_median_ratio(to_list[rows], 1.0),
        impressions=impressions,
        time_to_sale=_time_to_sale(leads.hours[rows], leads.is_sold[rows], market.hours_per_sale),
    )


def _median_ratio(values: Floats, market: float | None) -> Ratio:
    """The interval is that of order statistics: it holds whatever the distribution."""
    known = np.sort(values[np.isfinite(values)])
    size = len(known)
    if not size or not market:
        return Ratio(size, None, None, None, "thin")
    reach = _Z * np.sqrt(size) / 2
    least = known[max(0, int(np.floor(size / 2 - reach)) - 1)]
    most = known[min(size - 1, int(np.ceil(size / 2 + reach)))]
    return _judged(
        size, float(np.median(known)) / market, float(least) / market, float(most) / market
    )


def _shown(shown: Floats, hours: Floats, market: float | None) -> Ratio:
    """A ratio of sums; its interval by the delta method, over leads, on the log scale."""
    known = np.isfinite(shown) & np.isfinite(hours) & (hours > 0)
    shown, hours = shown[known], hours[known]
    size = len(shown)
    if not size or not market:
        return Ratio(size, None, None, None, "thin")
    rate = float(shown.sum() / hours.sum())
    if not rate:
        return _judged(size, 0.0, 0.0, 3.0 / float(hours.sum()) / market)
    off = shown - rate * hours
    sd = float(np.sqrt((off * off).sum())) / float(shown.sum())
    spread = float(np.exp(_Z * sd))
    return _judged(size, rate / market, rate / market / spread, rate / market * spread)


def _time_to_sale(hours: Floats, is_sold: npt.NDArray[np.bool_], market: float | None) -> Ratio:
    """Hours on offer per sale, so that leads not yet sold count; sales as Poisson."""
    known = np.isfinite(hours)
    sales = int((is_sold & known).sum())
    if not sales or not market:
        return Ratio(sales, None, None, None, "thin")
    ratio = float(hours[known].sum()) / sales / market
    spread = float(np.exp(_Z / np.sqrt(sales)))
    return _judged(sales, ratio, ratio / spread, ratio * spread)


def _judged(sample: int, ratio: float, least: float, most: float) -> Ratio:
    verdict: Verdict = "within"
    if sample < SAMPLE_LEAST:
        verdict = "thin"
    elif not RATIO_LEAST <= ratio <= RATIO_MOST:
        verdict = "unclear" if least <= 1.0 <= most else "beyond"
    return Ratio(sample, ratio, least, most, verdict)


def _median(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _usual_rate(
    counted: Floats | None, per: Floats | None, samples: Floats, place: npt.NDArray[np.intp]
) -> float | None:
    """The middle of the rates of areas with enough `samples`, so that one area far off doesn't
    make the others look off; with fewer than three such areas the rate of all together."""
    if counted is None or per is None:
        return None
    known = np.isfinite(counted) & np.isfinite(per)
    counted, per, place = counted[known], per[known], place[known]
    total = float(per.sum())
    if not total:
        return None
    sums, pers = np.bincount(place, counted), np.bincount(place, per)
    enough = (np.bincount(place, samples[known]) >= SAMPLE_LEAST) & (pers > 0)
    if enough.sum() >= _AREAS_LEAST:
        return float(np.median(sums[enough] / pers[enough]))
    return float(counted.sum()) / total


_MEASURES = {
    "price_to_base": "price against what leads are worth",
    "price_to_list": "price against what is asked for homes",
    "impressions": "impressions per hour on offer",
    "time_to_sale": "time to sale",
}


def _notes(areas: list[Area], market: Market) -> list[str]:
    notes = []
    for name, words in _MEASURES.items():
        ratios: dict[str, Any] = {area.area: getattr(area, name) for area in areas}
        if all(ratio is None for ratio in ratios.values()):
            if areas:
                notes.append(f"{words}: not recorded")
            continue
        for area, ratio in ratios.items():
            if ratio is not None and ratio.verdict == "beyond":
                notes.append(
                    f"{words}: {area} has {ratio.ratio:.2f} times the market's"
                    f" ({ratio.least:.2f} to {ratio.most:.2f}), beyond"
                    f" {RATIO_LEAST} to {RATIO_MOST}"
                )
        judged = [ratio for ratio in ratios.values() if ratio is not None]
        for verdict, said in (
            ("thin", f"rest on fewer than {SAMPLE_LEAST} and say too little"),
            ("unclear", "are outside the bounds, but may be so by chance"),
        ):
            count = sum(ratio.verdict == verdict for ratio in judged)
            if count:
                notes.append(f"{words}: {count} of {len(judged)} areas {said}")
    if market.hours_per_sale is None and areas:
        notes.append("nothing has been sold: time to sale is unknown")
    return notes
