"""Buyers in line for leads whose seats are all taken."""

from __future__ import annotations

# In line for one lead, and lines one buyer may stand in.
LINE_MAX = 100
LINES_MAX = 500


class Waiting:
    """Lines by lead, first come first served; a buyer stands once in each."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {}
        # How many lines a buyer stands in, none at zero.
        self.lines_of: dict[str, int] = {}

    def line(self, lead_id: str) -> list[str]:
        return self.lines.get(lead_id, [])

    def first(self, lead_id: str) -> str | None:
        line = self.lines.get(lead_id)
        return line[0] if line else None

    def join(self, lead_id: str, user_id: str) -> None:
        self.lines.setdefault(lead_id, []).append(user_id)
        self.lines_of[user_id] = self.lines_of.get(user_id, 0) + 1

    def leave(self, lead_id: str, user_id: str) -> None:
        """Raises KeyError or ValueError if they do not stand in this line."""
        line = self.lines[lead_id]
        line.remove(user_id)
        if not line:
            del self.lines[lead_id]
        self._count_down(user_id)

    def clear(self, lead_id: str) -> None:
        for user_id in self.lines.pop(lead_id, ()):
            self._count_down(user_id)

    def _count_down(self, user_id: str) -> None:
        left = self.lines_of[user_id] - 1
        if left:
            self.lines_of[user_id] = left
        else:
            del self.lines_of[user_id]
