"""Compares the RESO names and values used here with the official metadata.

    python -m engine.adapters.sources.reso_dictionary CAPTURES

prints each difference from `reso/` in the folder of captures and ends with exit code 1 if
there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.intake.reso.dictionary import (
    Dictionary,
    dictionary_of_csv,
    dictionary_of_edmx,
    differences,
)


def official_dictionaries(captures: Path) -> Iterator[tuple[str, Dictionary]]:
    """(name, dictionary) of each form of the official metadata. Raises OSError if one is
    missing."""
    folder = captures / "reso"
    yield (
        "dd-2.0 tables",
        dictionary_of_csv(
            (folder / "dd-2.0-fields.csv").read_text(encoding="utf-8-sig"),
            (folder / "dd-2.0-lookups.csv").read_text(encoding="utf-8-sig"),
        ),
    )
    yield (
        "dd-2.0 $metadata",
        dictionary_of_edmx((folder / "RESODataDictionary-2.0.edmx.xml").read_bytes()),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", type=Path, help="the folder that holds reso/")
    found = 0
    for name, dictionary in official_dictionaries(parser.parse_args().captures):
        for difference in differences(dictionary):
            print(f"{name}: {difference}")
            found += 1
        print(f"{name}: {len(dictionary.fields)} fields of Property read")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
