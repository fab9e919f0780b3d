"""`aiqleads eval parsing` on a folder made by hand: what it counts and when it fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from serve_apps.cli.app import app
from tests.engine.intake.test_parse_check import PAGE, ROW

RESULT_ROWS = """date_time,town,title,price,beds,sqft,url
2022-07-01 15:40, (Hyde Park),Nice place,1450,2,900.0,https://a.example/apa/d/x/7000000001.html
2022-07-01 15:40, (Hyde Park),Nice place,1450,2,900.0,https://a.example/apa/d/x/7000000001.html
2022-07-01 15:41, (Mesa),Another,900,,,https://a.example/apa/d/x/7000000002.html
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    posts = tmp_path / "craigslist" / "posts_html" / "austin"
    posts.mkdir(parents=True)
    (posts / "7000000001.html").write_text(PAGE)
    (posts.parent / "index.csv").write_text("file\n")
    for name in ("posts_parsed", "search_rows", "legacy_html_2009_2013"):
        (tmp_path / "craigslist" / name).mkdir()
    (tmp_path / "craigslist/search_rows/austin.csv").write_text(RESULT_ROWS)
    expired = "<html><body class='posting'><h2>This posting has expired.</h2></body></html>"
    (tmp_path / "craigslist/legacy_html_2009_2013/x.html").write_text(expired)
    for name, content in (("facebook", "[]"), ("labels", "x"), ("unheard-of", "y")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_text(content)
    (tmp_path / "README.md").write_text("about")
    write_reference(tmp_path)
    return tmp_path


def write_reference(folder: Path, **changes: object) -> None:
    path = folder / "craigslist" / "posts_parsed" / "austin.jsonl"
    path.write_text(json.dumps(ROW | changes) + "\n")


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["eval", "parsing", "--captures", str(folder), *arguments])


def answer(folder: Path) -> dict[str, Any]:
    done = run(folder, "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == (0 if found["passed"] else 1)
    return found


def test_all_is_counted_and_passes(folder: Path) -> None:
    found = answer(folder)
    assert found["passed"] is True
    assert found["posts"]["posts"] == 1
    assert found["posts"]["named"]["share"] == 1
    assert found["rows"]["fields"]["price"]["differences"] == {"post-changed-after-the-row": 2}
    files = {tally["name"]: tally for tally in found["files"]}
    rows = files["craigslist/search_rows/austin.csv"]
    assert (rows["records"], rows["distinct_ids"]) == (3, 2)
    assert files["craigslist/legacy_html_2009_2013/x.html"]["rejected"] == {"expired": 1}
    assert files["facebook/a.json"]["rejected"] == {"no-listings": 1}
    assert dict(found["not_read"]) == {
        "README.md": "about the captures",
        "craigslist/posts_html/index.csv": "an index of the pages",
        "craigslist/posts_parsed/austin.jsonl": "the reference that pages are compared with",
        "labels/a.json": "answers, no source",
        "unheard-of/a.json": "no parser for this folder",
    }


def test_a_path_may_lead_out_of_the_working_folder_or_into_a_hidden_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = answer(folder)["files"]
    below = folder / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert answer(Path(".."))["files"] == told
    hidden = tmp_path / ".captures"
    shutil.copytree(folder, hidden, ignore=shutil.ignore_patterns(".*"))
    assert answer(hidden)["files"] == told


def test_the_table_ends_with_the_verdict(folder: Path) -> None:
    done = run(folder)
    assert done.exit_code == 0
    assert done.stdout.rstrip().splitlines()[-1].startswith("passed: 100.00% of")


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"price": 1}, "differences without a name"),
        ({"housing_type": "application fee details: $75: per household"}, "all named fields equal"),
    ],
)
def test_a_missed_threshold_is_a_failure(
    folder: Path, changes: dict[str, object], missed: str
) -> None:
    write_reference(folder, **changes)
    found = answer(folder)
    assert found["passed"] is False
    assert missed in {each["name"] for each in found["thresholds"] if not each["met"]}


def test_a_parser_that_raises_or_invents_is_a_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.intake.document import Document, Parsed
    from engine.intake.parsers import PARSERS
    from engine.intake.record import SourceRecord

    def invent(document: Document) -> list[Parsed]:
        return [SourceRecord(source="facebook", source_id="1", list_price=7)]

    def fail(document: Document) -> list[Parsed]:
        raise ValueError("broken")

    monkeypatch.setitem(PARSERS, "facebook", invent)
    monkeypatch.setitem(PARSERS, "craigslist", fail)
    found = answer(folder)
    missed = {each["name"]: each["measured"] for each in found["thresholds"] if not each["met"]}
    assert missed == {"exceptions": "3", "invented values": "2"}


def test_the_report_names_every_difference(folder: Path, tmp_path: Path) -> None:
    write_reference(folder, AC=True)
    report = tmp_path / "report.md"
    assert run(folder, "--report", str(report)).exit_code == 0
    text = report.read_text()
    assert "| 7000000001 | air conditioning | reference-takes-text-with-keyword |" in text
    assert "- `reference-takes-text-with-keyword`: The reference takes" in text
    assert "## Not read" in text


def test_a_folder_without_sources_is_named(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.exit_code == 2
    assert "holds no file that a parser reads" in " ".join(done.stderr.split())


def test_a_broken_line_of_the_reference_is_named(folder: Path) -> None:
    path = folder / "craigslist" / "posts_parsed" / "austin.jsonl"
    path.write_text(path.read_text() + "{broken\n")
    place = "craigslist/posts_parsed/austin.jsonl line 2"
    assert dict(answer(folder)["not_read"])[place] == "no record of the reference"


def test_only_known_markets_have_a_zone(folder: Path) -> None:
    posts = folder / "craigslist" / "posts_html"
    (posts / "austin").rename(posts / "atlantis")
    assert "posted" not in answer(folder)["posts"]["fields"]


@pytest.mark.timeout(600)
def test_the_captures_pass(captures: Path) -> None:
    found = answer(captures)
    assert found["passed"] is True, [each for each in found["thresholds"] if not each["met"]]
