"""What standing orders state in numbers, side by side, to compare many with one lead at once."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt

from engine.market.sphere import chord_squared
from engine.market.standing_rules import NUMBER_RULES, Facts, Wanted

# Numbers are bigints, as PostgreSQL keeps them.
_LEAST, _MOST = -(2**63) + 1, 2**63 - 1
_NUMBERS = len(NUMBER_RULES)
# Centre and reach, then west, south, and east and north with their signs turned.
_ANYWHERE = (0.0, 0.0, 0.0, inf, -inf, -inf, -inf, -inf)

# Orders for which there is room at first. Memory that nothing was written to is not taken yet,
# so this much costs nothing, while moving orders into more room would hold up the book.
ROOM = 2**17

Places = npt.NDArray[np.intp]


class StandingColumns:
    """The bounds of orders by place, doubled in room when it is full.

    A greatest bound is kept with its sign turned, as a least one of the turned fact, so
    that one comparison does for both.
    """

    def __init__(self) -> None:
        self._bounds = np.empty((ROOM, 2 * _NUMBERS), np.int64)
        self._areas = np.empty((ROOM, len(_ANYWHERE)), np.float64)

    def put(self, place: int, order: Wanted) -> None:
        if place >= len(self._bounds):
            self._bounds = np.concatenate((self._bounds, np.empty_like(self._bounds)))
            self._areas = np.concatenate((self._areas, np.empty_like(self._areas)))
        bounds = [_LEAST] * (2 * _NUMBERS)
        for number, least, most in order.ranges:
            if least != -inf:
                bounds[number] = int(least)
            if most != inf:
                bounds[_NUMBERS + number] = -int(most)
        self._bounds[place] = bounds
        self._areas[place] = _area(order)

    def wanting(self, places: Places, lead: Facts) -> Places:
        """Those of the orders at `places` whose numbers and area the lead meets.

        They must not bound what the lead does not state.
        """
        turned = [_MOST if number is None else -number for number in lead.numbers]
        facts = [_MOST if number is None else number for number in lead.numbers]
        bounds = self._bounds.take(places, axis=0)
        wanting = (bounds <= np.array(facts + turned, np.int64)).all(axis=1)
        if lead.point is not None and lead.vector is not None:
            areas = self._areas.take(places, axis=0)
            centres = areas[:, 0], areas[:, 1], areas[:, 2]
            wanting &= chord_squared(centres, lead.vector) <= areas[:, 3]
            latitude, longitude = lead.point
            edges = np.array((longitude, latitude, -longitude, -latitude))
            wanting &= (areas[:, 4:] <= edges).all(axis=1)
        return places[wanting]


def _area(order: Wanted) -> tuple[float, ...]:
    x, y, z, reach, *box = _ANYWHERE
    if order.centre is not None:
        (x, y, z), reach = order.centre, order.reach
    if order.bbox is not None:
        west, south, east, north = order.bbox
        box = [west, south, -east, -north]
    return x, y, z, reach, *box
