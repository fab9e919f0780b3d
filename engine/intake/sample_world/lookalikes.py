"""Honest offers that look like fraudulent ones: cheap, in a hurry, by soldiers, with deposits.

What is drawn here has its own chance, so that all else of an honest home stays as it was.
"""

from __future__ import annotations

import random

from engine.intake.sample_world.home import Home

_MANNERS = {
    "urgent": (
        "We close on our next house on Friday, so this has to go quickly.",
        "Must be rented by the first, I pay two mortgages otherwise.",
        "Job starts in another state on Monday: quick move-in wanted, come and see it today.",
    ),
    "deposit": (
        "One month's deposit and the first rent are due when the lease is signed at the office.",
        "Hold it for 48 hours with $200 at our office after you have toured it, by check.",
        "Deposit by cashier's check at signing. Cash is not taken.",
        "Rent can be paid online, by check, by Zelle or by money order once you live here.",
    ),
    "military": (
        "The owner is in the Army and was moved; a licensed manager shows the house any day.",
        "Orders came, so our home is free from June. My sister has the keys and lives next door.",
        "I am deployed until winter, my property manager signs and shows it.",
    ),
    "warning": (
        "Beware of scams: we never ask for gift cards, wire transfers or money before a tour.",
        "This home is also offered by fraudsters for less. Do not wire money to anybody, call us.",
        "Estafas: nunca pedimos dinero por Zelle antes de ver la casa.",
    ),
    "screening": (
        "Every adult applies: $45 for credit and background check, paid on our site after a tour.",
        "Background check and proof of income needed, apply at the leasing office.",
        "Application fee $50 per adult, refunded if the home is already taken.",
    ),
    "away": (
        "I live out of state now, my agent meets you there whenever you like.",
        "Self tours with our app and an ID, no payment needed before.",
        "We are in Canada until May; the neighbour opens for you.",
    ),
    "generous": (
        "One month free on a lease of thirteen, plus a $300 gift card at move-in.",
        "All bills paid, and half off the second month.",
        "Bad credit is fine with a co-signer, evictions older than three years too.",
        "No credit check, the owner decides after meeting you at the house.",
    ),
    "busy": (
        "No calls please, I work nights: text and I show it the same day.",
        "Hurry, the last one went in a day. Open Saturday from ten to noon.",
        "Do not disturb the tenants, they leave on the thirtieth and I show it with notice.",
    ),
    "messenger": (
        "Text or WhatsApp is fine, calls after six.",
        "Hablo espanol, puede escribirme por WhatsApp para ver la casa.",
    ),
    "sale": (
        "Rent to own possible, ask our broker. Closing and option fee through a title company.",
        "Owner financing with 20 % down, papers by a title company.",
    ),
}  # fmt: skip
_SHARE = 0.14
_CHEAP_SHARE = 0.02
_CHEAPEST, _LEAST_CHEAP = 0.5, 0.8


def honest_line(home: Home) -> str | None:
    """What the offer says beside the rest; most say nothing of the kind."""
    rng = random.Random(f"{home.text_seed}/{home.index}/manner")
    if rng.random() >= _SHARE:
        return None
    return rng.choice(_MANNERS[rng.choice(list(_MANNERS))])


def honest_price(home: Home) -> int:
    """The home's, or far less: to a friend's friend, in need of paint, for one to move in now."""
    rng = random.Random(f"{home.text_seed}/{home.index}/bargain")
    if not home.for_rent or home.is_managed or rng.random() >= _CHEAP_SHARE:
        return home.price
    return round(home.price * rng.uniform(_CHEAPEST, _LEAST_CHEAP) / 5) * 5
