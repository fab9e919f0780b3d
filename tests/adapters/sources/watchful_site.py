"""A site that writes down when it was asked, and how many were asking at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


@dataclass
class WatchfulSite:
    """Each page takes `seconds`; `arrivals` are monotonic seconds, robots.txt left out.
    `on_arrival` is told the port that the visitor has on its side."""

    seconds: float = 0.02
    robots: str = ""
    on_arrival: Callable[[int], None] = lambda _port: None
    arrivals: list[float] = field(default_factory=list)
    here: int = 0
    here_most: int = 0
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/robots.txt", self._robots),
                Route("/page/{number}", self._page),
                Route("/hang", self._hang),
            ]
        )

    async def _robots(self, _request: Request) -> Response:
        return PlainTextResponse(self.robots)

    async def _page(self, request: Request) -> Response:
        assert request.client is not None
        self.on_arrival(request.client.port)
        self.arrivals.append(time.monotonic())
        self.here += 1
        self.here_most = max(self.here_most, self.here)
        await asyncio.sleep(self.seconds)
        self.here -= 1
        return PlainTextResponse("a page")

    async def _hang(self, _request: Request) -> Response:
        self.hanging.set()
        await asyncio.sleep(3_600)
        return Response()

    def fits(self, per_second: float, burst: int, slack_seconds: float = 0.1) -> bool:
        """True if no stretch of time saw more than a bucket of this rate and size gives out.

        `slack_seconds`: a request that was delayed on its way arrives closer to the next.
        """
        return all(
            count <= burst + per_second * (later - earlier + slack_seconds)
            for first, earlier in enumerate(self.arrivals)
            for count, later in enumerate(self.arrivals[first:], start=1)
        )
