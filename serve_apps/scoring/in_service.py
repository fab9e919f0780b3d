"""The versions that a replica serves with at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from engine.rollout.roles import Role, Roles, Version, falls_to_canary
from models_ml.served import Served

M = TypeVar("M", bound=Served)


class Loaded(NamedTuple, Generic[M]):
    """A version, read and found to be what the registry says of it."""

    version: Version
    model: M


class Part(NamedTuple, Generic[M]):
    """Who answers for which subjects, by place among those asked about."""

    role: Role
    loaded: Loaded[M]
    places: list[int]


class InService(msgspec.Struct, Generic[M], frozen=True):
    """A snapshot: take it once for a batch, and no swap comes between its parts."""

    live: Loaded[M] | None = None
    canary: Loaded[M] | None = None
    share: float = 0.0
    shadow: Loaded[M] | None = None

    def of(self, role: Role) -> Loaded[M] | None:
        found: Loaded[M] | None = getattr(self, role)
        return found

    def roles(self, change_id: int) -> Roles:
        numbers = {
            role: None if loaded is None else loaded.version.version
            for role, loaded in (
                ("live", self.live),
                ("canary", self.canary),
                ("shadow", self.shadow),
            )
        }
        return Roles(**numbers, share=self.share, change_id=change_id)

    def parts(self, subjects: Sequence[str]) -> list[Part[M]]:
        """The subjects shared out between live and canary; none is left out. Raises LookupError
        without a live version."""
        if self.live is None:
            raise LookupError("no version is live")
        if self.canary is None:
            return [Part("live", self.live, list(range(len(subjects))))]
        made = self.canary.version
        places: tuple[list[int], list[int]] = ([], [])
        for place, subject in enumerate(subjects):
            places[falls_to_canary(made.name, made.version, subject, self.share)].append(place)
        parts = [Part("live", self.live, places[0]), Part("canary", self.canary, places[1])]
        return [part for part in parts if part.places]
