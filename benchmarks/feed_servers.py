"""The two servers of `benchmarks/feed`, each a process of its own on uvloop.

    python -m benchmarks.feed_servers marketplace|marketplace-single-events|baseline PORT

`marketplace` is one API replica as installed; with single events it makes a frame of each
event, however many come together. `baseline` is what most teams would build:
FastAPI and uvicorn with their defaults, one task that reads the same Redis stream, and
for each event a loop of `send_text` over the sockets. It keeps no read model, checks no
contiguity, bounds no buffer and expires no token, which is in its favour.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import jwt
import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from redis.asyncio import Redis

from actors.client import BookGone
from engine.settings import Settings
from serve_apps.api.feed import frame
from serve_apps.api.server import ApiReplica

MARKET = "austin"


async def serve_marketplace(port: int) -> None:
    async def no_books(market: str, payload: bytes) -> bytes:
        raise BookGone("nothing is traded here")

    replica = ApiReplica(Settings(), transport=no_books, port=port)
    await replica.start()
    await asyncio.Event().wait()


sockets: set[WebSocket] = set()


async def send_events() -> None:
    redis = Redis.from_url(os.environ["AIQLEADS_REDIS_URL"])
    last = "$"
    while True:
        for _, entries in await redis.xread({f"feed:{MARKET}": last}, block=1000) or ():
            for entry_id, fields in entries:
                last = entry_id
                for event in json.loads(fields[b"events"]):
                    await send_event(event)


async def send_event(event: dict) -> None:
    frame = {
        "type": "events",
        "channel": f"market:{MARKET}",
        "from_seq": event["seq"],
        "to_seq": event["seq"],
        "events": [event],
    }
    text = json.dumps(frame, separators=(",", ":"))
    for socket in list(sockets):
        try:
            await socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            sockets.discard(socket)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    sending = asyncio.create_task(send_events())
    yield
    sending.cancel()


app = FastAPI(lifespan=lifespan)


@app.websocket("/v1/feed")
async def feed(socket: WebSocket) -> None:
    token = socket.headers["authorization"].removeprefix("Bearer ")
    jwt.decode(token, os.environ["AIQLEADS_JWT_SECRET"], algorithms=["HS256"])
    await socket.accept()
    with suppress(WebSocketDisconnect):
        asked = json.loads(await socket.receive_text())
        sockets.add(socket)
        await socket.send_json({"type": "subscribed", "channel": asked["channel"]})
        while True:
            await socket.receive_text()
    sockets.discard(socket)


def main() -> None:
    side, port = sys.argv[1], int(sys.argv[2])
    if side.startswith("marketplace"):
        if side.endswith("single-events"):
            frame.EVENTS_PER_FRAME = 1
        uvloop.run(serve_marketplace(port))
    else:
        uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", log_level="warning")


if __name__ == "__main__":
    main()
