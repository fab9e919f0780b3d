"""One turn of an intake desk, inside one transaction: records in, leads and commands out."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from actors.advertisers import advertisements
from actors.lead_review import LeadReview
from actors.match_index import MatchIndex
from engine.adapters.postgres import contact_rows, fraud_scores, lead_identities
from engine.adapters.postgres.fraud_scores import Word
from engine.adapters.postgres.intake_store import IntakeStore, KnownRecord, MatchRow, RecordKey
from engine.intake.assignment import Assignment, Candidate, Joint, Offered, assign
from engine.intake.contact_survivorship import ContactClaim
from engine.intake.fraud.evidence import Trace
from engine.intake.fraud.verdict import Review
from engine.intake.lead_news import listing_digest, news_of, offer_of, offered_after
from engine.intake.listing import LISTABLE_STATUSES, mask_again, values_of
from engine.intake.prepared import Prepared, Stated, contact_claim, stated
from engine.intake.record import Rejected
from engine.intake.resolution import Match, MatchFeatures
from engine.market.answers import Merged, Request
from engine.market.commands import Command, ListLead, Merge
from engine.market.listing import Listing

# What a record ever said of its home is remembered up to this many times.
VERSIONS_MAX = 8
_encode = msgspec.msgpack.Encoder().encode


class Counts(msgspec.Struct):
    """What became of the records of one call; `joined` counts leads found to be one."""

    new: int = 0
    merged: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    gone: int = 0
    joined: int = 0

    def add(self, other: Counts) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Version(NamedTuple):
    """One thing newly said by a record: what it is recognised by, and the record's key."""

    key: RecordKey
    digest: bytes
    features: MatchFeatures


class Split(NamedTuple):
    """A merge undone: the lead that kept its id, and the new one of what went."""

    survivor: str
    new_lead_id: str


class Turn:
    """The work of one transaction on `store`. `index` and `fraud` are right only if it commits."""

    def __init__(self, store: IntakeStore, index: MatchIndex, fraud: LeadReview) -> None:
        self.store = store
        self.index = index
        self.fraud = fraud
        self.connection = store.connection
        self.counts = Counts()

    # --- taking records ------------------------------------------------------------

    async def take(self, records: Sequence[Prepared], rejected: Sequence[Rejected]) -> Counts:
        latest = self._latest(records)
        known = await self.store.known_records(list(latest)) if latest else {}
        fresh = {key: each for key, each in latest.items() if _says_more(each, known.get(key))}
        if seen := [key for key in latest if key not in fresh]:
            self.counts.unchanged += len(seen)
            await self.store.seen(seen)
        versions = _versions(records, known)
        # An older copy of a record changes nothing in its listing, but tells what it was
        # known by: so that the order in which copies arrive makes no difference.
        recognised = {version.key for version in versions}
        if keys := [key for key in latest if key in fresh or key in recognised]:
            await self._place(keys, fresh, known, versions)
        if rejected:
            self.counts.rejected += len(rejected)
            await self.store.write_rejected({_rejected_key(each): each for each in rejected})
        return self.counts

    def _latest(self, records: Sequence[Prepared]) -> dict[RecordKey, Prepared]:
        """The newest of each record: a feed that repeats itself is read once."""
        latest: dict[RecordKey, Prepared] = {}
        for record in records:
            other = latest.get(record.key)
            if other is None or _modified(record) >= _modified(other):
                latest[record.key] = record
        self.counts.unchanged += len(records) - len(latest)
        return latest

    async def _place(
        self,
        keys: Sequence[RecordKey],
        fresh: Mapping[RecordKey, Prepared],
        known: Mapping[RecordKey, KnownRecord],
        versions: Sequence[Version],
    ) -> None:
        assignment = await self._assign(keys, known, versions)
        lead_of = dict(zip(keys, assignment.lead_ids, strict=True))
        self.index.belong([lead_of[version.key] for version in versions])
        self._leave_traces(versions, known, lead_of)
        absorbed = [joint for joint in assignment.joints if joint.absorbed]
        went = {joint.goes for joint in absorbed}
        founded = [lead_id for lead_id in assignment.founded if lead_id not in went]
        if founded:
            await lead_identities.found(self.connection, self.store.market, founded)
        for joint in absorbed:
            if joint.goes not in assignment.founded:
                await self._absorb(joint.goes, joint.stays)
        if fresh:
            await self.store.write_records([(each, lead_of[key]) for key, each in fresh.items()])
        if versions:
            await self.store.write_match_rows(
                [MatchRow(*v.key, v.digest, _encode(v.features)) for v in versions]
            )
        touched = dict.fromkeys([*lead_of.values(), *(joint.stays for joint in absorbed)])
        by_lead: dict[str, list[Prepared]] = {}
        for key, each in fresh.items():
            by_lead.setdefault(lead_of[key], []).append(each)
        listed = await self.refresh([id_ for id_ in touched if id_ not in went], by_lead, founded)
        self._count(fresh, known, lead_of, set(founded), listed)
        await self._ask([joint for joint in assignment.joints if not joint.absorbed])

    def _leave_traces(
        self,
        versions: Sequence[Version],
        known: Mapping[RecordKey, KnownRecord],
        lead_of: Mapping[RecordKey, str],
    ) -> None:
        now_us = time.time_ns() // 1_000
        self.fraud.evidence.put(
            Trace(
                key=key,
                lead_id=lead_of[key],
                market=self.store.market,
                seen_us=known[key].first_seen_us if key in known else now_us,
                features=features,
            )
            for key, _, features in versions
        )

    async def _assign(
        self,
        keys: Sequence[RecordKey],
        known: Mapping[RecordKey, KnownRecord],
        versions: Sequence[Version],
    ) -> Assignment:
        """Match the versions, and find each record's lead."""
        first_row = len(self.index)
        found = self.index.match([version.features for version in versions])
        place_of = {key: place for place, key in enumerate(keys)}
        matches: dict[RecordKey, list[tuple[str | int, float]]] = {key: [] for key in keys}
        for version, each in zip(versions, found, strict=True):
            matches[version.key].extend(
                self._lead_or_place(match, first_row, versions, place_of) for match in each
            )
        candidates = [
            Candidate(
                known[key].lead_id if key in known else None,
                tuple(match for match in matches[key] if match[0] != place_of[key]),
            )
            for key in keys
        ]
        leads = {each.known_as for each in candidates if each.known_as is not None}
        leads |= {
            match for each in candidates for match, _ in each.matches if isinstance(match, str)
        }
        standings = await lead_identities.standings(self.connection, list(leads))
        return assign(
            candidates,
            {lead_id: standing.identity for lead_id, standing in standings.items()},
            await lead_identities.apart(self.connection, list(leads)),
            lambda: secrets.token_urlsafe(12),
        )

    def _lead_or_place(
        self,
        match: Match,
        first_row: int,
        versions: Sequence[Version],
        place_of: Mapping[RecordKey, int],
    ) -> tuple[str | int, float]:
        if match.row < first_row:
            return self.index.lead_of(match.row), match.probability
        return place_of[versions[match.row - first_row].key], match.probability

    async def _absorb(self, goes: str, stays: str) -> None:
        """Join a lead that was never offered to another one: nobody need be told."""
        await self._join(goes, stays)
        await contact_rows.forget(self.connection, goes)

    async def _join(self, goes: str, stays: str) -> list[RecordKey]:
        """Make what belongs to one lead another's; which records these were."""
        records = await self.store.move_records(goes, stays)
        await contact_rows.move_claims(self.connection, goes, stays)
        await lead_identities.went_into(self.connection, goes, stays)
        await lead_identities.inherit_apart(self.connection, goes, stays)
        await fraud_scores.went_into(self.connection, goes, stays)
        self.index.merged(goes, stays)
        self.fraud.evidence.merged(goes, stays)
        return records

    def _count(
        self,
        fresh: Mapping[RecordKey, Prepared],
        known: Mapping[RecordKey, KnownRecord],
        lead_of: Mapping[RecordKey, str],
        founded: set[str],
        listed: set[str],
    ) -> None:
        counts = self.counts
        counts.new += len(listed)
        opened = set(listed)
        for key in fresh:
            lead_id = lead_of[key]
            if key in known and known[key].lead_id is not None:
                counts.updated += 1
            elif lead_id in opened:
                opened.discard(lead_id)
            elif lead_id in founded and lead_id not in listed:
                counts.gone += 1
            else:
                counts.merged += 1

    # --- what holds of a lead, and what the book must hear ---------------------------

    async def refresh(
        self,
        lead_ids: Sequence[str],
        fresh: Mapping[str, Sequence[Prepared]],
        founded: Collection[str] = (),
        seats_left: int | None = None,
        *,
        only_by_model: bool = False,
    ) -> set[str]:
        """Work out anew what holds of these leads and put what changed into the outbox.

        `fresh` are records just written, by lead; the leads `founded` have no others. At
        most `seats_left` seats are offered of a new lead. Returns the leads listed now.
        Raises ModelUnavailable if they are to be judged `only_by_model` and it is away.
        """
        before = [lead_id for lead_id in lead_ids if lead_id not in founded]
        said = await self.store.stated(before) if before else {}
        claims = await contact_rows.contact_claims(self.connection, before) if before else {}
        for lead_id, records in fresh.items():
            if lead_id in founded:
                said[lead_id] = {each.key: stated(each) for each in records}
            claims[lead_id] = _with_claims(claims.get(lead_id, []), records)
        await self._mask_for_each_other(said, claims)
        named = {lead_id: claims[lead_id] for lead_id in lead_ids if claims.get(lead_id)}
        await contact_rows.write_contacts(self.connection, named)
        standings = await lead_identities.standings(self.connection, list(said))
        unclear = await lead_identities.under_review(
            self.connection,
            [id_ for id_, each in standings.items() if each.identity.offered == "withdrawn"],
        )
        offers = {
            lead_id: offer_of(list(records_said.values()), seats_left)
            for lead_id, records_said in said.items()
        }
        reviewed = await self.fraud.of(
            self.connection,
            {
                lead_id: listing
                for lead_id, (listing, _) in offers.items()
                if standings[lead_id].identity.offered != "never"
                or listing.standard_status in LISTABLE_STATUSES
            },
            advertisements(fresh),
            only_by_model=only_by_model,
        )
        listed: set[str] = set()
        told: dict[str, tuple[Offered, bytes]] = {}
        commands: list[Command] = []
        for lead_id, (plain, seats) in offers.items():
            listing, review = reviewed.get(lead_id, (plain, Review()))
            news = list(
                news_of(lead_id, listing, seats, standings[lead_id], lead_id in unclear, review)
            )
            if any(isinstance(command, ListLead) for command in news):
                listed.add(lead_id)
            offered = offered_after(standings[lead_id].identity.offered, news)
            if offered != "never":
                told[lead_id] = (offered, listing_digest(listing))
            commands.extend(news)
        await lead_identities.tell(self.connection, told)
        await self._send_later(commands)
        return listed

    async def _mask_for_each_other(
        self,
        said: Mapping[str, dict[RecordKey, Stated]],
        claims: Mapping[str, Sequence[ContactClaim]],
    ) -> None:
        """Of several records of one lead, one may print in its remarks whom another names as
        the contact: each is masked with the whole lead's contacts, also those kept before."""
        kept: dict[RecordKey, Listing] = {}
        for lead_id, records in said.items():
            if len(records) < 2:
                continue
            values = [v for claim in claims.get(lead_id, ()) for v in values_of(claim.contact)]
            values = list(dict.fromkeys(values))
            for key, each in records.items():
                masked = mask_again(each.listing, values)
                if masked != each.listing:
                    kept[key] = masked
                    records[key] = msgspec.structs.replace(each, listing=masked)
        if kept:
            await self.store.rewrite_listings(kept)

    async def _send_later(self, commands: Iterable[Command]) -> None:
        requests = [Request(secrets.token_bytes(16), command) for command in commands]
        if requests:
            await self.store.write_outbox(requests)

    # --- leads that may be scams -----------------------------------------------------

    async def decide(self, lead_id: str, word: Word) -> bool:
        """Enter a reviewer's word on a lead, and work out what holds of it then. False if it
        is another lead by now, or nothing is kept that was said of it."""
        if not await self.store.stated([lead_id]):
            return False
        if await fraud_scores.decide(self.connection, self.store.market, lead_id, word):
            await fraud_scores.as_the_book_has_it(self.connection, lead_id)
            await self.refresh([lead_id], {})
        return True

    async def rescore(self, lead_ids: Sequence[str]) -> None:
        """Judge leads anew. Raises ModelUnavailable, and has changed nothing then."""
        await self.refresh(lead_ids, {}, only_by_model=True)
        # What nobody has said anything of can't be judged, now or later.
        await fraud_scores.judged_enough(self.connection, lead_ids)

    # --- two leads that are one ------------------------------------------------------

    async def _ask(self, joints: Sequence[Joint]) -> None:
        """Have the book make one of each pair of leads."""
        if not joints:
            return
        named = {secrets.token_urlsafe(12): joint for joint in joints}
        await lead_identities.ask_merges(self.connection, self.store.market, named)
        await self._send_later(Merge(joint.stays, joint.goes) for joint in joints)

    async def settle(self, merged: Merged) -> None:
        """Follow the book's answer: the records of the lead that went are the other's now.

        The lead that went keeps its contact, for those who bought it.
        """
        stays, goes = merged.survivor, merged.merged
        records: list[RecordKey] = []
        if merged.is_link:
            await lead_identities.keep_apart(self.connection, self.store.market, stays, goes)
        else:
            records = await self._join(goes, stays)
            self.counts.joined += 1
        await lead_identities.settle_merge(
            self.connection, stays, goes, records, is_link=merged.is_link
        )
        if not merged.is_link:
            await lead_identities.ask_of_survivor(self.connection, goes, stays)
        await self.refresh([stays], {})

    async def undo(self, merge_id: str, by: str) -> Split | None:
        """Take a merge apart: what went is offered under a new id and never joined again.

        None if there is no such merge, or it is a mere link of two sold leads. Repeated, the
        first answer. The index must be loaded anew afterwards.
        """
        merge = await lead_identities.merge_for_update(self.connection, self.store.market, merge_id)
        if merge is None or merge.is_link or not merge.records:
            return None
        survivor = await lead_identities.where_now(self.connection, merge.survivor)
        if merge.new_lead_id is not None:
            return Split(survivor, merge.new_lead_id)
        new_lead_id = secrets.token_urlsafe(12)
        await lead_identities.found(self.connection, self.store.market, [new_lead_id])
        await self.store.give_records(merge.records, new_lead_id)
        await self._split_claims(survivor, new_lead_id, set(merge.records))
        await lead_identities.keep_apart(self.connection, self.store.market, survivor, new_lead_id)
        await lead_identities.undo_merge(self.connection, merge_id, new_lead_id, by)
        await self.refresh([survivor], {})
        seats_left = await lead_identities.seats_left(self.connection, merge.merged)
        await self.refresh([new_lead_id], {}, seats_left=seats_left)
        return Split(survivor, new_lead_id)

    async def _split_claims(self, survivor: str, new_lead_id: str, goes: set[RecordKey]) -> None:
        claims = (await contact_rows.contact_claims(self.connection, [survivor]))[survivor]
        going = [each for each in claims if (each.source, each.source_id) in goes]
        staying = [each for each in claims if (each.source, each.source_id) not in goes]
        parts = {survivor: staying, new_lead_id: going}
        await contact_rows.write_contacts(
            self.connection, {lead_id: part for lead_id, part in parts.items() if part}
        )


def _says_more(record: Prepared, known: KnownRecord | None) -> bool:
    """Whether a record differs from what is kept of it, and is not older: a feed read
    again from its start must not undo its end."""
    if known is None or known.lead_id is None:
        # What was rejected may be read better now, though it did not change.
        return True
    if known.content_hash == record.content_hash:
        return not known.digests
    modified = record.listing.modification_timestamp
    return modified is None or known.modified is None or modified >= known.modified


def _modified(record: Prepared) -> str:
    return record.listing.modification_timestamp or ""


def _versions(records: Sequence[Prepared], known: Mapping[RecordKey, KnownRecord]) -> list[Version]:
    """What is newly said, each thing once, up to the bound for each record."""
    digests: dict[RecordKey, set[bytes]] = {}
    versions = []
    for record in records:
        before = known.get(record.key)
        said = digests.setdefault(record.key, set(before.digests) if before else set())
        digest = hashlib.blake2b(_encode(record.features), digest_size=12).digest()
        if digest not in said and len(said) < VERSIONS_MAX:
            said.add(digest)
            versions.append(Version(record.key, digest, record.features))
    return versions


def _with_claims(claims: Sequence[ContactClaim], records: Sequence[Prepared]) -> list[ContactClaim]:
    """The claims with those of `records` in place of what they said before."""
    new = {record.key for record in records}
    kept = [each for each in claims if (each.source, each.source_id) not in new]
    return [*kept, *(contact_claim(record) for record in records)]


def _rejected_key(rejected: Rejected) -> RecordKey:
    """A record without an id of its own is known by what it contained."""
    return rejected.source, rejected.source_id or f"content:{rejected.content_hash[:32]}"
