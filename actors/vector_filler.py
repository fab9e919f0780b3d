"""Gives leads their vectors: one process at a time embeds what is listed and writes it down.

Which one is decided by a lock of the database, held by the connection that writes: when it is
lost, so is the right to write. What is embedded is the masked public text alone. While the
embedder is away leads wait, and are recommended by their facts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import asyncpg

from actors.models import Embedded, ModelUnavailable
from engine.adapters.postgres import lead_vectors
from engine.adapters.postgres.pool import SERVER_SETTINGS, set_codecs
from models_ml.embedding.lead_text import digest_of, text_of

log = logging.getLogger(__name__)

BATCH = 64
LOCK_SECONDS = 5.0
IDLE_SECONDS = 0.2
AWAY_SECONDS = 2.0
# How often it is looked for leads that were missed, and for bought ones without a vector.
SWEEP_SECONDS = 600.0
BOUGHT_DAYS = 180
BOUGHT_MAX = 5_000
FORGOTTEN = 10_000
_DAY_US = 86_400_000_000
AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class Wanted(NamedTuple):
    """Versions of the embedder whose vectors are kept: the live one, and one in the shadow."""

    live: int | None
    shadow: int | None = None

    @property
    def versions(self) -> list[int]:
        return [each for each in (self.live, self.shadow) if each is not None]


class Embedder(Protocol):
    """The embedder, asked for one of its versions."""

    async def embed(self, texts: list[str], role: str) -> Embedded:
        """Of `live` or `shadow`. Raises ModelUnavailable."""
        ...


class VectorFiller:
    """`run` until cancelled; `heard` of leads whose text may be new, by whoever follows them."""

    def __init__(
        self,
        database_url: str,
        embedder: Embedder,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._database_url = database_url
        self._embedder = embedder
        self._clock = clock
        self._connection: asyncpg.Connection | None = None
        # Leads to look at, by role, in the order in which they came.
        self._waiting: dict[str, dict[str, None]] = {"live": {}, "shadow": {}}
        self._wanted = Wanted(None)
        self._swept_at = -SWEEP_SECONDS
        self.written = 0

    @property
    def is_filling(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    @property
    def waiting(self) -> int:
        return sum(len(each) for each in self._waiting.values())

    def want(self, wanted: Wanted) -> None:
        """Fill these versions from now on."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._swept_at = -SWEEP_SECONDS

    def heard(self, lead_ids: Iterable[str]) -> None:
        """The texts of these leads may be new. Who does not fill needs not remember."""
        if self.is_filling:
            for lead_id in lead_ids:
                for waiting in self._waiting.values():
                    waiting[lead_id] = None

    async def run(self) -> None:
        while True:
            pause = IDLE_SECONDS
            try:
                if not await self.locked():
                    pause = LOCK_SECONDS
                elif await self.step():
                    pause = 0
            except ModelUnavailable as unavailable:
                log.info("leads wait for their vectors: %s", unavailable)
                pause = AWAY_SECONDS
            except AWAY as error:
                log.warning("vectors can't be written: %s", error or type(error).__name__)
                await self.stop()
                pause = AWAY_SECONDS
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def locked(self) -> bool:
        """Whether this process is the one that fills; becomes it if there is none."""
        if self.is_filling:
            return True
        connection = await asyncpg.connect(
            self._database_url,
            timeout=10,
            command_timeout=30,
            server_settings={**SERVER_SETTINGS, "application_name": "vector filler"},
        )
        await set_codecs(connection)
        if not await lead_vectors.lock(connection):
            await connection.close()
            return False
        self._connection = connection
        self._swept_at = -SWEEP_SECONDS
        return True

    async def step(self) -> bool:
        """Embed a batch; whether there is more to do at once."""
        assert self._connection is not None
        if time.monotonic() - self._swept_at >= SWEEP_SECONDS and self._wanted.versions:
            await self._sweep(self._connection)
            self._swept_at = time.monotonic()
        for role, version in (("live", self._wanted.live), ("shadow", self._wanted.shadow)):
            waiting = self._waiting[role]
            if version is None:
                waiting.clear()
            elif waiting:
                await self._embed(self._connection, role, version)
                return True
        return False

    async def _sweep(self, connection: asyncpg.Connection) -> None:
        """Find what lacks a vector of its text, and drop vectors that nobody wants."""
        since = self._clock() - BOUGHT_DAYS * _DAY_US
        for role, version in (("live", self._wanted.live), ("shadow", self._wanted.shadow)):
            if version is None:
                continue
            waiting = self._waiting[role]
            async with connection.transaction(readonly=True):
                async for text, digest in lead_vectors.texts_on_offer(connection, version):
                    if digest != digest_of(text_of(text.listing)):
                        waiting[text.lead_id] = None
            bought = await lead_vectors.bought_without(connection, version, since, BOUGHT_MAX)
            waiting.update(dict.fromkeys(bought))
        if self._wanted.shadow is None and self._wanted.live is not None:
            await self._forget(connection, self._wanted.live)

    async def _forget(self, connection: asyncpg.Connection, live: int) -> None:
        """Other versions' vectors go once the live one's cover as many leads."""
        covering = await lead_vectors.covering(connection)
        others = [count for version, count in covering.items() if version != live]
        if not self._waiting["live"] and covering.get(live, 0) >= max(others, default=0):
            await lead_vectors.forget(connection, [live], FORGOTTEN)

    async def _embed(self, connection: asyncpg.Connection, role: str, version: int) -> None:
        waiting = self._waiting[role]
        lead_ids = [lead_id for lead_id, _ in zip(waiting, range(BATCH), strict=False)]
        # Before their texts are read: whoever is heard of from here on waits anew.
        for lead_id in lead_ids:
            del waiting[lead_id]
        try:
            await self._embed_these(connection, role, version, lead_ids)
        except BaseException:
            waiting.update(dict.fromkeys(lead_ids))
            raise

    async def _embed_these(
        self, connection: asyncpg.Connection, role: str, version: int, lead_ids: list[str]
    ) -> None:
        texts = await lead_vectors.texts(connection, lead_ids)
        known = await lead_vectors.digests(connection, version, lead_ids)
        written = {text.lead_id: text_of(text.listing) for text in texts}
        digests = {lead_id: digest_of(text) for lead_id, text in written.items()}
        new = [text for text in texts if known.get(text.lead_id) != digests[text.lead_id]]
        if new:
            embedded = await self._embedder.embed([written[text.lead_id] for text in new], role)
            await lead_vectors.write(
                connection,
                embedded.version,
                new,
                [digests[text.lead_id] for text in new],
                embedded.vectors,
            )
            self.written += len(new)
            if embedded.version != version:
                # It was swapped: these leads are looked at again when the new one is wanted.
                log.info("the embedder answered by version %d, not %d", embedded.version, version)
