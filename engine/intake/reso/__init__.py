"""RESO Web API and Data Dictionary 2.0: what an MLS serves, read to records."""

from engine.intake.reso.page import parse

__all__ = ["parse"]
