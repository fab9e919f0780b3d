"""The market from a program: `Client`, `AsyncClient`, and what they answer and raise."""

from aiqleads.client.async_client import AsyncClient
from aiqleads.client.sync_client import Client

__all__ = ["AsyncClient", "Client"]
