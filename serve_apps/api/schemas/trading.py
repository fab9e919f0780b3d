"""Cart, purchase, orders, wallet."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from serve_apps.api.schemas.fields import (
    AnswerModel,
    Credits,
    Id,
    Instant,
    Name,
    RequestModel,
    Term,
    whole,
)
from serve_apps.api.schemas.leads import Teaser
from serve_apps.api.schemas.problem import Problem

CHECKOUT_LEADS_MAX = 200
GRANT_MAX = 1_000_000_000


class HoldRequest(RequestModel):
    """Hold one seat of a lead at its price now."""

    lead_id: Id
    hold: Term = Field(description="a term of your plan, like 15m")


class ExtendRequest(RequestModel):
    """A longer term, counted from the first hold."""

    hold: Term


class Hold(AnswerModel):
    """A seat held at a locked price."""

    lead_id: str
    price: int
    hold: str
    held_until: Instant


class CartItem(Hold):
    """A live hold and its lead."""

    lead: Teaser


class Cart(AnswerModel):
    """Live holds, oldest first."""

    items: list[CartItem]
    total_credits: int


class BuyRequest(RequestModel):
    """`max_price` refuses a price above it."""

    max_price: Credits | None = None


class CheckoutRequest(RequestModel):
    """Which leads of the cart, in this order; all without."""

    lead_ids: Annotated[list[Id], Field(min_length=1, max_length=CHECKOUT_LEADS_MAX)] | None = None


class Contact(AnswerModel):
    """Whom to call: sent to the buyer who owns the order, to nobody else."""

    name: str | None
    phone: str | None
    email: str | None
    unparsed_address: str | None
    latitude: float | None
    longitude: float | None
    source_url: str | None
    is_invented: bool


class BoughtOrder(AnswerModel):
    """An order just made; `price` is what was paid."""

    order_id: str
    lead_id: str
    price: int
    bought_at: Instant
    contact: Contact | None


class RefusedLead(AnswerModel):
    """A lead that was not bought, and why."""

    lead_id: str
    problem: Problem


class Balance(AnswerModel):
    """Credits in the wallet."""

    balance: int = Field(ge=0)


class Purchase(AnswerModel):
    """What was bought, what was refused, and the wallet after it."""

    orders: list[BoughtOrder]
    refused: list[RefusedLead]
    total_credits: int
    wallet: Balance


class Order(BoughtOrder):
    """An order with its lead."""

    market: str
    lead: Teaser


class OrdersPage(AnswerModel):
    """Orders, newest first."""

    items: list[Order]
    next_cursor: str | None


class WalletEntry(AnswerModel):
    """One movement of credits; `amount` is negative when they left the wallet."""

    entry_id: str
    amount: int
    reason: str
    reference: str | None
    created_at: Instant


class EntriesPage(AnswerModel):
    """Ledger entries, newest first."""

    items: list[WalletEntry]
    next_cursor: str | None


class GrantRequest(RequestModel):
    """Credits given by the house."""

    credits: Annotated[int, Field(ge=1, le=GRANT_MAX), BeforeValidator(whole)]
    reason: Name


class Grant(AnswerModel):
    """A grant booked."""

    entry_id: str
    user_id: str
    credits: int
    reason: str
    balance: int
    created_at: Instant
