"""A chat-completions API on loopback that answers what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answering = Callable[[dict[str, Any]], Response]


class ModelServer:
    """Keeps the bodies of the requests; `answering` decides on each, in turn the last one."""

    def __init__(self, *answering: Answering) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answering = answering
        self.app = Starlette(
            routes=[Route("/v1/chat/completions", self._complete, methods=["POST"])]
        )

    async def _complete(self, request: Request) -> Response:
        self.asked.append(json.loads(await request.body()))
        turn = min(len(self.asked), len(self._answering)) - 1
        return self._answering[turn](self.asked[-1])


def says(content: Any, *, tokens: Any = 900, **message: Any) -> Answering:
    """A completion whose message has this content, JSON unless it is text."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)

    def answer(body: dict[str, Any]) -> Response:
        return JSONResponse(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": text, **message},
                    }
                ],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": tokens},
            }
        )

    return answer


def fails(status: int, **headers: str) -> Answering:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda body: JSONResponse({"error": {"message": "no"}}, status, named)


def sends(content: bytes, media_type: str) -> Answering:
    return lambda body: Response(content, media_type=media_type)
