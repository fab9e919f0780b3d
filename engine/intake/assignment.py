"""Which lead each record belongs to, once it is known which records match.

Pure: leads are ids with what the intake knows of them. Two leads joined by a record that
matches both are told apart again only by a person (`apart`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

Offered = Literal["never", "listed", "withdrawn"]


class Identity(NamedTuple):
    """A lead as the intake knows it; `number` counts leads in the order they were found."""

    number: int
    offered: Offered


class Standing(NamedTuple):
    """A lead's identity, with the hash of the listing that the book was told last."""

    identity: Identity
    told: bytes | None


class Candidate(NamedTuple):
    """A record: the lead it is known under, and the leads its matches are known under.

    `matches` pairs a lead id, or the place in this batch of an earlier record, with the
    probability that both are one lead.
    """

    known_as: str | None
    matches: tuple[tuple[str | int, float], ...]


class Joint(NamedTuple):
    """Two leads found to be one. `stays` is listed before withdrawn before never, then older.

    A lead that was never offered is `absorbed` at once; of two others the book decides.
    """

    stays: str
    goes: str
    probability: float
    absorbed: bool


class Assignment(NamedTuple):
    """`lead_ids` in step with the candidates; `founded` are new, in order."""

    lead_ids: list[str]
    founded: list[str]
    joints: list[Joint]


_OFFERED_ORDER: dict[Offered, int] = {"listed": 0, "withdrawn": 1, "never": 2}


def assign(
    candidates: Sequence[Candidate],
    identities: Mapping[str, Identity],
    apart: Iterable[tuple[str, str]],
    new_id: Callable[[], str],
) -> Assignment:
    """Each record's lead: the one it is known under, else its best match, else a new one.

    A record that matches several leads joins them, except those kept apart; until the book
    has decided, its own lead is the one that would stay. Raises KeyError on a lead without
    identity.
    """
    run = _Run(dict(identities), apart)
    chosen: list[str] = []
    for candidate in candidates:
        chosen.append(run.place(candidate, chosen, new_id))
    return Assignment([run.holder(lead_id) for lead_id in chosen], run.founded, run.joints)


class _Run:
    def __init__(self, identities: dict[str, Identity], apart: Iterable[tuple[str, str]]) -> None:
        self.identities = identities
        self.joined: dict[str, str] = {}
        self.absorbed: dict[str, str] = {}
        self.apart: dict[str, set[str]] = {}
        for one, other in apart:
            self.apart.setdefault(one, set()).add(other)
            self.apart.setdefault(other, set()).add(one)
        self.founded: list[str] = []
        self.joints: list[Joint] = []
        self._newest = max((i.number for i in identities.values()), default=0)

    def root(self, lead_id: str) -> str:
        while lead_id in self.joined:
            lead_id = self.joined[lead_id]
        return lead_id

    def holder(self, lead_id: str) -> str:
        """Where a lead's records are, as far as that is decided."""
        while lead_id in self.absorbed:
            lead_id = self.absorbed[lead_id]
        return lead_id

    def place(self, candidate: Candidate, chosen: list[str], new_id: Callable[[], str]) -> str:
        found: dict[str, float] = {}
        for match, probability in candidate.matches:
            lead_id = self.root(chosen[match] if isinstance(match, int) else match)
            found[lead_id] = max(found.get(lead_id, 0.0), probability)
        anchor = None if candidate.known_as is None else self.root(candidate.known_as)
        if anchor is None and found:
            anchor = min(found, key=lambda each: (-found[each], self.rank(each)))
        if anchor is None:
            return self._found(new_id())
        for other in sorted(found, key=self.rank):
            if self.root(other) != anchor and not self._kept_apart(anchor, other):
                probability = min(found[other], found.get(anchor, 1.0))
                anchor = self._join(anchor, other, probability)
        return anchor if candidate.known_as is None else candidate.known_as

    def rank(self, lead_id: str) -> tuple[int, int]:
        identity = self.identities[lead_id]
        return _OFFERED_ORDER[identity.offered], identity.number

    def _found(self, lead_id: str) -> str:
        self._newest += 1
        self.identities[lead_id] = Identity(self._newest, "never")
        self.founded.append(lead_id)
        return lead_id

    def _join(self, one: str, other: str, probability: float) -> str:
        stays, goes = sorted((one, other), key=self.rank)
        self.joined[goes] = stays
        never = self.identities[goes].offered == "never"
        if never:
            self.absorbed[goes] = stays
        self.joints.append(Joint(stays, goes, probability, never))
        self.apart.setdefault(stays, set()).update(self.apart.get(goes, ()))
        return stays

    def _kept_apart(self, one: str, other: str) -> bool:
        return any(self.root(each) == other for each in self.apart.get(one, ())) or any(
            self.root(each) == one for each in self.apart.get(other, ())
        )
