"""Every route as schemathesis sees it: no 5xx, no answer that the document does not have."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.buyer import People
from tests.e2e.conftest import http_client
from tests.e2e.own_installation import OwnInstallation

EXAMPLES_MAX = 5
SEED = 20260501
# What was found is printed as requests to repeat; this much of it is shown.
SHOWN_CHARACTERS = 12_000


async def _token(market: OwnInstallation, role: str) -> str:
    async with http_client(market) as http:
        people = People(market, http)
        if role == "admin":
            # An admin of its own: the run may suspend or demote whomever it finds.
            admin = await people.buyer()
            await people.change(admin, role="admin")
            return admin.access_token
        return (await people.buyer(credits=1_000)).access_token


# What a schema can't say is refused with 422: a market, plan or hold term that is not
# configured, a cursor that is not ours, a key that came with another body.
NOT_CHECKED = "positive_data_acceptance"
# Each role calls what is made for it; without a sign-in is checked by `ignored_auth`.
ROUTES = {
    "buyer": ("--exclude-path-regex", "^/v1/admin/"),
    "admin": ("--include-path-regex", "^/v1/admin/"),
}


@pytest.mark.parametrize("role", ["buyer", "admin"])
def test_answers_are_those_of_the_document(
    market: OwnInstallation, role: str, tmp_path: Path
) -> None:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run"),
        f"{market.base_url}/v1/openapi.json",
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", str(EXAMPLES_MAX), "--seed", str(SEED)),
        *("--generation-database", "none", "--no-color", "--continue-on-failure"),
        *("--exclude-checks", NOT_CHECKED, *ROUTES[role]),
        *("--header", f"Authorization: Bearer {asyncio.run(_token(market, role))}"),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-SHOWN_CHARACTERS:]
