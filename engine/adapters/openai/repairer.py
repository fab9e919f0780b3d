"""The model that repairs records, reached through the OpenAI SDK."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    AuthenticationError,
    NotFoundError,
    OpenAIError,
    PermissionDeniedError,
    RateLimitError,
)
from openai.types.chat import ChatCompletion
from openai.types.shared_params import ResponseFormatJSONSchema
from pydantic import ValidationError

from engine.intake.repair import INSTRUCTIONS, RepairAnswer, RepairRequest

REQUEST_SECONDS = 30.0
# Retries included, and the pauses that a `Retry-After` asks for.
ANSWER_SECONDS = 90.0
RETRIES_MAX = 2
CONCURRENCY = 4
ANSWER_TOKENS_MAX = 2_000
ANSWER_LENGTH_MAX = 8_000
# After so many failures in a row the model is left alone for the rest of the run.
FAILURES_MAX = 5
# No tokenizer needs more than one token per two bytes of a listing and its frame.
_BYTES_PER_TOKEN = 2
_FRAME_TOKENS = 400
_NEVER_WORKS = (AuthenticationError, PermissionDeniedError, NotFoundError)
_FORMAT: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {
        "name": "listing_fields",
        "strict": True,
        "schema": RepairAnswer.model_json_schema(),
    },
}


class RepairCache(Protocol):
    """Answers by what was asked and of whom."""

    async def known(self, model: str, hashes: Sequence[str]) -> Mapping[str, Mapping[str, Any]]: ...

    async def keep(
        self, model: str, content_hash: str, answer: Mapping[str, Any], tokens: int
    ) -> None: ...


class ModelRepairer:
    """Answers the requests of one run within its budget of tokens.

    A failure is no answer, counted in `outcomes` by its reason: `answered`, `cached`,
    `over-budget`, `timeout`, `unreachable`, `rate-limited`, `server-error`, `denied`,
    `bad-request`, `declined`, `malformed`, `oversized`, `given-up`.
    """

    def __init__(
        self, client: AsyncOpenAI, model: str, cache: RepairCache, *, tokens_max: int
    ) -> None:
        self._client = client
        self._model = model
        self._cache = cache
        self._tokens_left = tokens_max
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._failures_in_a_row = 0
        self.outcomes: Counter[str] = Counter()

    @property
    def name(self) -> str:
        return self._model

    @property
    def tokens_left(self) -> int:
        """What the rest of the run may spend, should another repairer carry on."""
        return self._tokens_left

    async def answers(self, requests: Sequence[RepairRequest]) -> list[RepairAnswer | None]:
        """One answer per request, None where there is none. Never raises for the model's
        failures; raises asyncpg.PostgresError when the cache does."""
        distinct = {request.content_hash: request for request in requests}
        known = await self._cache.known(self._model, list(distinct))
        found = {hash_: answer for hash_, said in known.items() if (answer := _valid(said))}
        self.outcomes["cached"] += len(found)
        unknown = [hash_ for hash_ in distinct if hash_ not in found]
        asked = await asyncio.gather(*(self._ask(distinct[hash_], hash_) for hash_ in unknown))
        answered = {**found, **dict(zip(unknown, asked, strict=True))}
        return [answered[request.content_hash] for request in requests]

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, request: RepairRequest, content_hash: str) -> RepairAnswer | None:
        async with self._slots:
            if self._failures_in_a_row >= FAILURES_MAX:
                self.outcomes["given-up"] += 1
                return None
            tokens_most = _tokens_most(request)
            if tokens_most > self._tokens_left:
                self.outcomes["over-budget"] += 1
                return None
            # Set aside before the call: those under way can't overspend together.
            self._tokens_left -= tokens_most
            try:
                completion = await self._completion(request)
            except (OpenAIError, TimeoutError, ValueError) as error:
                # ValueError: a body that calls itself JSON and is none.
                if self._failed(error) != "timeout":
                    self._tokens_left += tokens_most
                return None
            tokens = _tokens_of(completion, tokens_most)
            self._tokens_left += tokens_most - tokens
        self._failures_in_a_row = 0
        answer = self._read(completion)
        if answer is not None:
            await self._cache.keep(self._model, content_hash, answer.model_dump(), tokens)
        return answer

    async def _completion(self, request: RepairRequest) -> ChatCompletion:
        async with asyncio.timeout(ANSWER_SECONDS):
            completion: ChatCompletion = await self._client.chat.completions.create(
                model=self._model,
                messages=[
                    {"role": "system", "content": INSTRUCTIONS},
                    {"role": "user", "content": request.message},
                ],
                response_format=_FORMAT,
                max_completion_tokens=ANSWER_TOKENS_MAX,
            )
        if not isinstance(completion, ChatCompletion):
            # The SDK hands on as text what does not call itself JSON.
            raise ValueError(f"no completion but {type(completion).__name__}")
        return completion

    def _failed(self, error: Exception) -> str:
        never = isinstance(error, _NEVER_WORKS)
        self._failures_in_a_row = FAILURES_MAX if never else self._failures_in_a_row + 1
        reason = _reason(error)
        self.outcomes[reason] += 1
        return reason

    def _read(self, completion: ChatCompletion) -> RepairAnswer | None:
        content = _content_of(completion)
        if content is None:
            outcome, answer = "declined", None
        elif len(content) > ANSWER_LENGTH_MAX:
            outcome, answer = "oversized", None
        else:
            answer = _parsed(content)
            outcome = "malformed" if answer is None else "answered"
        self.outcomes[outcome] += 1
        return answer


def client_for(api_key: str, url: str) -> AsyncOpenAI:
    """A client of the API at `url`, OpenAI's own if blank."""
    return AsyncOpenAI(
        api_key=api_key,
        base_url=url or None,
        timeout=REQUEST_SECONDS,
        max_retries=RETRIES_MAX,
    )


def _valid(said: Mapping[str, Any]) -> RepairAnswer | None:
    """A kept answer; None of one that was kept before the schema changed."""
    try:
        return RepairAnswer.model_validate(said)
    except ValidationError:
        return None


def _content_of(completion: ChatCompletion) -> str | None:
    """The answer's text. The SDK checks no types, so neither field is trusted to be there."""
    choices = completion.choices
    message = choices[0].message if choices else None
    content = getattr(message, "content", None)
    if getattr(message, "refusal", None) or not isinstance(content, str):
        return None
    return content or None


def _parsed(content: str) -> RepairAnswer | None:
    try:
        return RepairAnswer.model_validate_json(content)
    except ValidationError:
        return None


def _tokens_of(completion: ChatCompletion, tokens_most: int) -> int:
    """What it cost; the most it could have where the server doesn't say."""
    said = getattr(completion.usage, "total_tokens", None)
    return said if isinstance(said, int) and said >= 0 else tokens_most


def _tokens_most(request: RepairRequest) -> int:
    asked = len(INSTRUCTIONS) + len(request.message.encode())
    return asked // _BYTES_PER_TOKEN + _FRAME_TOKENS + ANSWER_TOKENS_MAX


def _reason(error: Exception) -> str:
    match error:
        case APITimeoutError() | TimeoutError():
            return "timeout"
        case RateLimitError():
            return "rate-limited"
        case AuthenticationError() | PermissionDeniedError() | NotFoundError():
            return "denied"
        case APIStatusError() if error.status_code >= 500:
            return "server-error"
        case APIStatusError():
            return "bad-request"
        case APIConnectionError():
            return "unreachable"
    return "malformed"
