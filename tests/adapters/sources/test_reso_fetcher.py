"""Full and incremental sync with a RESO server, at its best and at its worst."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.adapters.sources import reso_fetcher
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.pace import Pace
from engine.adapters.sources.polite_client import PoliteClient
from engine.adapters.sources.reso_site import Faults
from engine.adapters.sources.retries import Retries
from engine.adapters.sources.safe_address import host_of, parsed_address
from engine.intake.record import SourceRecord
from engine.intake.reso import parse
from tests.adapters.sources.loopback import served
from tests.adapters.sources.reso_peer import SOURCE, Peer, Reader

Paging = Literal["token", "skip", "none"]
PAGINGS: tuple[Paging, ...] = ("token", "skip", "none")


def peer_of(count: int, *, faults: Faults | None = None, seconds: float = 60) -> Peer:
    peer = Peer(faults)
    for number in range(count):
        peer.put(f"k{number}", 100_000 + number)
        peer.wait(seconds=seconds)
    return peer


@pytest.mark.parametrize("paging", PAGINGS)
async def test_a_full_sync_then_what_changed_and_what_went(paging: Paging) -> None:
    peer = peer_of(25, faults=Faults(paging=paging), seconds=600)
    reader = Reader(peer, page_size="10")
    await reader.sync()
    assert reader.prices() == peer.prices()
    peer.wait(hours=1)
    peer.store.change("k3", peer.now, ListPrice=1)
    peer.store.remove("k4", peer.now)
    peer.store.change("k5", peer.now, StandardStatus="Closed")
    peer.put("new")
    before = reader.documents_taken
    await reader.sync()
    assert reader.documents_taken == before + 1
    assert reader.prices() == {k: v for k, v in peer.prices().items() if k != "k5"}
    for _run in range(3):
        await reader.sync()
    assert reader.documents_taken == before + 1


@pytest.mark.parametrize("paging", PAGINGS)
async def test_many_rows_of_one_moment(paging: Paging) -> None:
    peer = peer_of(35, faults=Faults(paging=paging), seconds=0)
    reader = Reader(peer, page_size="10")
    await reader.sync()
    assert reader.prices() == peer.prices()


async def test_a_token_that_expires_in_the_middle_is_renewed() -> None:
    peer = peer_of(48, faults=Faults(token_requests=3))
    reader = Reader(peer, page_size="5")
    await reader.sync()
    assert reader.prices() == peer.prices()
    assert peer.site.tokens_granted == 4
    assert len({url for url in reader.client.asked if "Property" in url}) == 10


async def test_wrong_credentials_are_an_error_of_the_run() -> None:
    peer = peer_of(1)
    reader = Reader(peer)
    peer.site.faults.token_requests = 0
    with pytest.raises(FetchFailed) as failed:
        await reader.sync()
    assert failed.value.reason == "status-401"
    assert peer.site.tokens_granted == 2


@pytest.mark.parametrize("paging", PAGINGS)
@pytest.mark.parametrize("forgets_links", [False, True])
async def test_a_run_cut_in_the_middle_goes_on_where_it_was(
    paging: Paging, forgets_links: bool
) -> None:
    peer = peer_of(50, faults=Faults(paging=paging, cut_pages={4}), seconds=600)
    reader = Reader(peer, page_size="10")
    with pytest.raises(FetchFailed):
        await reader.sync()
    assert len(reader.prices()) in (28, 30)
    peer.site.faults.forgets_links = forgets_links
    reader.client.asked.clear()
    await reader.sync()
    assert reader.prices() == peer.prices()
    assert len(reader.client.asked) < 6


@pytest.mark.parametrize("seconds", [0, 60])
async def test_a_link_forgotten_while_a_run_goes_on(seconds: float) -> None:
    peer = peer_of(30, seconds=seconds)
    reader = Reader(peer, page_size="5")

    def forget(page: int) -> None:
        peer.site.faults.forgets_links = page == 2

    await reader.sync(after_page=forget)
    assert reader.prices() == peer.prices()


async def test_links_too_long_to_be_asked() -> None:
    peer = peer_of(30, faults=Faults(link_padding=2_000))
    reader = Reader(peer, page_size="5")
    await reader.sync()
    assert reader.prices() == peer.prices()


@pytest.mark.parametrize("paging", PAGINGS)
async def test_rows_that_change_while_they_are_paged(paging: Paging) -> None:
    peer = peer_of(40, faults=Faults(paging=paging), seconds=600)
    reader = Reader(peer, page_size="10")

    def change(page: int) -> None:
        """Rows of the pages before move to the end, and all others move up."""
        peer.wait(minutes=10)
        for number in range(3):
            key = f"k{(page - 1) * 10 + number}"
            if page <= 4 and key in peer.store:
                peer.store.change(key, peer.now, ListPrice=page)

    await reader.sync(after_page=change)
    await reader.sync()
    assert reader.prices() == peer.prices()


async def test_what_a_server_drops_without_a_word_is_found_by_comparing() -> None:
    peer = peer_of(30)
    reader = Reader(peer, reconciles=True, page_size="10")
    await reader.sync()
    peer.store.drop("k7")
    peer.store.drop("k8")
    peer.wait(hours=1)
    await reader.sync()
    assert "k7" in reader.prices()
    peer.wait(hours=24)
    await reader.sync()
    assert reader.prices() == peer.prices()


async def test_a_change_that_came_with_an_old_timestamp_is_found_by_comparing() -> None:
    peer = peer_of(30, seconds=600)
    reader = Reader(peer, reconciles=True, page_size="10")
    await reader.sync()
    old = peer.now - timedelta(hours=1)
    peer.put("new", 1, at=old)
    peer.put("k3", 2, at=old)
    peer.wait(hours=25)
    await reader.sync()
    assert reader.prices() == peer.prices()


async def test_what_comes_back_as_it_was_is_told_again() -> None:
    peer = peer_of(3)
    reader = Reader(peer, reconciles=True, reconcile_hours="0.01")
    await reader.sync()
    row = peer.store.row("k2")
    peer.store.drop("k2")
    peer.wait(seconds=60)
    await reader.sync()
    assert "k2" not in reader.prices()
    peer.store.put(row)
    await reader.sync()
    assert reader.prices() == peer.prices()


async def test_a_server_that_lists_nothing_withdraws_nothing() -> None:
    peer = peer_of(5)
    reader = Reader(peer, reconciles=True, reconcile_hours="0.5")
    await reader.sync()
    kept = reader.prices()
    for key in list(peer.store):
        peer.store.drop(key)
    peer.wait(hours=1)
    with pytest.raises(FetchFailed) as failed:
        await reader.sync()
    assert failed.value.reason == "bad-page"
    assert reader.prices() == kept


async def test_a_row_that_becomes_visible_late_is_read() -> None:
    peer = peer_of(12, seconds=600)
    peer.put("edge")
    reader = Reader(peer, page_size="5")
    await reader.sync()
    peer.put("late", at=peer.now - timedelta(minutes=2))
    peer.put("newer")
    await reader.sync()
    assert reader.prices() == peer.prices()


async def test_a_row_from_the_future_hides_nothing() -> None:
    peer = peer_of(3)
    peer.put("future", at=peer.now + timedelta(days=400))
    reader = Reader(peer)
    await reader.sync()
    peer.wait(hours=2)
    peer.put("present")
    await reader.sync()
    assert reader.prices() == peer.prices()


async def test_a_next_link_to_elsewhere_is_refused_and_the_page_kept() -> None:
    peer = peer_of(3, faults=Faults(foreign_link="http://127.0.0.1:6379/Property"))
    reader = Reader(peer)
    with pytest.raises(FetchFailed) as failed:
        await reader.sync()
    assert failed.value.reason == "bad-address"
    assert "127.0.0.1:6379" in failed.value.detail
    assert reader.prices() == peer.prices()
    assert all(url.startswith("http://mls.test/") for url in reader.client.asked)


async def test_a_server_that_takes_no_order_is_followed_by_its_links() -> None:
    peer = peer_of(25)
    reader = Reader(peer, page_size="10", ordered="no", filter="OriginatingSystemName eq null")
    await reader.sync()
    assert reader.prices() == peer.prices()
    asked = [url for url in reader.client.asked if "Property" in url]
    assert not any("orderby" in url for url in asked)
    assert "OriginatingSystemName" in asked[0]


async def test_a_server_without_an_order_is_read_to_its_end() -> None:
    peer = peer_of(25, faults=Faults(in_order=False, cut_pages={3}), seconds=600)
    reader = Reader(peer, page_size="10", ordered="no")
    with pytest.raises(FetchFailed):
        await reader.sync()
    assert len(reader.prices()) == 20
    await reader.sync()
    assert reader.prices() == peer.prices()
    peer.store.change("k3", peer.now, ListPrice=1)
    before = reader.documents_taken
    await reader.sync()
    assert reader.prices() == peer.prices()
    assert reader.documents_taken == before + 1


async def test_a_filter_of_one_market() -> None:
    peer = peer_of(3)
    reader = Reader(peer, **{"filter": "City eq 'Plano'", "filter:dallas": "City eq 'Dallas'"})
    await reader.sync()
    assert reader.prices() == peer.prices()
    elsewhere = Reader(peer, filter="City eq 'Plano'")
    await elsewhere.sync()
    assert elsewhere.prices() == {}


@pytest.mark.parametrize("settings_", [{"page_size": "0"}, {"page_size": "many"}])
async def test_bad_settings_are_named(settings_: dict[str, str]) -> None:
    with pytest.raises(FetchFailed) as failed:
        await Reader(peer_of(1), **settings_).sync()
    assert failed.value.reason == "bad-settings"
    assert "page_size" in failed.value.detail


async def test_secrets_are_sent_by_https_only() -> None:
    peer = peer_of(1)
    reader = Reader(peer, token_url="http://mls.test/dallas/oauth2/token", client_id="a")
    reader.client.only_allowed = False
    with pytest.raises(FetchFailed) as failed:
        await reader.sync()
    assert "https" in failed.value.detail


async def test_over_http_with_the_polite_client() -> None:
    """A cut answer is asked for again within the run."""
    peer = peer_of(60, faults=Faults(cut_pages={2, 5}, token_requests=4))
    async with served(peer.site.app()) as site:
        host = host_of(parsed_address(site))
        client = PoliteClient(
            None,
            Pace(2_000, 8),
            allowed=frozenset({host}),
            only_allowed=True,
            credentials={"page_size": "10"},
            retries=Retries(4, 0.01, 0.02),
        )
        async with client:
            walk = reso_fetcher.discover(
                SOURCE, "dallas", client, base=f"{site}/dallas/", checkpoint={}
            )
            documents = [each async for batch in walk for each in batch]
    records = [each for document in documents for each in parse(document)]
    found = {r.source_id: r.list_price for r in records if isinstance(r, SourceRecord)}
    assert found == peer.prices()
    assert {document.market for document in documents} == {"dallas"}


# A history: what happens at the server, and when the reader comes.
KEYS = st.integers(0, 11).map("k{}".format)
PAUSES = st.sampled_from([0, 1, 40, 400, 4_000])
EVENTS = st.one_of(
    st.tuples(st.just("put"), KEYS, PAUSES),
    st.tuples(st.just("remove"), KEYS, PAUSES),
    st.tuples(st.just("close"), KEYS, PAUSES),
)
DROPS = st.tuples(st.just("drop"), KEYS, PAUSES)
Event = tuple[str, str, int]


class History:
    """Plays events at a server, some of them while a reader is paging."""

    def __init__(self, peer: Peer, reader: Reader) -> None:
        self.peer, self.reader = peer, reader
        self._price = 0

    def play(self, event: Event) -> None:
        kind, key, seconds = event
        self.peer.wait(seconds=seconds)
        self._price += 1
        if kind == "put":
            self.peer.put(key, self._price)
        elif key not in self.peer.store:
            return
        elif kind == "remove":
            self.peer.store.remove(key, self.peer.now)
        elif kind == "close":
            self.peer.store.change(key, self.peer.now, StandardStatus="Closed")
        else:
            self.peer.store.drop(key)

    async def sync(self, during: list[Event], cut: int | None) -> None:
        """A run with events between its pages, perhaps cut at its `cut`th."""
        left = list(during)

        def after_page(_number: int) -> None:
            if left:
                self.play(left.pop(0))

        faults = self.peer.site.faults
        faults.cut_pages = {self.peer.site.pages_asked + cut} if cut is not None else set()
        try:
            await self.reader.sync(after_page=after_page)
        except FetchFailed:
            if cut is None:
                raise
        faults.cut_pages = set()

    def server(self) -> dict[str, int]:
        rows = (self.peer.store.row(key) for key in self.peer.store)
        return {
            r["ListingKey"]: r["ListPrice"] for r in rows if r.get("StandardStatus") == "Active"
        }


def syncs(events: st.SearchStrategy[Event]) -> st.SearchStrategy[list[tuple[object, ...]]]:
    """(events before, events during, the page that is cut, whether links are forgotten)."""
    batch = st.lists(events, max_size=8)
    return st.lists(
        st.tuples(batch, batch, st.none() | st.integers(1, 4), st.booleans()), max_size=5
    )


async def play_all(history: History, rounds: list[tuple[object, ...]]) -> None:
    for before, during, cut, forgets in rounds:
        for event in before:  # type: ignore[attr-defined]
            history.play(event)
        history.peer.site.faults.forgets_links = bool(forgets)
        await history.sync(during, cut)  # type: ignore[arg-type]
    history.peer.wait(seconds=4_000)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PAGINGS), syncs(EVENTS))
def test_after_any_history_one_whole_run_equals_the_server(
    paging: Paging, rounds: list[tuple[object, ...]]
) -> None:
    async def run() -> None:
        peer = Peer(Faults(paging=paging))
        history = History(peer, Reader(peer, page_size="3"))
        await play_all(history, rounds)
        await history.sync([], None)
        assert history.reader.prices() == history.server()

    asyncio.run(run())


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PAGINGS), syncs(EVENTS | DROPS))
def test_after_any_history_with_silent_drops_comparing_equals_the_server(
    paging: Paging, rounds: list[tuple[object, ...]]
) -> None:
    async def run() -> None:
        peer = Peer(Faults(paging=paging))
        peer.put("always")
        history = History(peer, Reader(peer, reconciles=True, page_size="3"))
        await play_all(history, rounds)
        peer.wait(hours=30)
        await history.sync([], None)
        assert history.reader.prices() == history.server()

    asyncio.run(run())
