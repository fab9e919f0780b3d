"""A RESO Web API as we ask it: with a bearer token, page by page, on its own host only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

import httpx
import msgspec

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.http_exchange import Answer
from engine.adapters.sources.polite_client import PoliteClient
from engine.adapters.sources.safe_address import host_of, origin_of, parsed_address
from engine.intake.reso.names import KEY, MODIFIED

PAGE_BYTES_MAX = 32 * 1024 * 1024
# A token is renewed this long before its end, or after nine tenths of a shorter life.
_RENEW_SECONDS = 60.0
# The Web API has 403 for a failed authentication, the rules of HTTP have 401.
_NOT_LET_IN = frozenset({"status-401", "status-403"})
_REPLAY_CREDENTIALS = {"client_id": "replay", "client_secret": "replay"}


class Row(NamedTuple):
    """One Property as sent; `key` and `modified` as stated, `modified` None if it is no text."""

    key: str | None
    modified: str | None
    status: str | None
    content: bytes


class Page(NamedTuple):
    """`following` is the server's link to the next page, absolute, perhaps to elsewhere."""

    answer: Answer
    rows: list[Row]
    following: str | None


class _Envelope(msgspec.Struct):
    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class _Head(msgspec.Struct):
    key: Any = msgspec.field(default=None, name=KEY)
    modified: Any = msgspec.field(default=None, name=MODIFIED)
    status: Any = msgspec.field(default=None, name="StandardStatus")


_envelope = msgspec.json.Decoder(_Envelope)
_head = msgspec.json.Decoder(_Head)


class ResoService:
    """One service root. Use it within one run: it keeps the token.

    Settings are the source's credentials: `token` (a bearer that does not expire), or
    `token_url`, `client_id`, `client_secret` and perhaps `scope` of the client-credentials
    grant. The replay site has credentials of its own.
    """

    def __init__(
        self, client: PoliteClient, base: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.root = parsed_address(base if base.endswith("/") else f"{base}/")
        self._client = client
        self._clock = clock
        self._credentials: Mapping[str, str] = client.credentials
        if client.only_allowed:
            token_url = str(self.root.join("oauth2/token"))
            self._credentials = {**_REPLAY_CREDENTIALS, "token_url": token_url}
        self._token = self._credentials.get("token")
        self._token_ends: float | None = None
        self.server_date: str | None = None

    def address_of(self, resource: str, options: Mapping[str, str]) -> str:
        """`Property?$filter=...` under the service root. `resource` is quoted already."""
        query = "&".join(f"{name}={quote(text, safe='(),:/')}" for name, text in options.items())
        address = f"{self.root}{resource}"
        return f"{address}?{query}" if query else address

    def address_of_key(self, key: str, options: Mapping[str, str]) -> str:
        """`Property('a1')?...`: the Property of one key."""
        literal = key.replace("'", "''")
        return self.address_of(f"Property('{quote(literal, safe='')}')", options)

    def is_here(self, url: str) -> bool:
        """Whether an address, be it too long to be asked, is on the service's own host."""
        try:
            return origin_of(httpx.URL(url)) == origin_of(self.root)
        except (httpx.InvalidURL, KeyError, ValueError):
            return False

    async def get(self, url: str) -> Answer:
        """The answer, with a new token if the one at hand is not let in any more.

        Raises FetchFailed; `bad-address` for another host than the service's.
        """
        if not self.is_here(url):
            there = f"{url[:200]!r} is not at {host_of(self.root)}"
            raise FetchFailed(str(self.root), "bad-address", there)
        try:
            answer = await self._ask(url)
        except FetchFailed as failed:
            if failed.reason not in _NOT_LET_IN or not self._can_renew:
                raise
            self._token = None
            answer = await self._ask(url)
        self.server_date = answer.headers.get("date", self.server_date)
        return answer

    async def page(self, url: str) -> Page:
        """Raises FetchFailed, `bad-page` for what is no page of Properties."""
        answer = await self.get(url)
        try:
            envelope = _envelope.decode(answer.content)
            rows = [_row(raw) for raw in envelope.value]
        except (msgspec.DecodeError, RecursionError) as error:
            raise FetchFailed(url, "bad-page", f"{error}: {answer.content[:200]!r}") from error
        return Page(answer, rows, _joined(answer.url, envelope.next_link))

    @property
    def _can_renew(self) -> bool:
        return "token_url" in self._credentials

    async def _ask(self, url: str) -> Answer:
        headers = {"Accept": "application/json", **await self._authorization()}
        answer = await self._client.get(url, headers=headers, bytes_max=PAGE_BYTES_MAX)
        assert answer is not None  # Nothing conditional was asked.
        return answer

    async def _authorization(self) -> dict[str, str]:
        ended = self._token_ends is not None and self._clock() >= self._token_ends
        if self._can_renew and (self._token is None or ended):
            await self._renew()
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def _renew(self) -> None:
        url = self._credentials["token_url"]
        if parsed_address(url).scheme != "https" and not self._client.only_allowed:
            raise FetchFailed(url, "bad-address", "secrets are sent by https only")
        form = {"grant_type": "client_credentials"}
        for name in ("client_id", "client_secret", "scope"):
            if name in self._credentials:
                form[name] = self._credentials[name]
        answer = await self._client.post(url, form, {"Accept": "application/json"})
        self._token, seconds = _granted(url, answer.content)
        life = max(seconds - _RENEW_SECONDS, seconds * 0.9) if seconds else None
        self._token_ends = self._clock() + life if life else None


def _granted(url: str, content: bytes) -> tuple[str, float | None]:
    """(token, its life in seconds if stated). What the answer says is told to nobody."""
    try:
        grant = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FetchFailed(url, "bad-page", "the token endpoint answered no JSON") from error
    token = grant.get("access_token") if isinstance(grant, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise FetchFailed(url, "bad-page", "the token endpoint answered no access_token")
    seconds = grant.get("expires_in")
    try:
        return token, float(seconds) if seconds is not None else None
    except (TypeError, ValueError):
        return token, None


def _row(raw: msgspec.Raw) -> Row:
    """A row that is no object has no key; the parser tells what is wrong with it."""
    content = bytes(raw)
    try:
        head = _head.decode(content)
    except msgspec.ValidationError:
        return Row(None, None, None, content)
    key = head.key if isinstance(head.key, str) else None
    modified = head.modified if isinstance(head.modified, str) else None
    return Row(key, modified, head.status if isinstance(head.status, str) else None, content)


def _joined(url: str, link: str | None) -> str | None:
    if not link:
        return None
    try:
        return urljoin(url, link)
    except (ValueError, httpx.InvalidURL) as error:
        raise FetchFailed(url, "bad-page", f"next link {link[:200]!r}: {error}") from error
