"""Prices, areas, rooms and years: what no home has is set aside."""

from __future__ import annotations

from engine.intake.cleaning.notes import doubted, noted, set_fields
from engine.intake.readings import moment_of
from engine.intake.record import SourceRecord

# Whole USD; a lease's are by the month.
LEASE_PRICES = (100, 60_000)
USUAL_RENTS = (500, 8_000)
SALE_PRICES = (5_000, 500_000_000)
LAND_PRICES = (250, 500_000_000)
# Square feet.
HOME_AREAS = (100, 50_000)
MANY_HOMES_AREAS = (100, 5_000_000)
LOT_AREAS = (100, 500_000_000)
ROOMS_MOST = 20
_MANY_HOMES = frozenset({"Multi Family", "Quadruplex", "Triplex", "Duplex", "Apartment"})
_MONTHS_PER_YEAR = 12
_PER_YEAR = {
    **{"Daily": 365, "Weekly": 52, "Bi-Weekly": 26, "BiWeekly": 26, "Monthly": 12},
    **{"Quarterly": 4, "Annually": 1, "Yearly": 1},
}
_UNBUILT_YEARS_MOST = 5
_IMPLAUSIBLE = 0.2


def clean_amounts(record: SourceRecord) -> SourceRecord:
    """Rents by the month; prices, areas, rooms and years that no home has, left out."""
    record = _with_monthly_rent(record)
    record = _within(record, "list_price", _prices(record), "implausible-price")
    record = _within(record, "living_area", _areas(record), "implausible-area")
    record = _within(record, "lot_size_square_feet", LOT_AREAS, "implausible-area")
    if not _has_many_homes(record):
        record = _within(record, "bedrooms_total", (0, ROOMS_MOST), "implausible-rooms")
        record = _within(record, "bathrooms_total_integer", (0, ROOMS_MOST), "implausible-rooms")
    fetched = moment_of(record.fetched_at)
    if fetched is not None:
        latest = fetched.year + _UNBUILT_YEARS_MOST
        record = _within(record, "year_built", (1700, latest), "implausible-year")
    return record


def _with_monthly_rent(record: SourceRecord) -> SourceRecord:
    """Rents by the day, week or year as a month's.

    Advertisers often leave a wrong period beside a month's rent: the one of the two
    readings that is a usual rent holds. If both or neither are, nothing is decided.
    """
    frequency = record.extra.get("lease_amount_frequency")
    per_year = _PER_YEAR.get(frequency) if isinstance(frequency, str) else None
    if record.list_price is None or per_year is None or per_year == _MONTHS_PER_YEAR:
        return record
    monthly = int(record.list_price * per_year / _MONTHS_PER_YEAR + 0.5)
    if _is_usual_rent(monthly) == _is_usual_rent(record.list_price):
        return doubted(record, "rent-period-unsure", 0.3, "list_price")
    if _is_usual_rent(monthly):
        record = noted(record, f"{frequency}-to-monthly".lower(), 0.8, list_price=monthly)
    else:
        record = doubted(record, "rent-period-mistaken", 0.6, "list_price")
    return set_fields(record, {"extra": {**record.extra, "lease_amount_frequency": "Monthly"}})


def _is_usual_rent(price: int) -> bool:
    return USUAL_RENTS[0] <= price <= USUAL_RENTS[1]


def _prices(record: SourceRecord) -> tuple[int, int]:
    match record.property_type:
        case "Residential Lease":
            return LEASE_PRICES
        case "Residential" | "Residential Income":
            return SALE_PRICES
        case "Land":
            return LAND_PRICES
    return LEASE_PRICES[0], SALE_PRICES[1]


def _areas(record: SourceRecord) -> tuple[int, int]:
    return MANY_HOMES_AREAS if _has_many_homes(record) else HOME_AREAS


def _has_many_homes(record: SourceRecord) -> bool:
    """Whether the record may tell of a whole building."""
    if record.property_type == "Residential Lease":
        return False
    return record.property_sub_type in _MANY_HOMES or record.property_type not in {
        "Residential",
        None,
    }


def _within(record: SourceRecord, name: str, bounds: tuple[int, int], rule: str) -> SourceRecord:
    value = getattr(record, name)
    if value is None or bounds[0] <= value <= bounds[1]:
        return record
    return noted(record, rule, _IMPLAUSIBLE, **{name: None})
