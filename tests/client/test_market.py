"""Both clients against the market itself: its routes, refusals, sessions and limits."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator

import pytest

from aiqleads.client import errors
from aiqleads.client.answers.accounts import Tokens
from aiqleads.client.answers.leads import Teaser
from aiqleads.client.patience import NO_PATIENCE
from tests.client.either import Either, Kind, either
from tests.serve_apps.api.world import CANARY, PASSWORD, World, running, world_settings

# Leads of other tests are in the same market: each search has prices of its own.
_price_ranges = itertools.count(1_000, 100)


def new_email() -> str:
    return f"buyer-{secrets.token_hex(6)}@example.com"


async def signed_up(world: World, kind: Kind, credits: int = 0, **options: object) -> Either:
    """A client of a new account that is signed in."""
    client = either(kind, str(world.http.base_url), **options)
    email = new_email()
    account = await client.call("register", email, PASSWORD, "Ann Buyer", preferred_market="austin")
    await client.call("login", email, PASSWORD)
    if credits:
        await world.grant(account.user_id, credits)
    return client


@pytest.fixture
async def buyer(world: World, kind: Kind) -> AsyncIterator[Either]:
    client = await signed_up(world, kind, credits=100)
    yield client
    await client.close()


async def test_an_account_is_opened_changed_and_left(world: World, kind: Kind) -> None:
    client = await signed_up(world, kind)
    account = await client.call("me")
    assert (account.full_name, account.preferred_market, account.plan) == (
        "Ann Buyer",
        "austin",
        "basic",
    )
    changed = await client.call("change_me", phone="+15125550100", clear=("preferred_market",))
    assert (changed.phone, changed.preferred_market) == ("+15125550100", None)
    assert (await client.call("subscription")).plan == "basic"
    assert {plan.plan for plan in await client.items("plans")} == {"basic", "pro", "enterprise"}
    with pytest.raises(errors.Conflict) as taken:
        await client.call("register", account.email, PASSWORD, "Ann")
    assert taken.value.slug == "email-taken"
    with pytest.raises(errors.Unauthorized):
        await client.call("login", account.email, "wrong horse")
    await client.call("logout")
    with pytest.raises(errors.SignedOut):
        await client.call("me")
    await client.close()


async def test_leads_are_found_page_by_page(world: World, buyer: Either) -> None:
    low = next(_price_ranges)
    bounds = {"market": "dallas", "price_min": low, "price_max": low + 6}
    made = {await world.lead(market="dallas", price=low + number) for number in range(7)}
    found = await buyer.items("search", **bounds, sort="price", page_size=3)
    assert {lead.lead_id for lead in found} == made
    assert [lead.price for lead in found] == list(range(low, low + 7))
    page = await buyer.first("search", **bounds, facets=["lead_state"], page_size=2)
    assert (len(page.items), page.total) == (2, 7)
    assert page.facets["lead_state"][0].count == 7
    lead = await buyer.call("lead", found[0].lead_id)
    assert isinstance(lead, Teaser)
    assert lead.market == "dallas"
    with pytest.raises(errors.Invalid) as wrong:
        await buyer.items("search", sort="distance")
    assert wrong.value.errors[0]["location"] == "query.sort"
    with pytest.raises(errors.NotFound):
        await buyer.call("lead", "no/such/lead")


async def test_markets_can_be_seen_by_anyone(world: World, kind: Kind) -> None:
    client = either(kind, str(world.http.base_url))
    assert {market.market for market in await client.items("markets")} >= {"austin", "dallas"}
    assert (await client.call("market", "austin")).counts.available >= 0
    await client.close()


async def test_a_lead_is_held_bought_and_its_contact_read(world: World, buyer: Either) -> None:
    lead_id, other = await world.lead(price=10), await world.lead(price=12)
    held = await buyer.call("hold", lead_id)
    assert (held.price, held.hold) == (10, "15m")
    with pytest.raises(errors.AlreadyHeld):
        await buyer.call("hold", lead_id)
    with pytest.raises(errors.PlanRequired):
        await buyer.call("extend", lead_id, "24h")
    cart = await buyer.call("cart")
    assert [(item.lead_id, item.held_until) for item in cart.items] == [(lead_id, held.held_until)]
    purchase = await buyer.call("checkout")
    [order] = purchase.orders
    assert (order.price, purchase.wallet.balance) == (10, 90)
    assert order.contact.name == CANARY
    assert CANARY not in repr(purchase)
    with pytest.raises(errors.PriceChanged):
        await buyer.call("buy", other, max_price=11)
    await buyer.call("buy", other, max_price=12)
    orders = await buyer.items("orders", page_size=1)
    assert [each.lead_id for each in orders] == [other, lead_id]
    assert await buyer.call("order", order.order_id) == orders[1]
    assert (await buyer.call("wallet")).balance == 78
    entries = await buyer.items("entries", page_size=2)
    assert sum(entry.amount for entry in entries) == 78
    with pytest.raises(errors.AlreadyBought):
        await buyer.call("buy", other)


async def test_what_is_given_back_is_gone(world: World, buyer: Either) -> None:
    lead_id = await world.lead()
    await buyer.call("hold", lead_id)
    assert await buyer.call("release", lead_id) is None
    for again in ("release", "checkout"):
        with pytest.raises(errors.NotInCart):
            await buyer.call(again, *([lead_id] if again == "release" else []))


async def test_a_checkout_that_buys_nothing_says_what_was_refused(
    world: World, buyer: Either
) -> None:
    cheap, dear = await world.lead(price=60), await world.lead(price=70)
    for lead_id in (cheap, dear):
        await buyer.call("hold", lead_id)
    purchase = await buyer.call("checkout", [cheap, dear])
    assert [order.lead_id for order in purchase.orders] == [cheap]
    assert [(each.lead_id, each.slug) for each in purchase.refused] == [
        (dear, "insufficient-credits")
    ]
    with pytest.raises(errors.InsufficientCredits) as caught:
        await buyer.call("checkout")
    assert caught.value.members["refused"][0]["lead_id"] == dear
    assert not caught.value.is_outcome_unknown


async def test_a_key_of_ones_own_is_done_once_for_all_time(world: World, buyer: Either) -> None:
    lead_id = await world.lead(price=10, seats=3)
    first = await buyer.call("buy", lead_id, key="crm-4711")
    again = await buyer.call("buy", lead_id, key="crm-4711")
    assert again == first
    assert (await buyer.call("wallet")).balance == 90
    with pytest.raises(errors.Invalid) as other:
        await buyer.call("buy", lead_id, key="crm-4711", max_price=5)
    assert other.value.slug == "idempotency-mismatch"


async def test_sessions_of_a_second_are_renewed_under_many_calls_at_once(
    fresh_database_url: str, redis_url: str, kind: Kind
) -> None:
    kept: list[object] = []
    settings = world_settings(fresh_database_url, redis_url, access_token_seconds=1)
    async with running(settings) as world:
        client = await signed_up(world, kind, on_tokens=kept.append)
        for _ in range(3):
            await asyncio.sleep(0.95)
            balances = await asyncio.gather(*(client.call("wallet") for _ in range(16)))
            assert {each.balance for each in balances} == {0}
        assert len(kept) >= 4, "a login, and a renewal each time"
        assert None not in kept, "no session was lost to a refresh token used twice"
        await client.close()


async def test_a_session_goes_on_in_another_process(world: World, kind: Kind) -> None:
    kept: list[Tokens] = []
    first = await signed_up(world, kind, on_tokens=kept.append)
    second = either(kind, str(world.http.base_url), tokens=kept[-1])
    assert await second.call("me") == await first.call("me")
    await first.close()
    await second.close()


async def test_a_limit_is_waited_for_if_there_is_patience(
    fresh_database_url: str, redis_url: str, kind: Kind
) -> None:
    settings = world_settings(fresh_database_url, redis_url, rate_limit_basic=3)
    async with running(settings) as world:
        client = await signed_up(world, kind, patience=NO_PATIENCE)
        for _ in range(3):
            await client.call("wallet")
        with pytest.raises(errors.RateLimited) as caught:
            await client.call("wallet")
        assert 0 < (caught.value.retry_after or 0) <= 60
        await client.close()
