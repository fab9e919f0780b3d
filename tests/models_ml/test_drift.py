"""The drift report: what it finds, and that its page says it, to anyone, from one file."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np

from engine.rollout.histogram import SCORE_EDGES, counts_for
from engine.rollout.watch import Watched
from models_ml.drift import Drift, drift
from models_ml.drift_page import as_html
from models_ml.reference import Reference, of_training

NAMES = ("price", "photos", "<b>odd</b>")


def training(rows: int = 5_000, seed: int = 1, *, shift: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    found = chance.normal(0.0, 1.0, (rows, len(NAMES)))
    found[:, 0] += shift
    found[chance.random(rows) < 0.2, 1] = np.nan
    return found


def reported(now: np.ndarray | None, labelled: list[tuple[float, bool]] | None = None) -> Drift:
    reference = of_training(NAMES, training(), [(100, 0.2, 0.25)])
    watched = Watched()
    if now is not None:
        scores = counts_for(SCORE_EDGES)
        scores[5] = len(now)
        watched = Watched(1, 0, len(now), (), tuple(scores), tuple(reference.counts(now)))
    return drift("fraud", 3, 7, watched, reference, labelled or [])


def test_what_has_moved_is_first_and_what_has_not_is_stable() -> None:
    found = reported(training(2_000, 2, shift=1.5))
    assert found.features[0].feature == "price"
    assert [each.verdict for each in found.features] == ["shifted", "stable", "stable"]
    by_name = {each.feature: each for each in found.features}
    photos = by_name["photos"]
    assert abs(photos.missing_before - 0.2) < 0.03
    assert abs(sum(photos.now) + photos.missing_now - 1) < 0.01
    assert len(photos.before) == len(photos.now) == len(photos.edges) + 1
    assert found.note == ""


def test_more_missing_values_are_a_shift() -> None:
    now = training(2_000, 2)
    now[::2, 2] = np.nan
    (worst, *_) = reported(now).features
    assert (worst.feature, worst.verdict) == ("<b>odd</b>", "shifted")


def test_what_can_not_be_compared_is_said() -> None:
    assert reported(None).note == "no features were counted in this time"
    assert "fewer than 500 rows" in reported(training(100, 2)).note
    assert "without a reference" in drift("embedder", 1, 7, Watched(), None, []).note
    other: Reference = of_training(("one",), np.arange(9.0).reshape(9, 1))
    counts = tuple(other.counts(np.ones((3, 1))))
    found = drift("fraud", 1, 7, Watched(features=counts), _reference(), [])
    assert "another reference" in found.note


def _reference() -> Reference:
    return of_training(NAMES, training())


def test_calibration_is_by_tenths_of_the_score() -> None:
    labelled = [(0.05, False)] * 9 + [(0.05, True)] + [(0.95, True)] * 10 + [(1.0, True)]
    found = reported(None, labelled)
    low, high = found.calibration
    assert (low.leads, low.found_share, high.leads, high.found_share) == (10, 0.1, 11, 1.0)
    assert found.calibration_error is not None
    assert abs(found.calibration_error - (10 * 0.05 + 11 * 0.0455) / 21) < 0.001
    assert found.calibration_before[0].found_share == 0.25


class Page(HTMLParser):
    """Open elements must close in order; what would load anything is noted."""

    VOID = frozenset({"meta", "rect", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href") or name[:2] == "on"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_stands_alone_and_escapes_what_it_is_told() -> None:
    page = Page()
    found = reported(training(2_000, 2, shift=1.5), [(0.05, False), (0.95, True)])
    page.feed(as_html(found))
    assert (page.open, page.loads) == ([], [])
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    text = " ".join(page.text)
    for words in (
        "Drift of fraud version 3",
        "2,000 rows",
        "1 have shifted",
        "furthest is price",
        "<b>odd</b>",
        "100.0%",
        "Mean distance of score and found share: 0.050",
    ):
        assert words in text
    assert page.tags.count("svg") == len(NAMES) + len(SCORE_EDGES) + 1


def test_the_page_of_a_version_that_nobody_asked_says_so() -> None:
    text = as_html(reported(None))
    assert "no features were counted" in text
    assert "Features were not compared." in text
    assert "No lead that this version scored was decided by a reviewer." in text
