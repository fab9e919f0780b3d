"""Which parser reads the documents of a source: the names that sources.toml uses.

`feed` reads by mappings, which are files: engine.adapters.sources.parsers adds it.
"""

from __future__ import annotations

from engine.intake import craigslist, facebook, linkedin
from engine.intake.document import Parser
from engine.intake.fsbo import parse as parse_fsbo
from engine.intake.realtor import parse as parse_realtor
from engine.intake.redfin import parse as parse_redfin
from engine.intake.reso import parse as parse_reso
from engine.intake.zillow import parse as parse_zillow

PARSERS: dict[str, Parser] = {
    "craigslist": craigslist.parse,
    "facebook": facebook.parse,
    "fsbo": parse_fsbo,
    "linkedin": linkedin.parse,
    "realtor": parse_realtor,
    "redfin": parse_redfin,
    "reso": parse_reso,
    "zillow": parse_zillow,
}
