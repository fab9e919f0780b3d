"""The settings of a running installation: what is configured, the rest from what runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from engine.adapters.local.installation import Installation
from engine.adapters.local.process import is_running
from engine.settings import Settings

# Which setting each private service provides.
_PROVIDES = {
    "postgres": "database_url",
    "redis": "redis_url",
    "ray": "ray_address",
    "replay": "replay_url",
}


class NotRunning(RuntimeError):
    """A service that is needed is neither configured nor running."""


def fill_in(settings: Settings, installation: Installation) -> Settings:
    """`settings` with private services that run, generated secrets and absolute paths.

    What is configured is never replaced.
    """
    update: dict[str, Any] = {"data_dir": installation.data_dir}
    for service, name in _PROVIDES.items():
        record = installation.records.read(service)
        if not getattr(settings, name) and record is not None and is_running(record.process):
            update[name] = record.url
    secret = installation.secrets
    if not settings.jwt_secret.get_secret_value():
        update["jwt_secret"] = SecretStr(secret.jwt)
    if not settings.admin_email:
        update["admin_email"] = secret.admin_email
    if not settings.admin_password.get_secret_value():
        update["admin_password"] = SecretStr(secret.admin_password)
    for name in ("captures", "markets_file", "plans_file"):
        path: Path | None = getattr(settings, name)
        if path is not None:
            update[name] = path.absolute()
    return settings.model_copy(update=update)


def resolve_settings(settings: Settings | None = None) -> Settings:
    """Settings by which any terminal reaches the installation that runs here.

    Services that are neither configured nor running keep an empty URL.
    """
    configured = settings or Settings()
    installation = Installation.find(configured.data_dir)
    return configured if installation is None else fill_in(configured, installation)


def require(settings: Settings, *names: str) -> None:
    """Raise NotRunning naming the first of the settings `names` that is empty."""
    for name in names:
        if not getattr(settings, name):
            raise NotRunning(
                f"{name} is not configured and no private service runs in {settings.data_dir}: "
                f"start with `aiqleads up`, or set AIQLEADS_{name.upper()}"
            )


def join_ray_environment(installation: Installation) -> None:
    """Let this process speak to the private Ray, which `ray` must not be imported before.

    Ray reads these once, on import; without them it would try for minutes to
    reach a cluster that does not listen there. Raises RuntimeError if it is too late.
    """
    wanted = ray_environment(installation)
    known = {name: os.environ.get(name) for name in wanted}
    if "ray" in sys.modules and known != wanted:
        raise RuntimeError("ray was imported before the installation's Ray was joined")
    os.environ.update(wanted)


def ray_environment(installation: Installation) -> dict[str, str]:
    """What Ray's own processes and every driver must agree on."""
    return {
        # Keeps Ray from turning 127.0.0.1 into the machine's outward address.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(installation.ray_token_file),
        # One process an actor is more than Ray expects, and it says so between the steps of `up`.
        "RAY_DEDUP_LOGS_SKIP_REGEX": "PYTHON worker processes have been started",
    }
