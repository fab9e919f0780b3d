"""What the sample world's crooks write: a few ways to say each thing, with slots.

Not drawn from the patterns of `engine/intake/fraud/text_signals.py`, nor those from it.
"""

from __future__ import annotations

import random

from engine.intake.sample_world.home import Home

_SLOTS = {
    "pay": ("Zelle", "Cash App", "a Western Union transfer", "bitcoin", "Apple gift cards",
            "a bank wire", "MoneyGram", "Venmo", "a Steam card", "Chime"),
    "abroad": ("in Norway on an oil project", "in the UK for my work", "overseas with the Army",
               "on a church mission in Peru", "deployed to the Gulf", "in Canada with my mother",
               "offshore on a rig until spring", "with a relief agency far from home"),
    "messenger": ("WhatsApp", "Telegram", "Google Chat", "Signal", "my private Gmail"),
    "sum": ("$250", "$500", "half the rent", "the first month", "$300", "the full deposit"),
    "courier": ("FedEx", "UPS", "DHL", "courier", "priority mail"),
    "hurry": ("by tonight", "before noon", "within the hour", "today", "by tomorrow morning"),
    "check": ("credit report", "tenant screening", "background report", "rental score"),
}  # fmt: skip
_LINES = {
    "price-bait": (
        "Rent includes all utilities, cable and internet, no credit needed at all.",
        "Everybody is approved, bad credit and evictions are fine, no questions.",
        "Cheapest in {city}, I only want somebody good in it, money is not my concern.",
        "All bills paid and the first two months half off, {messenger} me for the address.",
    ),
    "advance-fee": (
        "Several people are interested, so {sum} through {pay} {hurry} keeps it for you.",
        "To take it off the site I need {sum} sent by {pay}, then we meet for the lease.",
        "I hold it for whoever sends {sum} first. I take {pay} only.",
        "Showings start after {sum} has arrived; {pay} is easiest for me.",
        "Once you have paid {sum} by {pay} you get the code of the lock box.",
        "Envie {sum} por {pay} para apartar la casa, luego le muestro.",
    ),
    "clone": (
        "Please do not disturb the people at the house, text me first.",
        "Ignore the sign in the yard, the agent no longer works for me and I let it myself.",
        "Look through the windows, and if you like it send {sum} by {pay}.",
        "The other ad with a higher price is from my former agent.",
        "{messenger} is the best way, I do not pick up calls.",
    ),
    "hijacked-pictures": (
        "Add me on {messenger} and I tell you how to move in {hurry}.",
        "Deposit {sum} with {pay} and the place is yours.",
        "I answer on {messenger} only, my phone is broken.",
        "You can move in {hurry} if the {sum} is there.",
    ),
    "absent-owner": (
        "I am {abroad}, so the keys come to you by {courier}.",
        "My wife and I are {abroad} and took the keys along; {courier} brings them in two days.",
        "Nobody can let you in as I am {abroad}, but you may walk around the outside.",
        "We moved for good ({abroad}) and just want someone who keeps it like their own.",
        "As I live {abroad} now, we do all of it by mail: papers, money and keys.",
        "Estoy fuera del pais y le mando las llaves por {courier} con el contrato.",
    ),
    "application-phishing": (
        "First order your {check} with the link I send you; it is free for a dollar.",
        "I only show it to people who mail me their {check} before, ask for the page.",
        "Answer with full name, date of birth, social and a photo of your licence.",
        "The form costs {sum} and goes back to you later; fill it before you see the place.",
        "Send a selfie with your ID and your last bank statement, then I tell you the time.",
        "Do your {check} on the site of my partner, others do not count.",
    ),
    "rent-to-own": (
        "Rent to own: {sum} down by {pay} and the title is yours in three years, no bank.",
        "Owner finance, no checks, the option fee goes by {pay} {hurry}.",
        "Your down payment is held by my lawyer, send it as {pay} and move in.",
    ),
    "sold-relisted": (
        "Vacant now, lock box on the door, the code comes when {sum} is paid by {pay}.",
        "We bought it lately and let it now; take down the sign if it is still there.",
        "Self tour: I give you the code after {sum} through {pay}.",
        "The company sold it to us, its pages are out of date.",
    ),
    "bulk-poster": (
        "Message me on {messenger} with when you want to move and how many you are.",
        "Many homes like this one, tell me your area and budget on {messenger}.",
        "Hold any of them for {sum}, {pay} or card.",
    ),
}  # fmt: skip
_SILENT_SHARE = 0.08
_SECOND_SHARE = 0.45
_DISGUISED_SHARE = 0.15
_DISGUISES = {"a": "@", "o": "0", "e": "3", "i": "1", "s": "$"}


def scam_lines(home: Home, rng: random.Random) -> list[str]:
    """None, one or two lines of the kind; some with letters exchanged against filters."""
    told = random.Random(f"{home.text_seed}/{home.index}/plot")
    if home.scam is None or told.random() < _SILENT_SHARE:
        return []
    lines = told.sample(_LINES[home.scam], 2 if told.random() < _SECOND_SHARE else 1)
    filled = [_filled(line, home, rng) for line in lines]
    if told.random() >= _DISGUISED_SHARE:
        return filled
    return [_disguised(line, rng) for line in filled]


def _filled(line: str, home: Home, rng: random.Random) -> str:
    slots = {name: rng.choice(words) for name, words in _SLOTS.items()}
    return line.format(city=home.city, **slots)


def _disguised(line: str, rng: random.Random) -> str:
    """Some letters of some words exchanged, or a word drawn apart: `g.i.f.t`, `z3lle`."""
    words = line.split(" ")
    for place in rng.sample(range(len(words)), min(3, len(words))):
        if rng.random() < 0.4 and words[place].isalpha() and len(words[place]) > 3:
            words[place] = ".".join(words[place])
        else:
            words[place] = "".join(
                _DISGUISES.get(c, c) if rng.random() < 0.6 else c for c in words[place]
            )
    return " ".join(words)
