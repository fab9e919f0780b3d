"""An API replica in a process of its own, whose calls to the books go through a socket to
whoever means to kill it: `python -m tests.serve_apps.api.doomed_replica SETTINGS SOCKET`."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from engine.settings import Settings
from serve_apps.api.server import ApiReplica


class Errand(msgspec.Struct, array_like=True):
    """One call to a market's book, as it goes over the socket."""

    market: str
    payload: bytes


async def serve(settings: Settings, socket_path: str) -> None:
    async def transport(market: str, payload: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(socket_path)
        writer.write(msgspec.msgpack.encode(Errand(market, payload)))
        writer.write_eof()
        replies = await reader.read()
        writer.close()
        return replies

    async def undo_merge(market: str, merge_id: str, by: str) -> None:
        raise NotImplementedError

    replica = ApiReplica(settings, transport=transport, undo_merge=undo_merge, port=0)
    await replica.start()
    print(replica.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1])
    asyncio.run(serve(Settings(_env_file=None, **given), sys.argv[2]))
