"""What both clients offer, said once: each operation is the function that builds its call."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, TypeVar, overload

from aiqleads.client.answers.fields import Page
from aiqleads.client.calls import (
    accounts,
    claims,
    leads,
    notifications,
    standing_orders,
    trading,
)
from aiqleads.client.calls import queue as line
from aiqleads.client.calls.call import Call
from aiqleads.client.pages import AsyncPages, Pages

P = ParamSpec("P")
T = TypeVar("T")


class Blocking(ABC):
    """Makes calls and waits for them."""

    @abstractmethod
    def ask(self, call: Call[T]) -> T:
        """Make a call built by `aiqleads.client.calls`."""


class Awaiting(ABC):
    """Makes calls that are awaited."""

    @abstractmethod
    async def ask(self, call: Call[T]) -> T:
        """Make a call built by `aiqleads.client.calls`."""


class Operation(Generic[P, T]):
    """A method of either client: the parameters of `build`, the answer of its call."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: None, owner: type) -> Operation[P, T]: ...

    def __get__(self, client: Blocking | Awaiting | None, owner: type) -> Any:
        if client is None:
            return self
        return _method(self._build, client.ask)


class Listing(Generic[P, T]):
    """A method that answers a list of any length, fetched page by page as it is walked through."""

    def __init__(self, build: Callable[P, Call[Page[T]]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, Pages[T]]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, AsyncPages[T]]: ...
    @overload
    def __get__(self, client: None, owner: type) -> Listing[P, T]: ...

    def __get__(self, client: Blocking | Awaiting | None, owner: type) -> Any:
        if client is None:
            return self
        pages: Any = Pages if isinstance(client, Blocking) else AsyncPages
        return _method(self._build, functools.partial(pages, client.ask))


def _method(build: Callable[P, Any], make: Callable[[Any], Any]) -> Callable[P, Any]:
    @functools.wraps(build)
    def method(*args: P.args, **kwargs: P.kwargs) -> Any:
        return make(build(*args, **kwargs))

    return method


class Operations:
    """The API, but for signing in and out, and the feed."""

    register = Operation(accounts.register)
    me = Operation(accounts.me)
    change_me = Operation(accounts.change_me)
    subscription = Operation(accounts.subscription)
    plans = Listing(accounts.plans)
    feed_ticket = Operation(accounts.feed_ticket)

    markets = Listing(leads.markets)
    market = Operation(leads.market)
    search = Listing(leads.search)
    lead = Operation(leads.lead)
    price = Operation(leads.price)
    recommendations = Operation(leads.recommendations)
    similar = Operation(leads.similar)
    claims = Operation(claims.claims)

    cart = Operation(trading.cart)
    hold = Operation(trading.hold)
    extend = Operation(trading.extend)
    release = Operation(trading.release)
    checkout = Operation(trading.checkout)
    buy = Operation(trading.buy)
    orders = Listing(trading.orders)
    order = Operation(trading.order)
    wallet = Operation(trading.wallet)
    entries = Listing(trading.entries)

    join_queue = Operation(line.join_queue)
    place = Operation(line.place)
    leave_queue = Operation(line.leave_queue)
    queue = Listing(line.queue)

    place_standing_order = Operation(standing_orders.place_standing_order)
    preview_standing_order = Operation(standing_orders.preview_standing_order)
    standing_order = Operation(standing_orders.standing_order)
    change_standing_order = Operation(standing_orders.change_standing_order)
    cancel_standing_order = Operation(standing_orders.cancel_standing_order)
    why = Operation(standing_orders.why)
    standing_orders = Listing(standing_orders.standing_orders)

    read_notification = Operation(notifications.read_notification)
    read_notifications = Operation(notifications.read_notifications)
    notification_settings = Operation(notifications.notification_settings)
    set_notifications = Operation(notifications.set_notifications)
    notifications = Listing(notifications.notifications)
