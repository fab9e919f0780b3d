"""A RESO Web API of this machine's own, so that the sync is exercised as it will be outside.

    POST /{market}/oauth2/token       client-credentials grant
    GET  /{market}/$metadata
    GET  /{market}/Property           $filter $orderby $top $skip $skiptoken $select $count
    GET  /{market}/Property('{key}')

It stands for a server at its worst too: `Faults` are its switches. As part of the replay
site it asks for the client `replay` with the secret `replay`, which open nothing else.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl
from xml.sax.saxutils import quoteattr

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from engine.adapters.sources.reso_filter import Predicate, predicate_of
from engine.adapters.sources.reso_store import Head, PropertyStore
from engine.intake.reso.names import FIELDS, KEY, LOCAL_FIELDS, MODIFIED

CLIENT_ID = CLIENT_SECRET = "replay"
PAGE_SIZE = 200
PAGE_SIZE_MAX = 1_000
TOKEN_SECONDS = 3_600
_TOKENS_MAX = 100
_FORM_BYTES_MAX = 4_096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN = frozenset((*FIELDS, *LOCAL_FIELDS))
_OPTIONS = frozenset({"$filter", "$orderby", "$top", "$skip", "$skiptoken", "$select", "$count"})
_BY_KEY = re.compile(r"Property\('(.*)'\)", re.DOTALL)

Stores = Callable[[str], PropertyStore | None]


class Faults(msgspec.Struct):
    """What the server does to its clients. `paging` is how it links pages: by a token that
    stands for a place in the order, by a count of rows, or not at all. A token of access is
    refused after `token_requests` requests; answers to the Property requests in `cut_pages`
    (counted from 1) break in their middle; the links in use are forgotten once when
    `forgets_links` is set; `foreign_link` is sent as the next link; `in_order` false pages by
    key whatever the order asked for, and counts rows; `link_padding` makes links long."""

    paging: Literal["token", "skip", "none"] = "token"
    token_requests: int | None = None
    cut_pages: set[int] = set()
    forgets_links: bool = False
    foreign_link: str | None = None
    in_order: bool = True
    link_padding: int = 0


class _Asked(NamedTuple):
    """A query on Property, checked."""

    predicate: Predicate
    top: int
    skip: int
    after: Head | None
    select: frozenset[str]
    wants_count: bool


class ResoSite:
    """`stores` gives a market's Properties, None for a market that it has not."""

    def __init__(self, stores: Stores, faults: Faults | None = None) -> None:
        self._stores = stores
        self.faults = faults or Faults()
        self.pages_asked = 0
        self.tokens_granted = 0
        self._tokens: OrderedDict[str, int] = OrderedDict()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/{market}/oauth2/token", self.token, methods=["POST"]),
                Route("/{market}/{resource:path}", self.resource),
            ]
        )

    async def token(self, request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _FORM_BYTES_MAX:
                raise HTTPException(413, "too long for a request of a token")
        form = dict(parse_qsl(body.decode("ascii", "replace")))
        client = (form.get("client_id"), form.get("client_secret"))
        if form.get("grant_type") != "client_credentials" or client != (CLIENT_ID, CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        token = secrets.token_urlsafe(16)
        self._tokens[token] = 0
        self.tokens_granted += 1
        while len(self._tokens) > _TOKENS_MAX:
            self._tokens.popitem(last=False)
        granted = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return JSONResponse(granted)

    async def resource(self, request: Request) -> Response:
        store = await run_in_threadpool(self._stores, request.path_params["market"])
        if store is None:
            raise HTTPException(404, "no such market")
        self._check_token(request)
        resource = request.path_params["resource"]
        if resource == "$metadata":
            return Response(metadata(), media_type="application/xml", headers=_VERSION)
        if match := _BY_KEY.fullmatch(resource):
            return _one(store, match[1].replace("''", "'"), request)
        if resource != "Property":
            raise HTTPException(404, f"no resource {resource[:100]}")
        return self._page(store, request)

    def _check_token(self, request: Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or token not in self._tokens:
            raise HTTPException(401, "no token that is let in")
        self._tokens[token] += 1
        most = self.faults.token_requests
        if most is not None and self._tokens[token] > most:
            del self._tokens[token]
            raise HTTPException(401, "the token has expired")

    def _page(self, store: PropertyStore, request: Request) -> Response:
        self.pages_asked += 1
        asked = self._asked(request)
        # Without a count one row more than the page is enough to know that there are more.
        enough = None if asked.wants_count else asked.skip + asked.top + 1
        found = list(islice(self._fitting(store, asked), enough))
        taken = found[asked.skip : asked.skip + asked.top]
        page: dict[str, Any] = {"@odata.context": f"{request.url.path}/../$metadata#Property"}
        if asked.wants_count:
            page["@odata.count"] = len(found)
        page["value"] = [_chosen(row, asked.select) for _, row in taken]
        link = self.faults.foreign_link
        if link is None and asked.skip + len(taken) < len(found):
            link = self._link(request, asked, taken[-1][0])
        if link is not None:
            page["@odata.nextLink"] = link
        return self._sent(msgspec.json.encode(page))

    def _fitting(
        self, store: PropertyStore, asked: _Asked
    ) -> Iterator[tuple[Head, dict[str, Any]]]:
        heads = store.heads(asked.after)
        if not self.faults.in_order:
            heads = sorted(heads, key=lambda head: head.key)
        for head in heads:
            row = store.row(head.key)
            if asked.predicate(row):
                yield head, row

    def _sent(self, content: bytes) -> Response:
        if self.pages_asked not in self.faults.cut_pages:
            return Response(content, media_type="application/json", headers=_VERSION)

        async def half() -> AsyncIterator[bytes]:
            yield content[: len(content) // 2]

        return StreamingResponse(half(), headers={"Content-Length": str(len(content))})

    def _asked(self, request: Request) -> _Asked:
        options = dict(request.query_params)
        if unknown := options.keys() - _OPTIONS:
            raise HTTPException(400, f"options {', '.join(sorted(unknown))[:100]} are not known")
        order = [part.strip() for part in options.get("$orderby", MODIFIED).split(",")]
        if order[0].removesuffix(" asc") != MODIFIED or order[1:] not in ([], [KEY]):
            raise HTTPException(400, f"the order is by {MODIFIED}, then {KEY}")
        select = frozenset(part for part in options.get("$select", "").split(",") if part)
        if select - _KNOWN:
            raise HTTPException(400, f"no field {', '.join(sorted(select - _KNOWN))[:100]}")
        try:
            text = options.get("$filter")
            predicate = predicate_of(text) if text else _everything
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        return _Asked(
            predicate=predicate,
            top=min(_whole(options, "$top", PAGE_SIZE), PAGE_SIZE_MAX),
            skip=_whole(options, "$skip", 0),
            after=self._place(options.get("$skiptoken")),
            select=select,
            wants_count=options.get("$count") == "true",
        )

    def _link(self, request: Request, asked: _Asked, last: Head) -> str | None:
        if self.faults.paging == "none":
            return None
        if self.faults.paging == "skip" or not self.faults.in_order:
            skip = str(asked.skip + asked.top)
            return str(request.url.include_query_params(**{"$skip": skip}))
        token = msgspec.json.encode([_microseconds(last.modified), last.key])
        text = base64.urlsafe_b64encode(token).decode() + "." * self.faults.link_padding
        url = request.url.remove_query_params("$skip")
        return str(url.include_query_params(**{"$skiptoken": text}))

    def _place(self, token: str | None) -> Head | None:
        if token is None:
            return None
        if self.faults.forgets_links:
            self.faults.forgets_links = False
            raise HTTPException(410, "the link has expired")
        try:
            text = base64.urlsafe_b64decode(token.rstrip("."))
            moment, key = msgspec.json.decode(text, type=tuple[int, str])
        except (ValueError, msgspec.DecodeError) as error:
            raise HTTPException(400, "no such $skiptoken") from error
        return Head(_EPOCH + timedelta(microseconds=moment), key)


_VERSION = {"OData-Version": "4.0"}


def metadata() -> bytes:
    """The `$metadata` of what this server has."""
    fields = "".join(
        f'<Property Name={quoteattr(name)} Type="Edm.String"/>' for name in sorted(_KNOWN)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">'
        "<edmx:DataServices>"
        '<Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="org.reso.metadata">'
        f'<EntityType Name="Property"><Key><PropertyRef Name="{KEY}"/></Key>{fields}</EntityType>'
        '<EntityContainer Name="Default">'
        '<EntitySet Name="Property" EntityType="org.reso.metadata.Property"/></EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    ).encode()


def _one(store: PropertyStore, key: str, request: Request) -> Response:
    if key not in store:
        raise HTTPException(404, "no such Property")
    select = frozenset(n for n in request.query_params.get("$select", "").split(",") if n)
    return JSONResponse(dict(_chosen(store.row(key), select)), headers=_VERSION)


def _chosen(row: Mapping[str, Any], select: frozenset[str]) -> Mapping[str, Any]:
    return {name: row[name] for name in row if name in select} if select else row


def _everything(_row: Mapping[str, Any]) -> bool:
    return True


def _whole(options: Mapping[str, str], name: str, default: int) -> int:
    text = options.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise HTTPException(400, f"{name} must be a whole number")
    return int(text)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
