"""Mappings are refused when they are loaded, with the mapping, the field and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.intake.feed.mapping_text import mapping_of
from engine.mapping_directory import load_mappings
from tests.engine.intake.feed.feeds import minimal


def test_the_shipped_mappings_load() -> None:
    mappings = load_mappings()
    assert {"zumper", "fortworth-deals", "reso-columns", "maricopa-parcels"} <= mappings.keys()
    assert all(mapping.exercised for mapping in mappings.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "not TOML"),
        ('name = "No Good"', "must be lower-case words"),
        ('name = "a"', r"no \[fields\]"),
        (minimal('list_prize = "price"'), "field list_prize: no record has it; known are"),
        (minimal('"extra.Bad Name" = "x"'), "no record has it"),
        (minimal('list_price = { from = "p", as = "cash" }'), "list_price: Invalid enum .*money"),
        (minimal('list_price = { column = "p" }'), "list_price: .*unknown field `column`"),
        (minimal("list_price = {}"), "state either `from`"),
        (minimal('list_price = { from = "p", constant = 3 }'), "state either `from`"),
        (minimal('list_price = ""'), "column '' must be 1 to 200 characters"),
        (minimal('city = "part.town"'), r"makes part.town; there are: none"),
        (minimal(tables='[[join]]\nfrom = ["a"]\npart = "line"'), "join 'line': needs two"),
        (minimal(tables='[[join]]\nfrom = ["a", "b"]\npart = "A b"'), "join 'A b': needs two"),
        (minimal('standard_status = { from = "s", lookup = "x" }'), "lookup 'x' is not in"),
        (minimal('city = { from = "c", confidence = 2 }'), "confidence 2.0 must be 0 to 1"),
        (minimal('posted_at = { from = "d", date = "%Q" }'), "must be ago, .* or a format"),
        (minimal('posted_at = { from = "d", date = "yesterday" }'), "must be ago, .* or a format"),
        (minimal(rows='expect = { id = "(" }'), "not a regular expression"),
        (minimal(rows='expect = { id = "(a+)+b" }'), "may take too long"),
        (minimal(rows='expect = { id = ".*.*.*.*.*" }'), "may take too long"),
        (minimal(rows=f'expect = {{ id = "{"a" * 401}" }}'), "a pattern of 401 characters"),
        (minimal(rows='shapes = [["a", "b"], ["c", "d"]]'), "same number of columns"),
        (minimal(rows='shapes = [["a", "b"]]'), "needs `cells`"),
        (minimal(head='format = "json"', rows='shapes = [["a"]]'), "only a csv can lack a header"),
        (minimal(head='format = "xml"'), "format"),
        (minimal(head='format = "csv"\nzone = "Mars/North"'), "zone 'Mars/North' is unknown"),
        (minimal(head='format = "csv"\nsecret = 1'), "unknown field `secret`"),
        (minimal().replace('from = ["id"]', ""), r"\[id\]: state"),
        (minimal().replace('columns = ["id", "street"]', ""), r"\[recognise\]: state"),
        ("#" * 300_000, "at most"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        mapping_of(text, "feeds/test.toml")
    assert "feeds/test.toml" in str(raised.value)


def test_an_operator_s_mapping_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    own = minimal().replace('name = "test"', 'name = "zumper"')
    (tmp_path / "own.toml").write_text(own)
    mappings = load_mappings(tmp_path)
    assert mappings["zumper"].title == "Made for a test"
    assert "reso-columns" in mappings


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"AIQLEADS_MAPPINGS_DIR=.* is not a folder"):
        load_mappings(tmp_path / "none")


def test_a_mapping_stated_twice_is_an_error(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(minimal())
    with pytest.raises(ValueError, match=r"b.toml: mapping test is in this folder twice"):
        load_mappings(tmp_path)


def test_a_mapping_of_other_bytes_than_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"a.toml: not UTF-8"):
        load_mappings(tmp_path)
