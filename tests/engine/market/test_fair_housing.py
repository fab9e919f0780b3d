"""What may be looked at is a list; what may not is refused with the rule that says why."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.postgres.search import FACETS, RANGES, Sort
from engine.market.fair_housing import (
    ALLOWED,
    EXCLUSION,
    RULES,
    UNLISTED,
    Criterion,
    NotAllowed,
    Operator,
    Use,
    bound_of,
    compiled,
    filter_fields,
    inputs,
    refusal_of,
    refused_field,
    rule_of,
)
from engine.market.fair_housing_text import refused_text
from engine.market.listing import Listing
from engine.market.pricing.policy import LeadView, Trials
from engine.market.pricing.segments import KEY, key_of
from engine.market.standing_terms import StandingFilter
from models_ml.fraud.advertiser_features import NAMES as FRAUD_NAMES
from models_ml.fraud.listing_features import NAMES as LISTING_NAMES
from models_ml.recommend.settings import FEATURES as RECOMMENDED_BY
from models_ml.value.features import FEATURES
from serve_apps.api.feed.feed_filter import KNOWN
from serve_apps.api.schemas.leads import SHOWN_BY, LeadQuery
from serve_apps.api.schemas.standing_orders import StandingOrderFilter

# By rule a name as somebody might write it; each rule must have some.
NAMES = {
    "race-or-colour": ["race", "pctBlack", "share_white", "applicant_ethnicity", "skin_color"],
    "religion": ["religion", "near_church", "muslimShare", "faith"],
    "sex": ["sex", "gender", "female_headed", "sexual_orientation"],
    "familial-status": ["familial_status", "has_children", "no_kids", "household_size"],
    "national-origin": ["national_origin", "ancestry", "citizenship", "foreign_born"],
    "disability": ["disability", "disabled", "wheelchair_user", "handicap"],
    "age": ["age_of_owner", "seniors", "birth_date", "date_of_birth"],
    "marital-status": ["marital_status", "married", "single_people"],
    "source-of-income": ["income", "accepts_vouchers", "section8", "section_8", "credit_score"],
    "language": ["language", "lang", "spanish_spoken"],
    "schools": ["school_rating", "schoolDistrict", "isd", "pupils"],
    "census": ["census_tract", "acs_median", "demographic_index", "pct_over_x", "block-group"],
    "crime": ["crime_score", "safety_rank", "police_calls", "sexoffender_arrests"],
    "place-lists": ["zip", "zip_codes", "not_postal_code", "postalCode", "neighborhoods", "city"],
    "person": ["name", "surname", "buyer_id", "user", "owner_email", "ip", "device"],
}
TEXTS = {
    "race-or-colour": [
        "white area",
        "no hispanics",
        "-latino pool",
        "Asian families",
        "ｗｈｉｔｅ people",
    ],
    "religion": ["christian neighborhood", "-muslim", "near the synagogue", "Jewish", "cristianos"],
    "sex": ["females only", "women", "male tenant"],
    "familial-status": ["no kids", "-children", "child free", "family neighborhood", "niños"],
    "national-origin": ["no immigrants", "mexican community", "-foreigners"],
    "disability": ["no disabled", "wheelchair users"],
    "age": ["no seniors", "adults only", "young people", "-elderly"],
    "marital-status": ["married", "single people", "divorce"],
    "source-of-income": ["-voucher", "no section 8", "section8", "welfare"],
    "language": ["english speaking", "spanish speaking area", "spanish community"],
    "schools": ["good schools", '"school district"', "plano isd", "escuela"],
    "census": ["low diversity", "demographics"],
    "crime": ["low crime", "safe neighborhood", "gang"],
    "place-lists": ["-78702", "78701 or 78703", '-"78702"'],
}
PLAIN_TEXTS = [
    "pool", "white kitchen", "black granite", "spanish tile roof", "single family", "family room",
    "multi-family owner financing", "single family owner", "motivated seller", "garage -hoa",
    "mature trees", "english garden", "church street", "tenant occupied", "income producing",
    "wheelchair accessible", '"as is" or fixer', "brown brick", "senior suite", "near downtown",
    "temple road", "adult trees", "safe room", "fixer or handyman", "78704",
]  # fmt: skip


def test_every_rule_has_a_test() -> None:
    assert [rule.name for rule in RULES] == list(NAMES)
    assert TEXTS.keys() == NAMES.keys() - {"person"}


@pytest.mark.parametrize(("rule", "name"), [(r, n) for r, names in NAMES.items() for n in names])
def test_a_name_is_refused_by_its_rule(rule: str, name: str) -> None:
    for use in get_args(Use):
        refusal = refusal_of(Criterion(use, name, "any-of"))
        assert refusal is not None
        assert refusal.rule == rule, refusal
        assert f"rule {rule}: " in refusal.message
        with pytest.raises(NotAllowed, match=rule):
            compiled(use, [(name, "any-of")])


@pytest.mark.parametrize(("rule", "text"), [(r, t) for r, texts in TEXTS.items() for t in texts])
def test_a_text_is_refused_by_its_rule(rule: str, text: str) -> None:
    refusal = refused_text(text)
    assert refusal is not None
    assert refusal.rule == rule, refusal


@pytest.mark.parametrize("text", PLAIN_TEXTS)
def test_a_text_about_homes_is_none(text: str) -> None:
    assert refused_text(text) is None


@given(st.text(max_size=200))
def test_any_text_is_judged(text: str) -> None:
    assert refused_text(text) == refused_text(text.upper().lower())


def test_what_is_left_out_is_refused() -> None:
    for operator in ("any-of", "none-of"):
        refusal = refusal_of(Criterion("filter", "excluded_things", operator))
        assert refusal is not None
        assert refusal.rule == EXCLUSION
    refusal = refusal_of(Criterion("filter", "property_type", "none-of"))
    assert refusal is not None
    assert refusal.rule == EXCLUSION


@given(st.sampled_from(get_args(Use)), st.text(max_size=30), st.sampled_from(get_args(Operator)))
def test_what_is_not_listed_is_refused(use: Use, name: str, operator: Operator) -> None:
    refusal = refusal_of(Criterion(use, name, operator))
    assert (refusal is None) == (operator in ALLOWED[use].get(name, ()))


def test_the_unknown_is_told_what_is_known() -> None:
    refusal = refused_field("roof_pitch")
    assert refusal is not None
    assert refusal.rule == UNLISTED
    assert "bedrooms_total" in refusal.message
    # A bound on what is only listed, and a use that is not its own.
    assert refused_field("property_type_min") is not None
    assert refusal_of(Criterion("model", "list_price", "input")) is not None


def test_only_plain_price_may_be_an_input_of_prices() -> None:
    with pytest.raises(NotAllowed, match="person"):
        inputs("price", ["base", "buyer_id"])
    assert [each.name for each in inputs("price", ["base", "segment"])] == ["base", "segment"]


def test_the_list_is_what_the_code_uses() -> None:
    """Neither more nor less: a name nobody uses any more has to go."""
    fields = {
        *StandingFilter.__struct_fields__,
        *StandingOrderFilter.model_fields,
        *KNOWN,
        *(name for name in LeadQuery.model_fields if name not in SHOWN_BY),
    }
    used = {(each.name, each.operator) for each in filter_fields(sorted(fields))}
    assert used == {(n, o) for n, operators in ALLOWED["filter"].items() for o in operators}
    assert {bound_of(f"{name}_min")[0] for name in RANGES} <= {name for name, _ in used}
    assert set(FACETS) == ALLOWED["facet"].keys()
    assert set(get_args(Sort)) == ALLOWED["ranking"].keys()
    assert [feature.name for feature in FEATURES] == list(ALLOWED["model"])
    assert {*FRAUD_NAMES, *LISTING_NAMES} == ALLOWED["fraud"].keys()
    assert set(RECOMMENDED_BY) == ALLOWED["recommendation"].keys()
    assert {*LeadView._fields, *Trials._fields, *KEY} == ALLOWED["price"].keys()
    assert len(KEY) == len(key_of(Listing()))


def test_no_rule_hits_an_allowed_name_unknowingly() -> None:
    """`city` is counted beside a search and can't be filtered by; `age` is the lead's, and
    `max_buyers` counts nobody in particular; a browser is looked at for fraud alone, and how
    often a contact is met elsewhere."""
    both = {
        (use, name)
        for use, names in ALLOWED.items()
        for name in names
        if rule_of(name.split("_")) is not None
    }
    assert both == {
        ("facet", "city"),
        ("price", "age"),
        ("price", "max_buyers"),
        ("model", "max_buyers"),
        ("fraud", "odd_mail_browser"),
        ("fraud", "odd_login_browser"),
        ("fraud", "odd_browser_system"),
        ("fraud", "absent_owner"),
        ("fraud", "text_other_contact"),
        ("fraud", "picture_other_contact"),
        ("fraud", "address_other_contact"),
        *(
            ("fraud", f"contact_{name}")
            for name in (
                "leads_log",
                "addresses_log",
                "markets",
                "sources",
                "leads_day_log",
                "known_days_log",
            )
        ),
    }
