"""The market directory: four cities as shipped, and bad entries named."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.market_directory import load_markets

GOOD = """
[[market]]
slug = "reno"
name = "Reno"
time_zone = "America/Los_Angeles"
state = "NV"
center = [39.53, -119.81]
bbox = [-120.1, 39.3, -119.5, 39.8]
"""


@pytest.fixture
def markets_file(tmp_path: Path) -> Path:
    return tmp_path / "markets.toml"


def test_the_four_cities() -> None:
    markets = load_markets()
    assert list(markets) == ["las-vegas", "dallas", "austin", "phoenix"]
    for market in markets.values():
        assert market.contains(*market.center)
        others = [other for other in markets.values() if other.slug != market.slug]
        assert not any(other.contains(*market.center) for other in others)


def test_a_new_market_is_configuration(markets_file: Path) -> None:
    markets_file.write_text(GOOD)
    reno = load_markets(markets_file)["reno"]
    assert (reno.name, reno.state, reno.contains(39.5, -119.8)) == ("Reno", "NV", True)
    assert not reno.contains(-119.8, 39.5)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"no \[\[market\]\]"),
        ("market = 3", r"no \[\[market\]\]"),
        ("[[market", "markets.toml"),
        (GOOD.replace('name = "Reno"\n', ""), "market 1: missing name"),
        (GOOD + GOOD, "market 2: slug 'reno' is taken"),
        (GOOD.replace('"reno"', '"Reno NV"'), "market 1: slug 'Reno NV'"),
        (GOOD.replace('"reno"', "5"), "market 1: slug"),
        (GOOD.replace('"Reno"', "5"), "market 1: name"),
        (GOOD.replace('"NV"', '""'), "market 1: state"),
        (GOOD.replace("Los_Angeles", "Atlantis"), "market 1: time_zone 'America/Atlantis'"),
        (GOOD.replace('"America/Los_Angeles"', "8"), "market 1: time_zone 8"),
        (GOOD.replace('"America/Los_Angeles"', '"../etc"'), "market 1: time_zone"),
        (GOOD.replace("[39.53, -119.81]", "[39.53]"), "market 1: center"),
        (GOOD.replace("[39.53, -119.81]", '"downtown"'), "market 1: center"),
        (GOOD.replace("[39.53, -119.81]", "[10.0, 10.0]"), "market 1: center"),
        (GOOD.replace("39.3, -119.5, 39.8", "39.3, -119.5"), "market 1: bbox"),
        (GOOD.replace("-120.1, 39.3", "-119.1, 39.3"), "market 1: bbox"),
        (GOOD.replace("-120.1, 39.3", "nan, 39.3"), "market 1: bbox"),
        (GOOD.replace("-120.1", '"west"'), "market 1: bbox"),
    ],
)
def test_a_bad_entry_is_named(markets_file: Path, text: str, complaint: str) -> None:
    markets_file.write_text(text)
    with pytest.raises(ValueError, match=complaint):
        load_markets(markets_file)


def test_a_missing_file_is_named(markets_file: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"markets\.toml"):
        load_markets(markets_file)
