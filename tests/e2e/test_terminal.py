"""What the terminal shows of a running market."""

from __future__ import annotations

import json

from tests.e2e.buyer import People
from tests.e2e.own_installation import OwnInstallation


async def test_watch_prints_events_as_json(people: People) -> None:
    buyer = await people.buyer()
    [lead, *_] = await buyer.everything("/v1/leads", market="austin", lead_state="available")
    since = await buyer.seq("austin")
    assert (await buyer.hold(lead["lead_id"])).status_code == 201
    released = await buyer.ask("DELETE", f"/v1/cart/items/{lead['lead_id']}")
    assert released.status_code == 204
    arguments = ("watch", "austin", "--json", "--since", str(since), "--limit", "2")
    done = people.installation.succeed(*arguments)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["type"] for event in events] == ["lead.held", "lead.released"]
    assert {event["lead"]["lead_id"] for event in events} == {lead["lead_id"]}


def test_watch_says_why_it_can_not(market: OwnInstallation) -> None:
    unknown = market.command("watch", "atlantis")
    assert unknown.returncode == 1
    assert "market:atlantis" in unknown.stderr
    wrong = market.command("watch", "austin", "--email", "nobody@e2e.example", "--password", "no")
    assert wrong.returncode == 1
    assert "nobody@e2e.example" in wrong.stderr


def test_status_tells_every_part(market: OwnInstallation) -> None:
    told = json.loads(market.succeed("status", "--json").stdout)
    assert told["healthy"] is True
    parts = {part["part"] for part in told["parts"]}
    assert {"postgres", "redis", "ray", "replay", "api", "book:austin", "desk:austin"} <= parts


def test_doctor_finds_the_books_in_order(market: OwnInstallation) -> None:
    told = json.loads(market.succeed("doctor", "--json").stdout)
    assert told["well"] is True
    [books] = [finding for finding in told["findings"] if finding["name"] == "books"]
    assert books["well"] is True


def test_a_second_up_changes_nothing(market: OwnInstallation) -> None:
    before = {(process.pid, process.create_time()) for process in market.processes()}
    replicas = market.actors("ServeReplica")
    told = json.loads(market.succeed("up", "--json").stdout)
    assert told["was_running"] is True
    assert told["url"] == market.base_url
    assert told["new_admin_password"] is None
    after = {(process.pid, process.create_time()) for process in market.processes()}
    assert {process.pid for process in replicas} <= {pid for pid, _ in after}
    assert replicas
    # Backends and idle workers come and go; what serves stays.
    served = {process.pid for name in ("BookActor", "DeskActor") for process in market.actors(name)}
    assert served <= {pid for pid, _ in before}


def test_unknown_sources_and_markets_are_named(market: OwnInstallation) -> None:
    source = market.command("ingest", "gazette")
    assert source.returncode == 1
    assert "gazette" in source.stderr
    assert "craigslist" in source.stderr
    place = market.command("ingest", "craigslist", "--market", "atlantis")
    assert place.returncode == 1
    assert "atlantis" in place.stderr
