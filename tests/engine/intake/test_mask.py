"""No way to reach the seller survives in what anyone may read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.folded_text import bare_text
from engine.intake.mask import MASK, mask_remarks


def bare_pieces(masked: str) -> list[str]:
    return [bare_text(piece) for piece in masked.split(MASK)]


@pytest.mark.parametrize(
    "writing",
    [
        "(702)555-0100",
        "702-555-0100",
        "702.555.0100",
        "702 555 0100 ext. 12",
        "+1 702 555 0100",
        "1-702-555-0100",
        "7025550100",
        "7 0 2 5 5 5 0 1 0 0",
        "70 25 55 01 00",
        "seven zero two five five five zero one zero zero",
        "SEVEN oh two - Five Five Five - oh one oh oh",
        "seven02 five55 0100",
        "fivefivefive two zero one 0100 ",
        "7o2-555-o1oo",
        "７０２－５５５－０１００",
        "٧٠٢ ٥٥٥ ٠١٠٠",
        "702\u200b555\u200b0100",
        "555-0142",
        "1-800-FLOWERS",
    ],
)
def test_every_usual_writing_of_a_phone_is_masked(writing: str) -> None:
    masked = mask_remarks(f"Lovely home, call {writing} today", values=[])
    assert MASK in masked
    assert not any(c.isdigit() for c in masked)
    assert masked.startswith("Lovely home, call")
    assert masked.endswith("today")


@pytest.mark.parametrize(
    "writing",
    [
        "jane.doe@example.com",
        "jane.doe+home@mail.example.co",
        "JANE@EXAMPLE.COM",
        "jane at example dot com",
        "jane dot doe at example dot com",
        "jane (at) example (dot) com",
        "jane[at]gmail[dot]com",
        "jane @ example . com",
        "jane at gmail.com",
        "jane at gmail",
    ],
)
def test_every_usual_writing_of_an_email_is_masked(writing: str) -> None:
    masked = mask_remarks(f"write: {writing}", values=[])
    assert masked == f"write: {MASK}"


@pytest.mark.parametrize(
    "writing",
    [
        "https://example.com/a?b=c#d",
        "http : // example.com",
        "www.example.com",
        "example.homes/12",
        "my-agency.com",
        "agency dot com",
        "@some_agency",
    ],
)
def test_links_are_masked(writing: str) -> None:
    assert mask_remarks(f"see {writing}", values=[]) == f"see {MASK}"


@pytest.mark.parametrize(
    "writing",
    [
        "4034 Rawlins St APT 207",
        "4034 Rawlins Street, Unit #207",
        "302 E 34th St #104",
        "123 North Oak Hill Blvd.",
        "12001 N FM 620",
        "8300 N Interstate 35",
        "100 Avenue A",
        "17 Old County Road",
    ],
)
def test_street_addresses_are_masked(writing: str) -> None:
    assert mask_remarks(f"It is {writing}", values=[]) == f"It is {MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "$1,200 - $1,500 a month, 850-1200 sqft, 2 bed 2 bath on a quiet street",
        "Available 2022-08-01 10:00, built 1985, 1,700 sq. ft., 3 car garage",
        "Serving 78704 | 78703 | 78702. Move in today @ Orland, lease @ $1095/mo",
        "12 minutes from Main St and near the park at the lake. Live well!",
        "24 hour fitness center, 1st floor, 1200 square feet",
    ],
)
def test_ordinary_facts_stay(text: str) -> None:
    assert mask_remarks(text, values=[]) == text


@pytest.mark.parametrize(
    ("value", "writing"),
    [
        ("Jane O'Brien", "JANE OBRIEN"),
        ("Jane O'Brien", "j.a.n.e o.b.r.i.e.n"),
        ("Jane O'Brien", "O'Brien, Jane"),
        ("José Núñez", "Jose Nunez"),
        ("+17025550142", "702 and then 555 and then 0142"),
        ("+1 702 555 0142 ext. 17", "seven zero two... FIVE55 oh142"),
        ("+17025550142", "area code 702 as usual, here comes the rest of it: 5550142"),
        ("jane@mail.example.com", "jane AT mail D.O.T example dot COM"),
        ("https://austin.example/apa/71.html", "AUSTIN example apa 71 html"),
        ("1100 S Lamar Blvd #12, Austin, TX 78704", "1100 South Lamar"),
        ("1100 South Lamar Blvd", "1100 S. Lamar"),
        ("CANARY-7f3a", "canary 7F3A"),
        ("30.267187", "30.267187"),
    ],
)
def test_own_values_are_masked_in_other_writings(value: str, writing: str) -> None:
    masked = mask_remarks(f"so: {writing} (thanks)", values=[value])
    assert masked.startswith("so: ")
    assert masked.endswith("(thanks)")
    kept = masked.removeprefix("so: ").removesuffix("(thanks)")
    assert all(bare_text(word) not in bare_text(kept) for word in writing.split() if len(word) > 6)
    assert MASK in masked


def test_a_short_value_is_masked_only_as_a_word() -> None:
    assert mask_remarks("Al, call all", values=["Al"]) == f"{MASK}, call all"


def test_a_mask_in_the_text_hides_nothing() -> None:
    assert "Jane" not in mask_remarks(f"Ja{MASK}ne Doe", values=["Jane Doe"])


VALUES = st.one_of(
    st.text(min_size=1, max_size=40),
    st.emails(),
    st.from_regex(r"\+1[2-9]\d{2}55501\d{2}", fullmatch=True),
    st.from_regex(r"[1-9]\d{1,4} (N |S |)[A-Z][a-z]{2,9} (St|Ave|Dr)", fullmatch=True),
    st.from_regex(r"[A-Z][a-z]{1,8} [A-Z][a-z]{1,8}", fullmatch=True),
)


@settings(max_examples=400, deadline=None)
@given(
    values=st.lists(VALUES, min_size=1, max_size=5),
    filler=st.lists(st.text(max_size=60), min_size=6, max_size=6),
)
def test_no_planted_value_survives(values: list[str], filler: list[str]) -> None:
    pieces = [filler[0]]
    for value, more in zip(values, filler[1:], strict=False):
        pieces += [" ", value, " ", more]
    kept = bare_pieces(mask_remarks("".join(pieces), values=values))
    for value in values:
        bare = bare_text(value)
        if len(bare) >= 6:
            assert not any(bare in piece for piece in kept)
        elif bare:
            words = mask_remarks("".join(pieces), values=values).split()
            assert bare not in {bare_text(word) for word in words if MASK not in word}


@settings(max_examples=200, deadline=None)
@given(
    digits=st.from_regex(r"[2-9]\d{9}", fullmatch=True),
    separators=st.lists(st.sampled_from(["", " ", "-", ".", " - ", "*", "..", ") ", "  "]),
                        min_size=10, max_size=10),
)  # fmt: skip
def test_ten_digits_in_any_grouping_are_masked(digits: str, separators: list[str]) -> None:
    written = "".join(d + s for d, s in zip(digits, separators, strict=True))
    masked = mask_remarks(f"call {written}", values=[f"+1{digits}"])
    assert not any(c.isdigit() for c in masked)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300), values=st.lists(st.text(max_size=20), max_size=4))
def test_any_text_is_taken(text: str, values: list[str]) -> None:
    assert isinstance(mask_remarks(text, values=values), str)


@pytest.mark.parametrize(
    "unit",
    ["a", "1 ", "a@", "a.", " at ", "x dot ", "1 a a a ", "(", "five", "123 n n ", "a.com ", "-",
     "0", "@", "\u0301", "www.", "+1 ", "555-", "1 st ", "#", "http://", "é", "1100 s "],
)  # fmt: skip
def test_time_is_linear_on_hostile_text(unit: str) -> None:
    values = ["Jane Doe", "+17025550142", "aaaaaaaa", "1111111111", "1100 S Lamar Blvd", "a" * 5000]

    def seconds(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length]
        started = time.process_time()
        mask_remarks(text, values=values)
        return time.process_time() - started

    seconds(1_000)
    # Ten times the text may take ten times as long; a hundred times would be quadratic.
    assert seconds(40_000) < 30 * max(seconds(4_000), 0.002)
