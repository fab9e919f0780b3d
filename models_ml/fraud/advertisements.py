"""The labelled table of rental advertisements: what is read of it, and what is left out.

Left out are two columns that were written after the verdict: ARCHIVE_REASON says "scam" in
words, and IS_ARCHIVED is true of every scam, since an advertisement is archived once it is
found to be one. Neither is known when a lead comes in. ADVERTISER_KEY only groups.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

TABLE: Final = Path("fraud") / "rental_scam_labels.csv"
ROWS_MAX: Final = 500_000
VALUE_LENGTH_MAX: Final = 80
_TRUE = frozenset({"1", "1.0", "true"})
_FALSE = frozenset({"0", "0.0", "false"})


class NotMeasured(Exception):
    """Why a table can't be measured; the text is for an operator."""


class Advertisement(NamedTuple):
    """What is known before anybody judged it. Texts are "" and numbers NaN if unknown.

    `price` is a month's rent in the listing's currency, `completeness` 0 to 100 of the
    advertiser's profile, `login_country` where the session came from.
    """

    kind: str
    place: str
    price: float
    login_country: str
    country: str
    registration_possible: float
    completeness: float
    is_managed: float
    has_picture: float
    browser: str
    system: str
    mail_domain: str


class Labelled(NamedTuple):
    """In step: advertisements, who is a scammer, and whose advertisement it is."""

    advertisements: tuple[Advertisement, ...]
    scam: NDArray[np.bool_]
    advertiser: NDArray[np.str_]

    def rows(self, which: NDArray[np.bool_]) -> Labelled:
        kept = tuple(ad for ad, keep in zip(self.advertisements, which, strict=True) if keep)
        return Labelled(kept, self.scam[which], self.advertiser[which])

    def digest(self) -> str:
        """SHA-256 of what is learnt from, whatever the file's other columns say."""
        told = hashlib.sha256()
        for row in zip(self.advertisements, self.scam.tolist(), self.advertiser, strict=True):
            told.update(repr((tuple(row[0]), row[1], str(row[2]))).encode())
        return told.hexdigest()


def read(folder: Path) -> Labelled:
    """The table of a folder of captures. Raises NotMeasured."""
    path = folder / TABLE
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return labelled(csv.DictReader(file), str(TABLE))
    except OSError as error:
        raise NotMeasured(f"{path} can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotMeasured(f"{TABLE}: {error}") from error


def labelled(rows: Iterable[dict[str, str]], name: str = "the table") -> Labelled:
    """Rows by column name. Raises NotMeasured if a column is missing or a label is none."""
    advertisements, scam, advertiser = [], [], []
    for number, row in enumerate(rows, start=1):
        if number > ROWS_MAX:
            raise NotMeasured(f"{name} has more than {ROWS_MAX:,} rows")
        try:
            advertisements.append(advertisement_of(row))
            label = _flag(row["IS_SCAMMER"])
            advertiser.append(row["ADVERTISER_KEY"] or f"row {number}")
        except KeyError as missing:
            raise NotMeasured(f"{name} has no column {missing}") from missing
        if math.isnan(label):
            raise NotMeasured(f"{name}, row {number}: IS_SCAMMER is {row['IS_SCAMMER']!r}")
        scam.append(label == 1)
    found = Labelled(tuple(advertisements), np.array(scam, dtype=bool), np.array(advertiser))
    if found.scam.all() or not found.scam.any():
        raise NotMeasured(f"{name} needs advertisements of both kinds")
    return found


def advertisement_of(row: dict[str, str]) -> Advertisement:
    """Raises KeyError with the name of a missing column; odd values are unknown ones."""
    price = _number(row["LISTING_PRICE"])
    return Advertisement(
        kind=_text(row["LISTING_KIND"]),
        place=_text(row["LISTING_CITY"]),
        price=price if price > 0 else math.nan,
        login_country=_text(row["LOGIN_COUNTRY_CODE"]),
        country=_text(row["LISTING_COUNTRY_CODE"]),
        registration_possible=_flag(row["LISTING_REGISTRATION_POSSIBLE"]),
        completeness=_number(row["ADVERTISER_COMPLETENESS_SCORE"]),
        is_managed=_flag(row["MANAGED_ACCOUNT"]),
        has_picture=_flag(row["HAS_PROFILE_PIC"]),
        browser=_text(row["BROWSER"]),
        system=_text(row["OS"]),
        mail_domain=_text(row["EMAIL_DOMAIN"]),
    )


def parts(advertiser: Sequence[str] | NDArray[np.str_], count: int, salt: str) -> NDArray[np.int64]:
    """A number below `count` for each row, always the same for the same advertiser and salt."""
    digests = [hashlib.blake2b(f"{salt}/{key}".encode(), digest_size=8) for key in advertiser]
    return np.array([int.from_bytes(each.digest()) % count for each in digests], dtype=np.int64)


def _text(stated: str | None) -> str:
    return (stated or "").strip().casefold()[:VALUE_LENGTH_MAX]


def _number(stated: str | None) -> float:
    try:
        found = float(stated or "nan")
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def _flag(stated: str | None) -> float:
    said = _text(stated)
    if said in _TRUE:
        return 1.0
    return 0.0 if said in _FALSE else math.nan
