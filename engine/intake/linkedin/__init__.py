"""The professional network: people, companies, openings and moves as signals, never leads."""

from engine.intake.linkedin.document import linkedin_parser, parse
from engine.intake.linkedin.signals import SOURCE

__all__ = ["SOURCE", "linkedin_parser", "parse"]
