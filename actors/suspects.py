"""Which commands a book's lost flush may be owed to, so that one takes no others with it."""

from __future__ import annotations

from collections.abc import Iterable

# Commands remembered after losses; past this the oldest are trusted again.
SUSPECTS_MAX = 4_096
# A command lost this often with nobody beside it is given up.
LOST_ALONE_MAX = 2


class Suspects:
    """The commands of lost flushes, until each was decided or given up."""

    def __init__(self) -> None:
        self._lost_alone: dict[bytes, int] = {}

    def lost(self, command_ids: Iterable[bytes], *, connected: bool) -> None:
        """A flush with these commands did not commit. A connection that broke is no word
        against a command that was alone in it."""
        ids = list(command_ids)
        for command_id in ids:
            count = self._lost_alone.pop(command_id, 0)
            self._lost_alone[command_id] = count + (connected and len(ids) == 1)
        while len(self._lost_alone) > SUSPECTS_MAX:
            del self._lost_alone[next(iter(self._lost_alone))]

    def any(self, command_ids: Iterable[bytes]) -> bool:
        return bool(self._lost_alone) and any(id_ in self._lost_alone for id_ in command_ids)

    def clear(self, command_ids: Iterable[bytes]) -> None:
        """These were decided and committed."""
        if self._lost_alone:
            for command_id in command_ids:
                self._lost_alone.pop(command_id, None)

    def give_up(self, command_id: bytes) -> bool:
        """Whether to answer without deciding. True once: a later repeat is tried again."""
        if self._lost_alone.get(command_id, 0) < LOST_ALONE_MAX:
            return False
        del self._lost_alone[command_id]
        return True
