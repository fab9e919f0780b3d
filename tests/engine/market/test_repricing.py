"""New prices: what they set out from, what made them, and commands of before."""

from __future__ import annotations

import msgspec

from engine.market import commands as c
from engine.market import events as e
from engine.market.answers import Done, Request
from engine.market.batch import decide_batch
from engine.market.book import Book
from engine.market.commands import Refused
from engine.market.lead import Lead
from engine.market.listing import Listing
from engine.market.outcome import Outcome, Priced

NOW = 1_800_000_000_000_000


def _book(**prices: int) -> Book:
    book = Book()
    for lead_id, price in prices.items():
        book.load_lead(lead_id, Lead(price, 1))
    return book


def _carry_out(book: Book, *commands: c.Command) -> Outcome:
    requests = [Request(bytes([n]) * 16, command) for n, command in enumerate(commands)]
    return decide_batch(book, requests, known={}, accounts={}, now=NOW, position=10, feed_seq=5)


def test_a_price_sets_out_from_the_one_it_was_decided_from() -> None:
    book = _book(a=10, b=11, c=12)
    asked = c.Reprice(("a", "b", "c"), (20, 21, 22), "demand", (10, 10, 12), (b"A", b"B", b"C"))
    outcome = _carry_out(book, asked, asked)
    assert outcome.replies == [Done(), Done()]
    assert [book.leads[id_].price for id_ in "abc"] == [20, 11, 22]
    (tick,) = outcome.ticks
    assert tick == (11, e.LeadsRepriced("a", ("a", "c"), (20, 22), "demand"), (b"A", b"C"))
    assert outcome.priced == {"a": Priced(11, b"A"), "c": Priced(11, b"C")}


def test_without_parts_nobody_knows_what_made_it() -> None:
    outcome = _carry_out(_book(a=10), c.Reprice(("a",), (20,), "by hand"))
    assert outcome.ticks[0].parts == ()
    assert outcome.priced == {"a": Priced(11, None)}


def test_the_last_price_of_a_batch_is_the_one_with_its_parts() -> None:
    first = c.Reprice(("a",), (20,), "demand", (), (b"one",))
    second = c.Reprice(("a",), (30,), "demand", (20,), (b"two",))
    outcome = _carry_out(_book(a=10), first, second)
    assert [tick.position for tick in outcome.ticks] == [11, 12]
    assert outcome.priced == {"a": Priced(12, b"two")}


def test_a_lead_named_twice_keeps_the_parts_of_its_price() -> None:
    asked = c.Reprice(("a", "a"), (20, 10), "demand", (), (b"twenty", b"ten"))
    assert _carry_out(_book(a=10), asked).priced == {"a": Priced(11, b"twenty")}


def test_a_first_price_comes_with_its_parts() -> None:
    listed = c.ListLead("new", 12, 1, Listing(), b"parts")
    outcome = _carry_out(Book(), listed, c.ListLead("old", 12, 1, Listing()))
    assert outcome.priced == {"new": Priced(None, b"parts"), "old": Priced(None, None)}


def test_columns_out_of_step_are_refused() -> None:
    for previous, parts in (((1, 2), ()), ((), (b"a", b"b"))):
        command = c.Reprice(("a",), (20,), "demand", previous, parts)
        assert isinstance(_book(a=10).decide(command, NOW), Refused)


def test_commands_of_before_are_still_understood() -> None:
    pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.Decoder(c.Command).decode
    reprice = unpack(pack(["Reprice", ["a"], [3], "demand"]))
    assert reprice == c.Reprice(("a",), (3,), "demand")
    listed = unpack(pack(["ListLead", "a", 3, 1, {}]))
    assert listed == c.ListLead("a", 3, 1, Listing())
