"""What filters, prices, rankings and models may look at, and by which rule they may not.

A definition is compiled against an allow-list: names that are not on it are refused, known or
unknown. The rules below never let anything through; they say why a name is refused and what
to use instead. The sources of the rules are in docs/fair_housing.md.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

Use = Literal[
    "filter", "facet", "ranking", "price", "model", "fraud", "embedding", "recommendation"
]
Operator = Literal[
    "any-of", "none-of", "at-least", "at-most", "within", "words", "count", "order", "input"
]


class Criterion(NamedTuple):
    """One thing looked at: for what, under which name, and how."""

    use: Use
    name: str
    operator: Operator


class Rule(NamedTuple):
    """A reason to refuse. `words` are words of a name, or two of them joined by `_`."""

    name: str
    because: str
    instead: str
    words: frozenset[str]


class Refusal(NamedTuple):
    """`rule` is the name of the rule; `message` says what is refused, why, and what to do."""

    rule: str
    message: str


class NotAllowed(ValueError):
    """A definition looks at what it may not."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def _rule(name: str, because: str, instead: str, words: str) -> Rule:
    return Rule(name, because, instead, frozenset(words.split()))


_HOME = "look at the home instead: its kind, size, age of construction and price"
_CIRCLE = "name a place by near with radius_m, or by bbox"
EXCLUSION = "exclusion"
UNLISTED = "unlisted"

# In the order in which they are tried. The first seven are those of the Fair Housing Act.
RULES: tuple[Rule, ...] = (
    _rule(
        "race-or-colour", "race and colour are protected", _HOME,
        "race races racial racially ethnic ethnicity ethnicities color colour skin black blacks"
        " white whites caucasian caucasians african asian asians hispanic hispanics latino"
        " latinos latina latinas latinx minority minorities",
    ),
    _rule(
        "religion", "religion is protected", _HOME,
        "religion religions religious faith faiths creed church churches christian christians"
        " catholic catholics protestant muslim muslims islamic jewish jews hindu hindus buddhist"
        " mosque mosques synagogue synagogues temple parish congregation",
    ),
    _rule(
        "sex", "sex, with gender and orientation, is protected", _HOME,
        "sex sexes gender genders male males female females man men woman women bachelor"
        " bachelors sexual orientation transgender lgbt lgbtq gay lesbian",
    ),
    _rule(
        "familial-status", "having children is protected", _HOME,
        "familial family families child children childless kid kids toddler toddlers pregnant"
        " pregnancy parent parents household households occupants",
    ),
    _rule(
        "national-origin", "national origin and ancestry are protected", _HOME,
        "national nationality nationalities origin origins ancestry immigrant immigrants"
        " immigration citizen citizens citizenship birthplace foreign foreigner foreigners mexican"
        " mexicans chinese indian indians",
    ),
    _rule(
        "disability", "disability is protected", _HOME,
        "disability disabilities disabled handicap handicapped impaired impairment medical"
        " health diagnosis wheelchair",
    ),
    _rule(
        "age", "people's age is protected in credit and by local law", _HOME,
        "age ages aged elderly senior seniors retiree retirees birth birthday birthdate"
        " birth_date millennial millennials generation",
    ),
    _rule(
        "marital-status", "marital status is protected in credit and by local law", _HOME,
        "marital married unmarried divorced divorcee divorcees widow widowed widows spouse"
        " single_people couples",
    ),
    _rule(
        "source-of-income", "income from assistance is protected in credit and by local law",
        "look at list_price instead",
        "income incomes wage wages salary salaries voucher vouchers welfare benefits assistance"
        " section8 section_8 poverty credit_score employment occupation",
    ),
    _rule(
        "language", "language stands for national origin", _HOME,
        "language languages lang english spanish bilingual accent translation",
    ),
    _rule(
        "schools", "who attends a school stands for race, origin and income",
        "look at the home instead; the distance to a place can be asked by near",
        "school schools schooling isd student students pupil pupils district_rating",
    ),
    _rule(
        "census", "shares of a tract's people stand for race, origin and family", _HOME,
        "census tract tracts acs demographic demographics population percent_of share_of pct"
        " block_group segregation diversity",
    ),
    _rule(
        "crime", "crime scores follow policing, which stands for race and origin", _HOME,
        "crime crimes criminal safety safe unsafe police policing arrest arrests offender"
        " offenders gang gangs",
    ),
    _rule(
        "place-lists", "lists of ZIP codes, cities or neighbourhoods stand for who lives there",
        _CIRCLE,
        "zip zips zipcode zipcodes postal postcode postcodes postal_code city cities"
        " neighborhood neighborhoods neighbourhood neighbourhoods county counties subdivision"
        " subdivisions suburb suburbs ward wards redline area_id area_ids",
    ),
    _rule(
        "person", "a price or a choice by person is none for all, and names stand for origin",
        "what is known of the lead is the same for everyone: use that",
        "name names surname surnames firstname lastname first_name last_name buyer buyers user"
        " users user_id account accounts account_id person persons owner owners seller sellers"
        " tenant tenants resident residents email emails phone phones contact ip device browser",
    ),
)  # fmt: skip

_BOUNDS: frozenset[Operator] = frozenset({"at-least", "at-most"})
_INPUT: frozenset[Operator] = frozenset({"input"})


def _each(operators: frozenset[Operator], names: str) -> dict[str, frozenset[Operator]]:
    return dict.fromkeys(names.split(), operators)


ALLOWED: Mapping[Use, Mapping[str, frozenset[Operator]]] = {
    "filter": {
        **_each(
            _BOUNDS,
            "list_price living_area lot_size_square_feet year_built bedrooms_total price",
        ),
        **_each(
            frozenset({"any-of"}), "market property_type source lead_state lead_ids seats"
        ),
        **_each(frozenset({"within"}), "near radius_m bbox"),
        **_each(frozenset({"words"}), "q"),
    },
    # Counts that are shown beside the answers of a search.
    "facet": _each(frozenset({"count"}), "property_type lead_state source city bedrooms_total"),
    "ranking": _each(frozenset({"order"}), "relevance newest price distance quality"),
    # What a pricing policy sees of a lead (LeadView), learns from (Trials), and what tells its
    # segments apart. A cell is a hexagon of the map, and how prices come out by area is watched
    # (engine/market/pricing/disparity.py).
    "price": _each(
        _INPUT,
        "base segment age seats_left max_buyers x weight bought at cell kind band",
    ),
    # What the base value is computed from: models_ml/value/features.py.
    "model": _each(
        _INPUT,
        "completeness freshness contactability motivation agreement max_buyers is_lease"
        " is_attached is_units_or_land list_price_log price_to_comparables comparables_log",
    ),
    # What tells whether an advertiser is a scammer: models_ml/fraud/advertiser_features.py. It
    # decides who is looked at before an advertisement is believed, for every reader alike; it
    # is no input of a price, a search or an order.
    "fraud": _each(
        _INPUT,
        "price_log price_to_usual price_round_50 price_round_100 completeness completeness_round"
        " has_picture is_managed registration_possible login_elsewhere program_unknown is_mobile"
        " mail_free rate_place rate_login rate_country rate_route rate_mail rate_program rate_kind"
        " seen_place seen_login seen_country seen_route seen_mail seen_program seen_kind"
        " odd_place_country odd_place_login odd_country_login odd_login_mail odd_country_mail"
        " odd_country_ending odd_mail_browser odd_login_browser odd_kind_band odd_place_band"
        " odd_browser_system odd_picture_completeness"
        # And whether a listing is a scam: models_ml/fraud/listing_features.py. Contacts, texts,
        # pictures and addresses are counted against one another; who or where is not told.
        " price_to_comparables comparables_log is_lease is_flat classifieds_only"
        " untraceable instant_payment pay_first absent_owner no_viewing urgency personal_data"
        " paid_check messenger too_good disowns disguised warning own_contacts own_price_spread"
        " own_places_km contact_leads_log contact_addresses_log contact_markets contact_sources"
        " contact_leads_day_log contact_known_days_log text_leads_log text_other_contact"
        " text_other_address text_likeness text_was_first picture_leads_log"
        " picture_other_contact picture_other_address pictures_shared picture_was_first"
        " address_leads_log address_other_contact address_other_kind address_under"
        " listing_under place_km",
    ),
    # What the leads recommended to a buyer are ranked by: models_ml/recommend/settings.py. The
    # fits compare a lead with what this buyer bought, held, looked at and asked for; `place_fit`
    # is nearness to those leads, so nobody is led to or from an area that he did not choose.
    "recommendation": _each(
        _INPUT,
        "similarity text_likeness kind_fit list_price_fit size_fit place_fit price_fit likeness"
        " asked freshness quality popularity",
    ),
    # What the text of a lead is made of that is embedded: models_ml/embedding/lead_text.py. Of
    # the masked remarks only sentences that pass fair_housing_text.refused_text.
    "embedding": _each(
        _INPUT,
        "property_type property_sub_type bedrooms_total bathrooms_total_integer living_area"
        " lot_size_square_feet year_built list_price public_remarks",
    ),
}  # fmt: skip
_WORD = re.compile(r"[a-z]+|[0-9]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME_LENGTH_MAX = 100
_NEGATIONS = frozenset({"not", "no", "exclude", "excluded", "excluding", "except", "without"})


def refusal_of(criterion: Criterion) -> Refusal | None:
    """Why it may not be looked at; None if it may."""
    use, name, operator = criterion
    if operator in ALLOWED[use].get(name, ()):
        return None
    shown = name[:_NAME_LENGTH_MAX]
    words = name_words(shown)
    rule = rule_of(words)
    if rule is not None:
        message = f"{shown} is refused by the fair-housing rule {rule.name}: {rule.because}"
        return Refusal(rule.name, f"{message}; {rule.instead}")
    if operator == "none-of" or not _NEGATIONS.isdisjoint(words):
        message = (
            f"{shown} is refused by the fair-housing rule {EXCLUSION}: a list of what is left"
            " out can steer; say what is wanted"
        )
        return Refusal(EXCLUSION, message)
    known = ", ".join(sorted(ALLOWED[use]))
    return Refusal(UNLISTED, f"{shown} ({operator}) is not on the list for a {use}: {known}")


def compiled(use: Use, looked_at: Iterable[tuple[str, Operator]]) -> tuple[Criterion, ...]:
    """The criteria of a definition. Raises NotAllowed on the first that may not be."""
    criteria = tuple(Criterion(use, name, operator) for name, operator in looked_at)
    for criterion in criteria:
        refusal = refusal_of(criterion)
        if refusal is not None:
            raise NotAllowed(refusal)
    return criteria


def inputs(use: Use, names: Iterable[str]) -> tuple[Criterion, ...]:
    """The inputs of a price or a model, compiled. Raises NotAllowed."""
    return compiled(use, ((name, "input") for name in names))


def filter_fields(fields: Iterable[str]) -> tuple[Criterion, ...]:
    """The fields of a filter, compiled: `list_price_min` is a bound on `list_price`. Raises
    NotAllowed."""
    return compiled("filter", (bound_of(field) for field in fields))


def refused_field(field: str) -> Refusal | None:
    """Why a filter can't have this field; None if it can."""
    return refusal_of(Criterion("filter", *bound_of(field)))


def bound_of(field: str) -> tuple[str, Operator]:
    """The name that a filter's field is about, and how it looks at it."""
    for ending, bound in _ENDINGS.items():
        if field.endswith(ending):
            return field.removesuffix(ending), bound
    operators = ALLOWED["filter"].get(field, frozenset())
    return field, next(iter(operators), "any-of")


_ENDINGS: Mapping[str, Operator] = {"_min": "at-least", "_max": "at-most"}


def rule_of(words: list[str]) -> Rule | None:
    """The first rule that knows one of the words, or two that follow one another."""
    pairs = (f"{first}_{second}" for first, second in itertools.pairwise(words))
    said = {*words, *pairs}
    return next((rule for rule in RULES if not rule.words.isdisjoint(said)), None)


def name_words(name: str) -> list[str]:
    """`schoolRating`, `school-rating` and `SCHOOL_RATING` are two words."""
    return _WORD.findall(_HUMP.sub(" ", name).lower())
