"""A stand-in contact for captured listings, whose real contacts were masked or hidden.

The same record always gets the same one. Phones are 555-01XX, kept free for fiction;
e-mails are at example.com.
"""

from __future__ import annotations

import hashlib

import msgspec

from engine.intake.record import SourceRecord

FIRST_NAMES = (
    *("Adela", "Bruno", "Carmen", "Dario", "Edith", "Felix", "Gloria", "Hugo", "Irene", "Jonas"),
    *("Karin", "Lionel", "Mabel", "Nestor", "Olive", "Pascal", "Ramona", "Silas", "Thelma", "Ugo"),
    *("Vera", "Wendell", "Yvonne", "Zeno"),
)
LAST_NAMES = (
    *("Abernathy", "Bancroft", "Castellan", "Dunmore", "Everhart", "Fairbairn", "Gallowell"),
    *("Hartsfield", "Inglewood", "Jessop", "Kettering", "Lockhart", "Merriwether", "Northcutt"),
    *("Oakenfold", "Pemberton", "Quillfeather", "Ravenscroft", "Silverthorn", "Thackeray"),
    *("Underhill", "Vandermeer", "Whitlock", "Yarborough"),
)
AREA_CODES = {"las-vegas": "702", "dallas": "214", "austin": "512", "phoenix": "602"}
_AREA_CODE_ELSEWHERE = "555"


def with_invented_contact(record: SourceRecord) -> SourceRecord:
    """The record with an invented person; its own address, place and link are kept.

    A record that already has a name, phone or e-mail of its own, as those of the sample
    world do, is returned as it is.
    """
    contact = record.contact
    if contact.name or contact.phone or contact.email:
        return record
    number = int.from_bytes(
        hashlib.sha256(f"{record.source}\x1f{record.source_id}".encode()).digest()[:8], "big"
    )
    number, first = divmod(number, len(FIRST_NAMES))
    number, last = divmod(number, len(LAST_NAMES))
    number, line = divmod(number, 100)
    name = f"{FIRST_NAMES[first]} {LAST_NAMES[last]}"
    area_code = AREA_CODES.get(record.market or "", _AREA_CODE_ELSEWHERE)
    return msgspec.structs.replace(
        record,
        contact=msgspec.structs.replace(
            contact,
            name=name,
            phone=f"+1{area_code}55501{line:02d}",
            email=f"{name.lower().replace(' ', '.')}.{number % 10_000:04d}@example.com",
            is_invented=True,
        ),
    )
