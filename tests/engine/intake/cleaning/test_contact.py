"""Names, phones and e-mails: as they are said, dialled and written to, or absent."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.cleaning.emails import email_of
from engine.intake.cleaning.phones import phone_of
from engine.intake.mask import mask_remarks
from tests.engine.intake.cleaning.markets import cleaned, rules_of


@pytest.mark.parametrize(
    ("stated", "number"),
    [
        ("(702) 555-0123", "+17025550123"),
        ("7025550123", "+17025550123"),
        ("1-702-555-0123", "+17025550123"),
        ("+1 702 555 0123 ext. 10017", "+17025550123;ext=10017"),
        ("702.555.0123 x5", "+17025550123;ext=5"),
        ("702-555-0123, ext 5", "+17025550123;ext=5"),
        ("702-555-0123 / 702-555-0124", "+17025550123"),
        ("office 555-1234 or 214-748-3647", "+12147483647"),
        ("+44 20 7946 0958", "+442079460958"),
        ("(555) 555-0100", None),
        ("555-555-0100 or 702-555-0111", "+17025550111"),
        ("555-1234", None),
        ("111-222-3333", None),
        ("702-055-1234", None),
        ("call me", None),
        ("", None),
    ],
)
def test_phones_in_e164(stated: str, number: str | None) -> None:
    assert phone_of(stated) == number


groupings = st.sampled_from(
    ("{}{}{}", "({}) {}-{}", "{}-{}-{}", "{}.{}.{}", "+1{}{}{}", "+1 {} {} {}", "1 ({}) {}-{}")
)


# The libraries' tables are loaded in the first example.
@settings(deadline=None)
@given(st.integers(200, 999), st.integers(0, 999), st.integers(0, 9999), groupings)
def test_the_short_way_reads_as_the_library_does(
    area: int, exchange: int, line: int, grouping: str
) -> None:
    national = f"{area}{exchange:03d}{line:04d}"
    stated = grouping.format(area, f"{exchange:03d}", f"{line:04d}")
    by_library = phonenumbers.parse(stated, "US")
    is_dialled = phonenumbers.is_valid_number(by_library) or national[3:8] == "55501"
    if national in {"5555550100", "5555555555"}:
        is_dialled = False
    assert phone_of(stated) == (f"+1{national}" if is_dialled else None)


# The libraries' tables are loaded in the first example.
@settings(deadline=None)
@given(st.text("0123456789 ()+-.;ext=/,or", max_size=40))
def test_a_number_read_again_is_the_same(stated: str) -> None:
    number = phone_of(stated)
    assert number is None or phone_of(number) == number


def test_a_number_with_extension_is_masked_in_remarks() -> None:
    number = phone_of("+1 702 555 0123 ext. 10017") or ""
    masked = mask_remarks("Call 702 555 0123 ext. 10017 today", values=[number])
    assert "0123" not in masked
    assert "10017" not in masked


@pytest.mark.parametrize(
    ("stated", "email"),
    [
        ("Jo.Doe@EXAMPLE.com", "Jo.Doe@example.com"),
        ("mailto:jo@example.com?subject=Hi", "jo@example.com"),
        (" <jo@example.com>; ", "jo@example.com"),
        ("masked@example.com", None),
        ("no-reply@site.com", None),
        ("jo at example dot com", None),
        ("jo@localhost", None),
        ("@", None),
        ("a" * 400 + "@example.com", None),
    ],
)
def test_emails(stated: str, email: str | None) -> None:
    assert email_of(stated) == email


# The libraries' tables are loaded in the first example.
@settings(deadline=None)
@given(st.text(max_size=60) | st.emails())
def test_an_email_read_again_is_the_same(stated: str) -> None:
    email = email_of(stated)
    assert email is None or email_of(email) == email


@pytest.mark.parametrize("stated", ["N/A", "Owner", "the seller", "FSBO", "12345", "By Owner!"])
def test_a_stand_in_is_no_name(stated: str) -> None:
    record = cleaned(name=stated)
    assert record.contact.name is None
    assert rules_of(record) == {"name": "placeholder-name"}


def test_what_is_stated_plainly_has_no_note() -> None:
    record = cleaned(name="  Ana   Ruiz ", phone="(702) 555-0123", email="ana@EXAMPLE.com")
    assert record.contact.name == "Ana Ruiz"
    assert record.contact.phone == "+17025550123"
    assert record.contact.email == "ana@example.com"
    assert record.notes == {}


def test_what_reaches_nobody_is_noted_as_left_out() -> None:
    record = cleaned(phone="(555) 555-0100", email="masked@example.com")
    assert (record.contact.phone, record.contact.email) == (None, None)
    assert rules_of(record) == {"phone": "no-dialable-phone", "email": "no-email-address"}
