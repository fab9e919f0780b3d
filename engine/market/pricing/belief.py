"""What is believed of demand, given evidence: levels of segments down a tree, and two slopes.

Buying is a probit of f = level(segment) + slope . features. A segment's level is normal around
its parent's, the market's level and slopes have a normal prior. Evidence is quadratic in (level,
slopes) of its own segment, so the posterior is Gaussian and exact: eliminating segments from the
leaves to the root (as Kalman's smoother does on a line) leaves three numbers to solve for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.market.pricing.hierarchy import Hierarchy, Places
from engine.market.pricing.normal_curve import Floats

# Rows of the evidence: precision of level, level x slopes, slopes; then precision times mean.
LEVEL, LEVEL_1, LEVEL_2, SLOPE_11, SLOPE_12, SLOPE_22, SUM, SUM_1, SUM_2 = range(9)
ROWS = 9


class Prior(NamedTuple):
    """Of (market level, slope 1, slope 2): independent normals. `spread` is how far a segment's
    level lies from its parent's, by depth; the last holds for all deeper ones."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    spread: tuple[float, ...]

    def spread_at(self, depth: int) -> float:
        return self.spread[min(depth, len(self.spread) - 1)]


class Spread(NamedTuple):
    """Of levels, of each with the slopes [2, segments], and of the slopes."""

    level: Floats
    shared: Floats
    slopes: Floats

    def variance(self, segment: Places, features: Floats) -> Floats:
        """Of f, given features [n, 3], the first of which is 1."""
        slopes = features[:, 1:]
        mixed = np.einsum("ij,ji->i", slopes, self.shared[:, segment])
        own = np.einsum("ij,jk,ik->i", slopes, self.slopes, slopes)
        return np.asarray(np.maximum(self.level[segment] + 2.0 * mixed + own, 1e-9))


class Belief(NamedTuple):
    """Posterior. Given its parent's level and the slopes, a segment's level is normal around
    `mean` + `pull` (parent - its mean) - `tilt` . (slopes - their mean), variance `left`."""

    level: Floats
    slopes: Floats
    root_deviation: Floats
    pull: Floats
    tilt: Floats
    left: Floats

    @property
    def market(self) -> Floats:
        """Means of (market level, slopes)."""
        return np.concatenate((self.level[:1], self.slopes))

    def covariance(self, hierarchy: Hierarchy) -> Spread:
        """Marginal for each segment's level with the slopes."""
        market = self.root_deviation @ self.root_deviation.T
        slopes = market[1:, 1:]
        variance = self.left + np.einsum("in,ij,jn->n", self.tilt, slopes, self.tilt)
        shared = -slopes @ self.tilt
        variance[0], shared[:, 0] = market[0, 0], market[0, 1:]
        for rows in hierarchy.levels:
            parents, pull = hierarchy.parents[rows], self.pull[rows]
            with_parent = np.einsum("ij,ij->j", self.tilt[:, rows], shared[:, parents])
            variance[rows] += pull * (pull * variance[parents] - 2.0 * with_parent)
            shared[:, rows] += pull * shared[:, parents]
        return Spread(variance, shared, slopes)

    def variance_of(self, hierarchy: Hierarchy, levels: Floats, slopes: Floats) -> float:
        """Variance of the sum of all levels and slopes, weighted."""
        weight, slopes, variance = levels.copy(), slopes.copy(), 0.0
        for rows in reversed(hierarchy.levels):
            own = weight[rows]
            variance += float(own * own @ self.left[rows])
            slopes -= self.tilt[:, rows] @ own
            hierarchy.add_to_parents(rows, self.pull[rows] * own, weight)
        market = self.root_deviation.T @ np.concatenate((weight[:1], slopes))
        return variance + float(market @ market)

    def variance_by_branch(self, hierarchy: Hierarchy, levels: Floats, slopes: Floats) -> Floats:
        """As `variance_of` within each branch, `slopes` [2, segments] being given for each of the
        root's children, at whose places the variances stand."""
        count = len(hierarchy)
        weight, slopes, variance = levels.copy(), slopes.copy(), np.zeros(count)
        for rows in reversed(hierarchy.levels[1:]):
            own, branch = weight[rows], hierarchy.branch[rows]
            variance += np.bincount(branch, own * own * self.left[rows], count)
            for slope, tilt in zip(slopes, self.tilt, strict=True):
                slope -= np.bincount(branch, tilt[rows] * own, count)
            hierarchy.add_to_parents(rows, self.pull[rows] * own, weight)
        spread = self.covariance(hierarchy)
        mixed = 2.0 * weight * np.einsum("in,in->n", slopes, spread.shared)
        shared = np.einsum("in,ij,jn->n", slopes, spread.slopes, slopes)
        return np.asarray(variance + weight * weight * spread.level + mixed + shared)

    def sample(self, hierarchy: Hierarchy, market: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """(levels, slopes) for standard normal draws: three of the market, one a segment.

        Draws of zero give the means.
        """
        off_market = self.root_deviation @ market
        off = np.sqrt(self.left) * noise - off_market[1:] @ self.tilt
        off[0] = off_market[0]
        for rows in hierarchy.levels:
            off[rows] += self.pull[rows] * off[hierarchy.parents[rows]]
        return self.level + off, self.slopes + off_market[1:]


def believe(hierarchy: Hierarchy, evidence: Floats, prior: Prior) -> Belief:
    """The posterior given `evidence` [ROWS, segments]."""
    joint = evidence.copy()
    count = len(hierarchy)
    left, pull, own = np.zeros(count), np.zeros(count), np.zeros(count)
    tilt = np.zeros((2, count))
    for depth in reversed(range(len(hierarchy.levels))):
        rows = hierarchy.levels[depth]
        tie = prior.spread_at(depth) ** -2
        j = joint[:, rows]
        left[rows] = variance = 1.0 / (j[LEVEL] + tie)
        pull[rows] = share = tie * variance
        tilt[0, rows] = tilt_1 = j[LEVEL_1] * variance
        tilt[1, rows] = tilt_2 = j[LEVEL_2] * variance
        own[rows] = j[SUM] * variance
        message = j * share
        message[SLOPE_11] = j[SLOPE_11] - tilt_1 * j[LEVEL_1]
        message[SLOPE_12] = j[SLOPE_12] - tilt_1 * j[LEVEL_2]
        message[SLOPE_22] = j[SLOPE_22] - tilt_2 * j[LEVEL_2]
        message[SUM_1] = j[SUM_1] - tilt_1 * j[SUM]
        message[SUM_2] = j[SUM_2] - tilt_2 * j[SUM]
        for row in range(ROWS):
            hierarchy.add_to_parents(rows, message[row], joint[row])
    market, deviation = _market(joint[:, 0], prior)
    level = own - market[1:] @ tilt
    level[0] = market[0]
    for rows in hierarchy.levels:
        level[rows] += pull[rows] * level[hierarchy.parents[rows]]
    return Belief(level, market[1:], deviation, pull, tilt, left)


def _market(j: Floats, prior: Prior) -> tuple[Floats, Floats]:
    """Mean of the market's three, and the Cholesky root of their covariance."""
    precision = np.array(
        [
            [j[LEVEL], j[LEVEL_1], j[LEVEL_2]],
            [j[LEVEL_1], j[SLOPE_11], j[SLOPE_12]],
            [j[LEVEL_2], j[SLOPE_12], j[SLOPE_22]],
        ]
    )
    tied = np.asarray(prior.deviation) ** -2
    precision[np.diag_indices(3)] += tied
    covariance: Floats = np.linalg.inv(precision)
    covariance = 0.5 * (covariance + covariance.T)
    mean = covariance @ (j[SUM:] + tied * np.asarray(prior.mean))
    root = np.asarray(np.linalg.cholesky(covariance), np.float64)
    return np.asarray(mean), root
