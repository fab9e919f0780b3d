"""The market from a program: `Client` waits, `AsyncClient` is awaited.

`errors` are what they raise, `answers` what they answer, `feed.channels` and `feed.messages`
what a feed takes and tells, `claims` checks how a contest was decided.
"""

from aiqleads.client import errors
from aiqleads.client.async_client import AsyncClient
from aiqleads.client.patience import NO_PATIENCE, Patience
from aiqleads.client.sync_client import Client

__all__ = ["NO_PATIENCE", "AsyncClient", "Client", "Patience", "errors"]
