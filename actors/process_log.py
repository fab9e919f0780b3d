"""What an actor's process logs: to its standard error, which Ray keeps in the session's logs."""

from __future__ import annotations

import logging

from engine.settings import Settings


def log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
