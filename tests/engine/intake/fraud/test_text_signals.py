"""What crooks say is found in their words, disguised or not; honest words that look alike are
not. None of these sentences is the sample world's."""

from __future__ import annotations

import time

import msgspec
import pytest

from engine.intake.fraud.text_signals import COUNT_MAX, TEXT_LENGTH_MAX, TextSignals, text_signals
from engine.intake.mask import MASK


def families(text: str) -> set[str]:
    told = msgspec.structs.asdict(text_signals(text))
    return {name for name, count in told.items() if count} - {"sentences", "masked"}


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("untraceable", "Please pay the rent with Steam gift cards."),
        ("untraceable", "Wire me the money via Western Union"),
        ("untraceable", "I accept BTC or USDT"),
        ("untraceable", "Paga con tarjetas de regalo."),
        ("instant_payment", "Zelle or CashApp works for me"),
        ("pay_first", "A deposit of $400 reserves the apartment."),
        ("pay_first", "Whoever sends the deposit gets it."),
        ("absent_owner", "I am currently deployed and can not come."),
        ("absent_owner", "The owner lives overseas at the moment"),
        ("no_viewing", "Drive by only, do not knock."),
        ("no_viewing", "The keys will be sent by FedEx."),
        ("personal_data", "Text me your SSN and date of birth."),
        ("paid_check", "Get your credit report at the link below."),
        ("messenger", "Contact me on WhatsApp please"),
        ("too_good", "Everyone is approved!"),
        ("disowns", "Ignore the for sale sign out front"),
        ("urgency", "You have to act now."),
    ],
)
def test_each_family_is_found(family: str, text: str) -> None:
    assert family in families(text)


@pytest.mark.parametrize(
    "text",
    [
        "A bright two bedroom flat near the park with new floors and a gas range.",
        "Close to the hospital, the bus and the market. Cats are welcome.",
        "Available June 1. Twelve month lease. Rent $1,450, washer in unit.",
        f"Call {MASK} for a tour of the model home.",
        # What honest people write, and what is like a crook's words in it.
        "One month free and a $500 gift card to boot.",
        "Get a $300 Amex gift card when you move in by May 1.",
        "A $200 administrative fee holds the apartment at the time of application.",
        "Holding fee applies to secure a unit.",
        "1 month free, lock this in.",
        "Photo ID per applicant over 18 years.",
        "Perfect for individuals on social security.",
        "Weekly rates, a tax deposit is required at check in with the first payment.",
        "A large hangout pool and a separate lap pool.",
        "Text or WhatsApp me.",
        "No calls, I work nights: text me and we show it the same day.",
        "Search my name for other listings.",
        "",
    ],
)
def test_plain_offers_say_nothing(text: str) -> None:
    assert families(text) == set()


def test_a_warning_is_a_warning_and_nothing_else() -> None:
    assert families("Beware of scams: we never ask for gift cards or wires.") == {"warning"}


def test_who_opens_the_door_is_no_absent_owner() -> None:
    assert "absent_owner" not in families("We live abroad now, our agent shows you the house.")


@pytest.mark.parametrize(
    "text",
    ["pay by Z3lle", "pay by z.e.l.l.e", "pay by Z e l l e now", "pay by V3nm0", "$end PayP@l"],
)
def test_disguised_words_are_read_as_they_are_meant(text: str) -> None:
    assert {"instant_payment", "disguised"} <= families(text)


def test_codes_and_measures_are_no_disguise() -> None:
    assert "disguised" not in families("Off loop101, built 1978, 50lbs limit, 3bd 2ba, unit 4b.")
    assert "disguised" not in families("kfhfvkq0q f3txsi3d remodeled1bdrm")


def test_counts_and_length_are_bounded() -> None:
    assert text_signals(None) == TextSignals()
    assert text_signals("Use Zelle. " * 50).instant_payment == COUNT_MAX
    assert text_signals("a" * TEXT_LENGTH_MAX + " zelle").instant_payment == 0


def test_hostile_text_takes_linear_time() -> None:
    began = time.process_time()
    for text in ("deposit " * 3_000, "a." * 10_000, "pay " * 5_000, "z e " * 5_000, "a@" * 10_000):
        text_signals(text)
    assert time.process_time() - began < 5
