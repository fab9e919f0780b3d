"""Whom to call, when several records name somebody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.contact_survivorship import ContactClaim, survive_contact
from engine.market.answers import Contact

OWNER = Contact(name="Ada Owner", phone="+17025550111", unparsed_address="1 Elm St")
INVENTED = Contact(
    name="Felix Lockhart", phone="+17025550122", email="f@example.com", is_invented=True
)


def claim(source: str, contact: Contact, trust: float = 0.5, modified: str | None = None):
    return ContactClaim(source, f"{source}-1", trust, modified, contact)


def test_a_person_is_taken_whole_from_one_claim() -> None:
    agent = Contact(name="Bo Agent", email="bo@example.com", source_url="https://m.example/1")
    both = survive_contact([claim("mls", agent, 0.9), claim("craigslist", OWNER, 0.4)])
    assert (both.name, both.phone, both.email) == ("Bo Agent", None, "bo@example.com")
    assert both.unparsed_address == "1 Elm St"


def test_a_stated_person_displaces_an_invented_one() -> None:
    assert survive_contact([claim("zillow", INVENTED, 0.9), claim("fsbo", OWNER, 0.3)]) == OWNER
    assert survive_contact([claim("zillow", INVENTED), claim("fsbo", Contact())]).is_invented


def test_the_point_is_one_sources() -> None:
    near = Contact(latitude=30.1, longitude=-97.1)
    far = Contact(name="Ada", phone="+17025550111", latitude=30.2, longitude=-97.2)
    held = survive_contact([claim("mls", near, 0.9), claim("fsbo", far, 0.3)])
    assert (held.name, held.latitude, held.longitude) == ("Ada", 30.1, -97.1)


def test_nobody_to_choose_from() -> None:
    with pytest.raises(ValueError, match="no contact"):
        survive_contact([])


contacts = st.builds(
    Contact,
    name=st.sampled_from([None, "Ada", "Bo"]),
    phone=st.sampled_from([None, "+17025550111", "+17025550122"]),
    latitude=st.sampled_from([None, 30.1]),
    longitude=st.just(-97.1),
    source_url=st.sampled_from([None, "https://x.example/1"]),
    is_invented=st.booleans(),
)
claims = st.builds(
    ContactClaim,
    source=st.sampled_from(["mls", "fsbo"]),
    source_id=st.sampled_from(["1", "2"]),
    trust=st.sampled_from([0.4, 0.9]),
    modified=st.sampled_from([None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]),
    contact=contacts,
)


@given(st.lists(claims, min_size=1, max_size=5), st.randoms())
def test_the_order_of_claims_changes_nothing(said: list[ContactClaim], random) -> None:
    shuffled = list(said)
    random.shuffle(shuffled)
    assert survive_contact(shuffled) == survive_contact(said)
