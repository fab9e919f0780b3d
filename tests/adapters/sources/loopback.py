"""A site on a loopback port for as long as a test needs it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def served(site: ASGIApp, **tls: str) -> AsyncIterator[str]:
    """The site's address, without a slash at the end. `tls` are uvicorn's `ssl_` settings."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                site, log_level="critical", ws="none", timeout_graceful_shutdown=1, **tls
            )
        )
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
