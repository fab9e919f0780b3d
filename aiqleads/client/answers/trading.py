"""Cart, purchases, orders, wallet."""

from __future__ import annotations

from typing import Any

from aiqleads.client.answers.fields import Answer, Instant
from aiqleads.client.answers.leads import Teaser


class Hold(Answer, frozen=True, kw_only=True):
    """A seat held at a locked price. It is free again exactly at `held_until`."""

    lead_id: str
    price: int
    hold: str
    held_until: Instant


class CartItem(Hold, frozen=True, kw_only=True):
    """A live hold and its lead."""

    lead: Teaser


class Cart(Answer, frozen=True, kw_only=True):
    """Live holds, oldest first."""

    items: tuple[CartItem, ...]
    total_credits: int


class Contact(Answer, frozen=True, kw_only=True):
    """Whom to call. The market tells it to the buyer who owns the order, and to nobody else;
    so that it gets into no log, `repr` does not show it."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    unparsed_address: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    source_url: str | None = None
    is_invented: bool = False

    def __repr__(self) -> str:
        return "Contact(…)"


class BoughtOrder(Answer, frozen=True, kw_only=True):
    """An order just made; `price` is what was paid."""

    order_id: str
    lead_id: str
    price: int
    bought_at: Instant
    contact: Contact | None = None


class Order(BoughtOrder, frozen=True, kw_only=True):
    """An order with its lead."""

    market: str
    lead: Teaser


class RefusedLead(Answer, frozen=True, kw_only=True):
    """A lead that was not bought, and the problem that says why."""

    lead_id: str
    problem: dict[str, Any]

    @property
    def slug(self) -> str:
        """The problem's kind, like `insufficient-credits`."""
        return str(self.problem.get("type", ""))


class Balance(Answer, frozen=True, kw_only=True):
    """Credits in the wallet."""

    balance: int


class Purchase(Answer, frozen=True, kw_only=True):
    """What was bought, what was refused, and the wallet right after it."""

    orders: tuple[BoughtOrder, ...]
    total_credits: int
    wallet: Balance
    refused: tuple[RefusedLead, ...] = ()


class WalletEntry(Answer, frozen=True, kw_only=True):
    """One movement of credits; `amount` is negative when they left the wallet."""

    entry_id: str
    amount: int
    reason: str
    created_at: Instant
    reference: str | None = None
