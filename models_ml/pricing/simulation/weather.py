"""What changes with time for all leads of a kind: traffic, value levels, a rival's price."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models_ml.pricing.simulation.terms import ALL_KINDS, KINDS, Rival, Terms

Floats = npt.NDArray[np.float64]

# How much happens in each hour of a day: business hours, a lull at noon, a quiet night.
_DAY = np.array(
    (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 17, 13, 15, 18, 18, 16, 13, 11, 10, 9, 7, 5, 3), float
)
# And in each day of a week, Monday first.
_WEEK = np.array((1.15, 1.1, 1.1, 1.05, 1.0, 0.85, 0.75))
HOURS_A_WEEK = 168


class Weather(NamedTuple):
    """By hour of the run: `traffic` times the arrivals of each kind, `level` in logs on its values
    ([kind, hour]); `rival` the rival's price over a lead's value level, in logs; None without."""

    traffic: Floats
    level: Floats
    rival: Floats | None


def weather_of(terms: Terms, rng: np.random.Generator) -> Weather:
    hours = np.arange(terms.hours)
    traffic = np.ones((len(KINDS), terms.hours))
    level = np.zeros_like(traffic)
    if terms.has_rhythm:
        traffic *= rhythm()[hours % HOURS_A_WEEK]
    for shock in terms.shocks:
        kinds = slice(None) if shock.kind == ALL_KINDS else shock.kind
        struck = (hours >= shock.day * 24) & (hours < shock.until_day * 24)
        traffic[kinds] *= np.where(struck, np.exp(shock.traffic), 1.0)
        level[kinds] += np.where(struck, shock.level, 0.0)
    # Drawn in any case: what is drawn after it does not depend on whether there is a rival.
    wave = rng.standard_normal(terms.hours)
    rival = None if terms.rival is None else _rival_path(terms.rival, wave)
    return Weather(traffic, level, rival)


def rhythm() -> Floats:
    """Traffic by hour of the week, 1 on average."""
    week = np.outer(_WEEK, _DAY).ravel()
    scaled: Floats = week / week.mean()
    return scaled


def _rival_path(rival: Rival, wave: Floats) -> Floats:
    """A first-order autoregression around its middle, begun in its stationary state."""
    keeps = 0.5 ** (1 / (24 * rival.half_life_days))
    path, fresh = np.empty_like(wave), rival.sd * np.sqrt(1 - keeps**2)
    at = rival.sd * wave[0]
    for hour, shake in enumerate(wave):
        path[hour] = at
        at = keeps * at + fresh * shake
    return path + rival.middle
