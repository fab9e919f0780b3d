"""The tree's posterior against the same normal regression written out as one matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.pricing.belief import ROWS, Prior, believe
from engine.market.pricing.hierarchy import Hierarchy
from engine.market.pricing.policy import Floats
from tests.engine.market.pricing.known_demand import Tree

_PRIOR = Prior((0.1, 2.0, 0.3), (0.8, 0.5, 0.2), (0.5, 0.3))


def _parents(choices: list[int]) -> list[int]:
    return [-1] + [choice % (place + 1) for place, choice in enumerate(choices)]


def _regressed(parents: list[int], evidence: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of (levels, slopes)."""
    count = len(parents)
    precision, sums = np.zeros((count + 2, count + 2)), np.zeros(count + 2)
    depth = [0] * count
    for place, parent in enumerate(parents):
        if parent < 0:
            continue
        depth[place] = depth[parent] + 1
        tie = _PRIOR.spread_at(depth[place] - 1) ** -2
        precision[place, place] += tie
        precision[parent, parent] += tie
        precision[place, parent] -= tie
        precision[parent, place] -= tie
    for place, number in ((0, 0), (count, 1), (count + 1, 2)):
        tie = _PRIOR.deviation[number] ** -2
        precision[place, place] += tie
        sums[place] += tie * _PRIOR.mean[number]
    for place in range(count):
        at = [place, count, count + 1]
        a, b, c, d, e, f, *h = evidence[:, place]
        precision[np.ix_(at, at)] += np.array([[a, b, c], [b, d, e], [c, e, f]])
        sums[at] += h
    covariance = np.asarray(np.linalg.inv(precision), np.float64)
    return np.asarray(covariance @ sums), np.asarray(covariance)


@given(st.lists(st.integers(0, 99), max_size=9), st.integers(0, 2**32))
def test_the_posterior_is_that_of_the_whole_regression(choices: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parents = _parents(choices)
    evidence = np.zeros((ROWS, len(parents)))
    for place in range(len(parents)):
        for _ in range(rng.integers(0, 4)):
            features = np.array([1.0, *rng.normal(size=2)])
            weight, response = rng.uniform(0.1, 1), rng.normal()
            outer = weight * np.outer(features, features)
            evidence[:6, place] += outer[np.triu_indices(3)]
            evidence[6:, place] += weight * response * features
    hierarchy = Hierarchy(Tree(parents))
    belief = believe(hierarchy, evidence, _PRIOR)
    mean, covariance = _regressed(parents, evidence)
    assert np.allclose(np.concatenate((belief.level, belief.slopes)), mean)

    levels, slopes = rng.normal(size=len(parents)), rng.normal(size=2)
    both = np.concatenate((levels, slopes))
    assert np.isclose(belief.variance_of(hierarchy, levels, slopes), both @ covariance @ both)
    branches = belief.variance_by_branch(hierarchy, levels, np.outer(slopes, np.ones(len(parents))))
    for branch in hierarchy.levels[0] if hierarchy.levels else ():
        inside = np.concatenate((levels * (hierarchy.branch == branch), slopes))
        assert np.isclose(branches[branch], inside @ covariance @ inside)
    spread = belief.covariance(hierarchy)
    assert np.allclose(spread.level, covariance.diagonal()[:-2])
    assert np.allclose(spread.shared, covariance[-2:, :-2])

    draws = np.eye(3 + len(parents))
    sampled = np.zeros_like(covariance)
    for draw in draws:
        levels, slopes = belief.sample(hierarchy, draw[:3], draw[3:])
        off = np.concatenate((levels - belief.level, slopes - belief.slopes))
        sampled += np.outer(off, off)
    assert np.allclose(sampled, covariance)


def test_a_new_segment_is_believed_to_be_like_its_parent() -> None:
    segments = Tree([-1, 0])
    hierarchy = Hierarchy(segments)
    evidence = np.zeros((ROWS, 2))
    evidence[0, 1], evidence[6, 1] = 50.0, 40.0
    segments.parents = np.array([-1, 0, 1], np.int32)
    hierarchy.follow()
    belief = believe(hierarchy, hierarchy.widened(evidence), _PRIOR)
    assert belief.level[2] == pytest.approx(belief.level[1])
    assert belief.left[2] == pytest.approx(0.3**2)


@pytest.mark.parametrize("parents", [[0], [-1, -1], [-1, 2, 1]])
def test_segments_without_a_path_to_the_root_are_refused(parents: list[int]) -> None:
    with pytest.raises(ValueError, match=r"no parent|circle"):
        Hierarchy(Tree(parents))
