"""200 buyers want one lead that has three seats, and some of them can't pay."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.e2e.buyer import Buyer, People, new_key
from tests.e2e.conftest import WELCOME_CREDITS, http_client
from tests.e2e.own_installation import OwnInstallation

BUYERS = 200
# Every fourth has no more than what everyone gets.
POOR_EVERY = 4
GRANT = 1_000
REGISTERED_AT_ONCE = 8

Account = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def crowd(market: OwnInstallation) -> list[Account]:
    """Signed-in accounts: (user id, e-mail, tokens)."""
    return asyncio.run(_gather_crowd(market))


async def _gather_crowd(market: OwnInstallation) -> list[Account]:
    async with http_client(market) as http:
        people = People(market, http)
        await people.admin()
        slots = asyncio.Semaphore(REGISTERED_AT_ONCE)

        async def one(number: int) -> Account:
            async with slots:
                buyer = await people.buyer(credits=0 if number % POOR_EVERY == 0 else GRANT)
            tokens = {"access_token": buyer.access_token, "refresh_token": buyer.refresh_token}
            return buyer.user_id, buyer.email, tokens

        return await asyncio.gather(*(one(number) for number in range(BUYERS)))


async def _dear_lead_with_three_seats(buyer: Buyer) -> dict[str, Any]:
    leads = await buyer.everything("/v1/leads", market="phoenix", lead_state="available")
    free = [lead for lead in leads if lead["max_buyers"] == lead["seats_left"] == 3]
    dearest = max(free, key=lambda lead: lead["price"])
    assert dearest["price"] > WELCOME_CREDITS, "the poor could pay: the test shows nothing"
    return dearest


@pytest.mark.parametrize("repeats", [1, 3])
async def test_exactly_three_solvent_buyers_get_the_seats(
    people: People, crowd: list[Account], repeats: int
) -> None:
    buyers = [Buyer(people.http, *account) for account in crowd]
    lead = await _dear_lead_with_three_seats(buyers[0])
    before = await asyncio.gather(*(buyer.balance() for buyer in buyers))
    orders_before = len(await _orders(buyers))

    keys = [new_key() for _ in buyers]
    answers: list[httpx.Response] = await asyncio.gather(
        *(
            buyer.buy(lead["lead_id"], key=key)
            for _ in range(repeats)
            for buyer, key in zip(buyers, keys, strict=True)
        )
    )

    outcomes: list[httpx.Response] = []
    for number in range(BUYERS):
        given = answers[number::BUYERS]
        # The request's own id apart, which a problem names, repeats are answered alike.
        assert len({_essence(answer) for answer in given}) == 1, [a.text for a in given]
        outcomes.append(given[0])
    winners = [n for n, answer in enumerate(outcomes) if answer.status_code == 201]
    assert len(winners) == 3
    assert not [n for n in winners if n % POOR_EVERY == 0]
    slugs = Counter(answer.json()["type"] for answer in outcomes if answer.status_code != 201)
    assert set(slugs) <= {"lead-unavailable", "insufficient-credits"}
    assert {answer.status_code for answer in outcomes} <= {201, 402, 409}

    after = await asyncio.gather(*(buyer.balance() for buyer in buyers))
    paid = {n: before[n] - after[n] for n in range(BUYERS) if before[n] != after[n]}
    orders = {n: outcomes[n].json()["orders"][0] for n in winners}
    assert paid == {n: order["price"] for n, order in orders.items()}
    assert len({order["order_id"] for order in orders.values()}) == 3
    assert len(await _orders(buyers)) == orders_before + 3
    seen = await buyers[0].read(f"/v1/leads/{lead['lead_id']}")
    assert (seen["lead_state"], seen["seats_left"]) == ("sold", 0)


async def _orders(buyers: list[Buyer]) -> list[dict[str, Any]]:
    lists = await asyncio.gather(*(buyer.everything("/v1/orders") for buyer in buyers))
    return [order for orders in lists for order in orders]


def _essence(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    body.pop("request_id", None)
    return answer.status_code, repr(body)
