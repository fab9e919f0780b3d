"""Which version of a model does what, and how that may change.

Pure: what is known comes in, the new roles or the reason against them come out. Whoever
writes them holds the lock that makes this one decision at a time.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Any, Literal

import msgspec

Role = Literal["live", "canary", "shadow"]
Action = Literal["train", "promote", "canary", "shadow", "rollback", "retire", "refused"]
ROLES: tuple[Role, ...] = ("live", "canary", "shadow")
SHARE_MAX = 0.5
# Vectors of two versions can't be compared: answers of both would spoil one index.
WITHOUT_CANARY = frozenset({"embedder"})


class Version(msgspec.Struct, frozen=True):
    """One trained model: where its file is and what it must be. `made_at` and `retired_at` in
    µs; `training_sha256` is of what it learnt from, empty if its maker did not say."""

    name: str
    version: int
    url: str
    sha256: str
    size_bytes: int
    schema: int
    features: tuple[str, ...]
    training_sha256: str
    metrics: dict[str, Any]
    made_at: int
    made_by: str
    note: str
    retired_at: int | None = None


class Roles(msgspec.Struct, frozen=True):
    """Of one model. `share` is the canary's, of the subjects asked about, by hash. `change_id`
    is the change that made them, 0 before the first."""

    live: int | None = None
    canary: int | None = None
    share: float = 0.0
    shadow: int | None = None
    change_id: int = 0

    def of(self, role: Role) -> int | None:
        found: int | None = getattr(self, role)
        return found

    def held_by(self, version: int) -> Role | None:
        """The role of this version; a version has one at most."""
        return next((role for role in ROLES if self.of(role) == version), None)


class Wish(msgspec.Struct, frozen=True):
    """What is to change. `version` is None to end a canary's or a shadow's role; of a rollback
    `role` says which role is rolled back, None: that of `version`, and without it the canary's
    if there is one, else live.
    `refused` takes the role from a version that can't be used."""

    action: Action
    version: int | None = None
    share: float = 0.0
    role: Role | None = None


class Refusal(msgspec.Struct, frozen=True):
    """Why nothing changes, for an operator."""

    reason: str


class Decision(msgspec.Struct, frozen=True):
    """The roles to be, and from which version to which the change goes, for the history."""

    roles: Roles
    from_version: int | None
    to_version: int | None


class Known(msgspec.Struct, frozen=True):
    """What the decision rests on: versions that may serve, versions that were retired, and the
    version that was live before the one that is (None: none that may serve). `is_served` if a
    replica says that it serves with the live one."""

    usable: Collection[int]
    retired: Collection[int]
    before: int | None
    is_served: bool = False


def decide(roles: Roles, wish: Wish, known: Known) -> Decision | Refusal:
    """The roles after `wish`, of which one version at most is live, one canary, one shadow."""
    if wish.action in ("promote", "canary", "shadow"):
        return _given(roles, wish, known)
    if wish.action == "retire":
        return _retired(roles, wish.version, known)
    return _taken(roles, wish, known)


def _given(roles: Roles, wish: Wish, known: Known) -> Decision | Refusal:
    role: Role = "live" if wish.action == "promote" else wish.action  # type: ignore[assignment]
    held, version = roles.of(role), wish.version
    if version is None:
        if role == "live":
            return Refusal("name the version to promote")
        if held is None:
            return Refusal(f"no version is {role}")
        return Decision(_without(roles, held), held, None)
    problem = _unusable(version, known)
    if problem:
        return Refusal(problem)
    if role != "live" and roles.live is None:
        return Refusal("no version is live to compare it with; promote one first")
    if version == roles.live:
        return Refusal(f"version {version} is live already")
    if role == "canary" and not 0 < wish.share <= SHARE_MAX:
        return Refusal(f"a canary's share is above 0 and at most {SHARE_MAX}, not {wish.share}")
    if role == "shadow" and held == version:
        return Refusal(f"version {version} is shadow already")
    share = wish.share if role == "canary" else None
    return Decision(_with(_without(roles, version), role, version, share), held, version)


def _retired(roles: Roles, version: int | None, known: Known) -> Decision | Refusal:
    if version is None:
        return Refusal("name the version to retire")
    problem = _unusable(version, known)
    if problem:
        return Refusal(problem)
    role = roles.held_by(version)
    if role == "live":
        return Refusal(f"version {version} is live; promote another first")
    if role is not None:
        return Refusal(f"version {version} is {role}; end that first")
    return Decision(roles, version, None)


def _taken(roles: Roles, wish: Wish, known: Known) -> Decision | Refusal:
    named = None if wish.version is None else roles.held_by(wish.version)
    role = wish.role or named or ("canary" if roles.canary is not None else "live")
    held = roles.of(role)
    if held is None or (wish.version is not None and held != wish.version):
        return Refusal(f"version {wish.version} is not {role}" if held else f"no version is {role}")
    if role != "live":
        return Decision(_without(roles, held), held, None)
    if known.before is None and wish.action == "rollback":
        return Refusal(f"no usable version was live before version {held}")
    if known.before is None and known.is_served:
        # One replica can't use it, others do: to take it from all of them helps nobody.
        return Refusal(f"other replicas serve version {held}, and none was live before it")
    cleared = _without(roles, held)
    if known.before is None:
        return Decision(cleared, held, None)
    return Decision(
        _with(_without(cleared, known.before), "live", known.before, None), held, known.before
    )


def _unusable(version: int, known: Known) -> str:
    if version in known.retired:
        return f"version {version} is retired"
    return "" if version in known.usable else f"there is no version {version}"


def _without(roles: Roles, version: int) -> Roles:
    role = roles.held_by(version)
    if role is None:
        return roles
    changed = msgspec.structs.replace(roles, **{role: None})
    return msgspec.structs.replace(changed, share=0.0) if role == "canary" else changed


def _with(roles: Roles, role: Role, version: int, share: float | None) -> Roles:
    changed = msgspec.structs.replace(roles, **{role: version})
    return changed if share is None else msgspec.structs.replace(changed, share=share)


def falls_to_canary(name: str, version: int, subject: str, share: float) -> bool:
    """Whether the canary answers for this subject: the same one always, of each version another
    choice, and whoever falls to it at a share does so at every greater one."""
    digest = blake2b(f"{name}\0{version}\0{subject}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64
