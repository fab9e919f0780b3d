"""stand-in until the index lands"""

from engine.market.standing_rules import matches


class StandingIndex:
    def __init__(self):
        self._terms = {}

    def add(self, id_, terms):
        self._terms[id_] = terms

    def remove(self, id_):
        self._terms.pop(id_, None)

    def find(self, listing, price, max_buyers):
        return [
            i
            for i, t in self._terms.items()
            if not t.is_paused and matches(t, listing, price, max_buyers)
        ]
