"""Names of people: the words that stand in for one are none."""

from __future__ import annotations

import re

from engine.intake.cleaning.notes import noted, set_fields
from engine.intake.record import SourceRecord

NAME_LENGTH_MAX = 120
# Keys are in lower case, letters only.
_NO_NAME = frozenset(
    {
        *("", "na", "none", "null", "nan", "unknown", "anonymous", "test", "tbd", "seebelow"),
        *("owner", "theowner", "propertyowner", "homeowner", "currentowner", "owneroccupant"),
        *("seller", "theseller", "agent", "listingagent", "broker", "landlord", "manager"),
        *("propertymanager", "contact", "contactowner", "contactseller", "byowner", "fsbo"),
        *("forsalebyowner", "forrentbyowner", "private", "privateseller", "privateowner"),
        *("notavailable", "notprovided", "notdisclosed", "withheld", "hidden", "leasingoffice"),
    }
)
_NOT_LETTER = re.compile(r"[\W\d_]+")


def clean_name(record: SourceRecord) -> SourceRecord:
    """One line, at most 120 characters; `Owner`, `N/A` and the like are no name."""
    stated = record.contact.name
    if stated is None:
        return record
    name = " ".join(stated.split())[:NAME_LENGTH_MAX].rstrip()
    if _NOT_LETTER.sub("", name.lower()) in _NO_NAME:
        return noted(record, "placeholder-name", 0.9, name=None)
    return record if name == stated else set_fields(record, {"name": name})
