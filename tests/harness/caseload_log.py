"""An export of a log that a simulated caseload leaves: all procedures, scarce places, alarms, knocks, exercises, signed records, beats.

It is written as it grows, so that a log of a million entries needs little memory.

    python -m tests.harness.caseload_log FOLDER [--days 365]    20,000 cases and more than a million entries
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, field

from referral.analysis.simulation.caseload import Arrival, Caseload, a_year
from referral.analysis.simulation.reactions import Live
from referral.analysis.simulation.world import Decided, World
from referral.cli.audit import source as audit_folder
from referral.domain.case import holds, next_due
from referral.domain.decide import Decision, decided, facts_for
from referral.domain.durations import DAY_US
from referral.domain.events import (
    CaseRaised,
    Door,
    KnockSent,
    Meta,
    NeedsPerson,
    OfferEscalated,
    OfferOpened,
    PolicyActivated,
    ReferralSubmitted,
)
from referral.domain.inputs import Due, Input, Raw, Source, derived, due_input, record_input
from referral.domain.policy import compile
from referral.proof import archive
from referral.proof.archive import CHECKPOINT, KEYS, POLICY, Payload
from referral.proof.entry import OWNERS, Entry, Kind, leaf
from referral.proof.heartbeat import STILL_S, Heartbeat
from referral.tlog import note, tile_layout, tiles
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.merkle import leaf_hash
from referral.tlog.note import Note
from referral.tlog.tile_layout import FULL
from referral.wire import codec, headers, hpke, policy_digest, seal, topics
from referral.wire.signed import writer_signature
from services.audit.ingest import Known, Says, ingest
from tests.harness import made_log, writers
from tests.harness.audit_archive import AUDITOR
from tests.harness.audit_log import FILES, START

CASES = 20_000
"""Cases of a year."""
TAIL = 20
"""Days after the last arrival at which the log ends; many cases are still open then."""
BEAT = STILL_S * 1_000_000
EXERCISE = 50
"""Every so many cases is an exercise."""
PLACES = re.compile(rb"(\bplaces: )(\d+)")


def rules(times: int) -> dict[str, bytes]:
    """Return our policy, in which each service has so many times its places."""
    return {name: PLACES.sub(lambda found: b"%s%d" % (found[1], int(found[2]) * times), data) for name, data in FILES.items()}


class Days(Caseload, frozen=True, kw_only=True):
    """The arrivals of the first days of a year. days: how many."""

    days: int

    def arrivals(self) -> Iterator[Arrival]:
        return (arrival for arrival in super().arrivals() if arrival.at < self.start + self.days * DAY_US)


class Growing(Struct, kw_only=True):
    """A folder that becomes an export."""

    folder: Path
    edge: tiles.Edge = field(default_factory=tiles.Edge)
    waiting: list[Entry] = field(default_factory=list)
    """Entries of the bundle that is not full."""

    def add(self, entries: Sequence[Entry]) -> None:
        self.waiting += entries
        while len(self.waiting) >= FULL:
            self._bundle(self.waiting[:FULL])
            del self.waiting[:FULL]

    def close(self, policy: bytes, keys: dict[str, bytes], at: int) -> int:
        """Write what is left, and a checkpoint that every witness signed at this time, Unix seconds. Return the number of entries."""
        before = self.edge
        if self.waiting:
            self._bundle(self.waiting)
        size, now = self.edge.size, self.edge
        for tile, data in now.tiles.items():
            audit_folder.put(self.folder, tile.path, data)
        text = Checkpoint(made_log.ORIGIN, size, now.root).sign(made_log.LOG)
        signed = Note(text.text, (*text.signatures, *(note.sign(text.text, key, at) for key in made_log.WITNESSES)))
        audit_folder.put(self.folder, POLICY, policy)
        audit_folder.put(self.folder, KEYS, hpke.lend(AUDITOR.public_key(), made_log.ORIGIN, keys))
        audit_folder.put(self.folder, CHECKPOINT, signed.encode())
        self.edge = before
        return size

    def _bundle(self, entries: Sequence[Entry]) -> None:
        leaves = [leaf(entry) for entry in entries]
        bundle = tile_layout.at(tile_layout.ENTRIES, self.edge.size // FULL, self.edge.size + len(leaves))
        self.edge, full = tiles.append(self.edge, map(leaf_hash, leaves))
        beside = archive.pack([Payload(entry.key, entry.value, entry.headers) for entry in entries])
        for path, data in ((bundle.path, tiles.pack(leaves)), (archive.path(bundle), beside), *((t.path, d) for t, d in full.items())):
            audit_folder.put(self.folder, path, data)


class Lived(World):
    """A world whose decisions reach a log. now: µs UTC, of the log."""

    def __init__(self, folder: Path, days: int, seed: int = 1) -> None:
        files = rules(round(CASES / a_year(compile(FILES))))
        super().__init__(Days(policy=compile(files), seed=seed, world=0, cases=CASES, year=2026, days=days), compile(files))
        self.log, self.now, self.keys = Growing(folder=folder), START, dict[str, bytes]()
        self.known, self.offsets, self.seqs = Known(), Counter[tuple[str, int]](), Counter[tuple[str, str]]()
        self.taken, self.drills = Counter[str](), set[str]()
        self.until, self.beats = self.caseload.start + (days + TAIL) * DAY_US, START
        body = PolicyActivated(number=1, digest=policy_digest.digest(files), at=START, files=files, valid_from=0, before="")
        self.lines = made_log.policy() + writers.LINES
        self.log.add(ingest([], self.known, [Says(Kind.KEYS, self.lines)]).entries)
        told = headers.plain(PolicyActivated.TYPE, id=derived("00000000-0000-4000-8000-000000000000", 0), source="routing", at=START)
        self._put(PolicyActivated.TOPIC, 0, [(b"1", codec.encode(body), told)])

    def live(self, to: int | None = None) -> int:
        """Live until a time, µs UTC, else to the end, and write an export. Return the number of its entries."""
        end = self.until if to is None else to
        while self.next_at is not None and self.next_at < end:
            self._beat(self.next_at)
            self.step()
        self._beat(end)
        return self.log.close(self.lines, self.keys, self.now // 1_000_000 + 1)

    def _decide(self, live: Live, body: Struct, at: int) -> Decided:
        """A world drops a case that was closed; routing still acts on the limits that it has."""
        done = super()._decide(live, body, at)
        if live.ended and next_due(done.case) is not None:
            live.ended = ""
            self._alarm(live, at)
        return done

    def decision(self, live: Live, body: Struct, at: int) -> Decision:
        self.now = max(at, self.now)
        if isinstance(body, CaseRaised):
            body = _raised(live.id, body, self.policy.oversight, at)
        if int(live.id[-12:], 16) % EXERCISE == 0:
            self.drills.add(live.id)
        cause = self._cause(live, body)
        facts = facts_for(live.case, cause, self.policy, self.now, self._free, bundle=1)
        made = decided(live.case, cause, facts, self.policy)
        self._say(live.id, [*made.events], [derived(cause.id, number) for number in range(len(made.events))], cause.id)
        held = holds(live.case) if live.case is not None and not live.case.drill else {}
        self.taken.subtract(held)
        self.taken.update({} if made.case.drill else holds(made.case))
        knocks = [_knock(event, at) for event in made.events if isinstance(event, OfferOpened | OfferEscalated | NeedsPerson)]
        if knocks:
            self._say(live.id, knocks, [knock.reference for knock in knocks], cause.id)
        return made

    def _cause(self, live: Live, body: Struct) -> Input:
        if isinstance(body, Due):
            return due_input(live.id, body.at, live.case.seq if live.case else 0)
        id = f"{live.id[:14]}{live.inputs:04x}-0001{live.id[23:]}"
        ((meta, source),) = self._say(live.id, [body], [id], derived(id, "row"))
        return record_input(meta, body, source)

    def _free(self, wanted: tuple[str, ...]) -> dict[str, int]:
        places = self.policy.capacities()
        return {service: max(0, places.get(service, 0) - self.taken[service]) for service in wanted}

    def _say(self, case_id: str, bodies: Sequence[Struct], ids: Sequence[str], cause_id: str) -> list[tuple[Meta, Source]]:
        """Number, seal and sign records of one topic, and publish them together."""
        topic: str = type(bodies[0]).TOPIC  # type: ignore[attr-defined]
        key, metas, records = self.keys.setdefault(case_id, made_key(case_id)), list[Meta](), list[tuple[bytes, bytes]]()
        for body, id in zip(bodies, ids, strict=True):
            self.seqs[topic, case_id] += 1
            type_: str = type(body).TYPE  # type: ignore[attr-defined]
            meta = Meta(
                event_id=id,
                case_id=case_id,
                case_seq=self.seqs[topic, case_id],
                type=type_,
                fingerprint=codec.fingerprint(type_),
                cause_id=cause_id,
                recorded_at=self.now,
                source=OWNERS[topic],
                drill=case_id in self.drills,
            )
            metas.append(meta)
            records.append((case_id.encode(), seal.seal(key, topic, meta, codec.encode(body), bytes.fromhex(id.replace("-", ""))[:12])))
        signed = writer_signature.sign(writers.KEYS[OWNERS[topic]], topic, records)
        told = [(*record, [*headers.of(meta), sign]) for meta, record, sign in zip(metas, records, signed, strict=True)]
        return [*zip(metas, self._put(topic, topics.partition(case_id), told), strict=True)]

    def _put(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes, list[tuple[str, bytes]]]]) -> list[Source]:
        sources, inputs = list[Source](), list[Input]()
        for key, value, told in records:
            source = Source(topic=topic, partition=partition, offset=self.offsets[topic, partition])
            self.offsets[topic, partition] += 1
            raw = Raw(key=key, value=value, headers=tuple(told), kafka_time=self.now // 1000)
            inputs.append(Input(id="", case_id="", body=raw, source=source))
            sources.append(source)
        self.known.now = self.now
        self.log.add(ingest(inputs, self.known).entries)
        for held in (self.known.positions, self.known.hashes, self.known.own):  # nothing is repeated here
            held.clear()
        return sources

    def _beat(self, to: int) -> None:
        """Audit says each five minutes that it is alive and has read everything."""
        while self.beats + BEAT <= to:
            self.beats += BEAT
            self.now = self.known.now = max(self.now, self.beats)
            ends: dict[str, list[int]] = {}
            for (topic, partition), end in self.offsets.items():
                ends.setdefault(topic, [0] * topics.PARTITIONS)[partition] = end
            value = Heartbeat(ends=ends, unread={}, drill=False).encode()
            self.log.add(ingest([], self.known, [Says(Kind.HEARTBEAT, value)]).entries)


def made_key(case_id: str) -> bytes:
    return bytes.fromhex(case_id.replace("-", "")) * 2


def _raised(case_id: str, body: CaseRaised, oversight: str, at: int) -> ReferralSubmitted:
    """What intake submits upon a case that another one raised."""
    return ReferralSubmitted(
        referral_id=derived(case_id, "referral"),
        agency=oversight,
        door=Door.SYSTEM,
        opens=True,
        traits=body.traits,
        consent=None,
        sections=(),
        excludes=body.excluded,
        received_at=at,
    )


def _knock(event: OfferOpened | OfferEscalated | NeedsPerson, at: int) -> KnockSent:
    asked = event.task_id if isinstance(event, NeedsPerson) else event.offer_id
    task = isinstance(event, NeedsPerson)
    return KnockSent(
        offer_id=None if task else asked,
        task_id=asked if task else None,
        rung=event.rung,
        person=derived(asked, "officer"),
        channel="email",
        again=0,
        at=at,
        reference=derived(asked, f"knock {at}"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=365)
    asked = parser.parse_args()
    began = time.process_time()
    world = Lived(asked.folder, asked.days)
    size = world.live()
    print(f"{size:,} entries of {len(world.keys):,} cases in {time.process_time() - began:.0f} s")


if __name__ == "__main__":
    main()
