"""Craigslist's pages: posts of today's and older layouts, result pages, tables of results."""

from engine.intake.craigslist.document import PAGE_BYTES_MAX, parse, parse_post
from engine.intake.craigslist.page import SOURCE

__all__ = ["PAGE_BYTES_MAX", "SOURCE", "parse", "parse_post"]
