"""Read the facts for `referral doctor`: the database in one snapshot, then the topics to their ends. Read-only."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection, standing
from referral.cli.admin import doctor_walls, security
from referral.cli.admin.doctor_walls import DEALT, US, Walls
from referral.domain.case import Case
from referral.domain.events import Meta, PolicyActivated
from referral.domain.inputs import ROSTER_BOOK
from referral.errors import Malformed, Rejected
from referral.proof import act
from referral.proof.entry import CASE_TOPICS
from referral.runtime import policy_feed
from referral.runtime.kafka import clients, replication, scan
from referral.runtime.kafka.replication import Replication
from referral.runtime.kafka.scan import Place
from referral.runtime.keys import erasure_tag, key_topic
from referral.runtime.loop import writer_mark
from referral.runtime.loop.units import place
from referral.runtime.policy_feed import Chain
from referral.runtime.postgres import backups, clock, rights, roles
from referral.runtime.postgres.backups import Backups
from referral.runtime.postgres.tokens import AUDITORS
from referral.runtime.recovery.recover import WRITES
from referral.runtime.settings import LINE, Settings
from referral.wire import case_state, seal

LEASES = "SELECT unit, owner, lease_until > clock_timestamp() AS held, positions FROM {s}.lease ORDER BY unit"
ALIVE = "SELECT count(*) FROM {s}.instance WHERE alive_until > clock_timestamp()"
OUTBOX = "SELECT partition, records, oldest FROM {s}.outbox"
QUEUE = "SELECT count(*) AS rows, min(at) AS oldest FROM {s}.queue WHERE NOT sent"
ERASURES = "SELECT case_id, requested_at, approved_at, destroyed_at FROM intake.erasure WHERE refused_at IS NULL ORDER BY requested_at"
ROWS = "SELECT case_id FROM intake.casefile"
PROMISES = "SELECT event_id, case_id, received_at FROM intake.submission"
LOGGED = "SELECT event_id FROM audit.entry WHERE topic = 'referral-intake' AND event_id <> ''"
ACTS = "SELECT value FROM audit.act WHERE idx IS NULL"
SEEN = "SELECT topic, case_id, seq FROM {s}.seen"


class Lease(Struct, frozen=True, kw_only=True):
    """A lease row. positions: (topic, partition) → next offset; for the service's own topic, the confirmed offset."""

    unit: str
    owner: str
    held: bool
    positions: dict[Place, int]


class Service(Struct, frozen=True, kw_only=True):
    """The runtime tables of one service. outbox: (partition, records, since µs). queue: unsent rows and the oldest's time."""

    name: str
    alive: int
    leases: tuple[Lease, ...]
    outbox: tuple[tuple[int, int, int], ...]
    queue: tuple[int, int | None]
    seen: dict[tuple[str, str], int]


class Seen(Struct, frozen=True, kw_only=True):
    """A record of a case topic, by its part that is readable without a key."""

    place: Place
    offset: int
    meta: Meta
    value: bytes


class Vitals(Struct, kw_only=True):
    """The facts. now: µs by the stack's clock. ahead: µs by which a drill moved it.

    unread: records of case topics whose clear part cannot be read.
    """

    now: int
    ahead: int
    moved: bool
    """True if somebody moved the clock, and the stack is not a drill."""
    exercises: bool = True
    """True if the database is for drills alone: there an exercise takes a place, on the real line none."""
    services: dict[str, Service]
    ends: dict[Place, int]
    records: list[Seen]
    unread: list[tuple[Place, int]]
    foreign: list[tuple[Place, int]]
    """Records of case topics that the topic's owner did not write."""
    quarantined: int
    cases: dict[str, Case]
    sealed: set[str]
    """Cases whose state does not open."""
    alarms: dict[str, int]
    keys: set[str]
    wrong_keys: str
    """The reason that the keys cannot be unwrapped; empty where they can."""
    places: dict[str, tuple[int, int]]
    """Service id → (capacity, held)."""
    policy: list[tuple[int, int, int | None]]
    """(number, activated, confirmed) of each bundle."""
    unbelieved: list[str] = field(default_factory=list)
    """Records of referral-policy, and stored bundles, that no service believes, each with the reason."""
    kept: set[str] = field(default_factory=set)
    """Cases whose wrapped key is on referral-keys."""
    erased: set[str] = field(default_factory=set)
    """Cases that intake has recorded as erased."""
    forged: set[str] = field(default_factory=set)
    """Cases that another writer has recorded as erased."""
    erasures: list[tuple[str, int, int | None, int | None]] = field(default_factory=list)
    """(case, requested, approved, destroyed) of every erasure that was not refused."""
    rows: set[str] = field(default_factory=set)
    """Cases with a case file."""
    promises: list[tuple[str, str, int]] = field(default_factory=list)
    """(event, case, received) of every receipt that intake has given."""
    logged: set[str] = field(default_factory=set)
    """Events of intake that are in the log."""
    topics: list[str] = field(default_factory=list)
    """Differences between the broker's topics and their cards."""
    replication: Replication = Replication()
    bare: list[str] = field(default_factory=list)
    """Rungs whose rota has run out or has gaps, each with the consequence; computed by the notifier's own rules."""
    rights: list[str] = field(default_factory=list)
    """Differences between the rights of the database's roles and rights.yaml."""
    passwords: list[str] | None = None
    """Roles that the database lets in otherwise than with their own password; None: no folder of passwords is named."""
    tokens: list[tuple[str, int]] = field(default_factory=list)
    """(office, made at) of each auditor's token that nobody ended."""
    acts: int = 0
    """Number of acts of operators in the log."""
    by_hand: list[str] = field(default_factory=list)
    """Changes in the tables for which no entry of the log accounts."""
    altered: list[str] = field(default_factory=list)
    """Security events of the last day that are not as the log sealed them."""
    unlogged: list[int] = field(default_factory=list)
    """Time of each operator's act that is not in the log yet; 0: no command has written it, and the log never takes it."""
    kinds: dict[str, int] = field(default_factory=dict)
    """Kind of audit entry, FORK and GAP alone → number of entries."""
    older: dict[str, int] = field(default_factory=dict)
    """Fault of records that the broker took longer ago than DEALT → their number; nothing above holds these."""
    walls: Walls = field(default_factory=Walls)
    backups: Backups = Backups()


async def gather(tx: AsyncConnection, found: Settings) -> Vitals:
    """Read all facts. The topics come after the database, so that every record below a position exists.

    OSError, KafkaError: broker down.
    """
    services = {name: await _service(tx, name) for name in LINE}
    wrong, opened = "", {}
    try:
        opened = await connection.case_keys(tx, found)
    except Exception as error:  # any error of the key file or a key is a finding, not a failure
        wrong = str(error)
    at, moved = await clock.shown(tx)
    vitals = Vitals(
        now=at,
        moved=moved,
        exercises=await clock.drills(tx),
        ahead=await clock.offset(tx),
        services=services,
        ends={},
        records=[],
        unread=[],
        foreign=[],
        quarantined=0,
        cases={},
        sealed=set(),
        alarms={r.case_id: r.at for r in await tx.execute(text("SELECT case_id, at FROM routing.alarm"))},
        keys={r.case_id for r in await tx.execute(connection.CASES)},
        wrong_keys=wrong,
        places={r.service_id: (r.capacity, r.held) for r in await tx.execute(text("SELECT * FROM routing.place"))},
        policy=[tuple(r) for r in await tx.execute(text("SELECT number, activated, confirmed FROM routing.policy ORDER BY number"))],
    )
    true_now = at - vitals.ahead
    since = true_now - DEALT // US
    vitals.kinds, vitals.older["forks and gaps"] = await doctor_walls.torn(tx, since)
    vitals.walls = await doctor_walls.walls(tx, found, true_now, not vitals.exercises)
    vitals.unbelieved, vitals.older["forged policy bundles"] = await _unbelieved(tx, found, since)
    vitals.erasures = [tuple(row) for row in await tx.execute(text(ERASURES))]
    vitals.promises = [tuple(row) for row in await tx.execute(text(PROMISES))]
    vitals.tokens = [(token.holder.name, token.made_at) for token in await AUDITORS.read(tx) if token.ended_at is None]
    vitals.unlogged = [_acted(row.value) for row in await tx.execute(text(ACTS))]
    vitals.acts, vitals.by_hand = await standing.by_hand(tx, opened.get(ROSTER_BOOK))
    _, vitals.altered = await security.read(tx, security.HOURS * security.HOUR_US, at)
    vitals.logged = {row.event_id for row in await tx.execute(text(LOGGED))}
    vitals.rows = {row.case_id for row in await tx.execute(text(ROWS))}
    for row in await tx.execute(text("SELECT case_id, state FROM routing.case_state")):
        try:
            vitals.cases[row.case_id] = case_state.unseal(opened[row.case_id], row.case_id, row.state)
        except Exception:  # whatever the cause, the state does not open
            vitals.sealed.add(row.case_id)
    vitals.rights = await rights.differences(tx)
    vitals.passwords = await _passwords(found)
    vitals.backups = await backups.read(tx)
    await _topics(vitals, found, since, {topic: await writer_mark.secret(tx, owner) for owner, topic in WRITES.items()})
    return vitals


def _acted(value: bytes) -> int:
    try:
        return act.parse(value).at
    except Malformed:
        return 0


async def _unbelieved(tx: AsyncConnection, found: Settings, since: int) -> tuple[list[str], int]:
    """Return the records of referral-policy and the rows of routing.policy that every service passes over; and the number of records
    that the broker took before `since` (µs UTC). A row can be deleted, so it counts however old it says to be."""
    try:
        trusted = policy_feed.trusted(found)
    except Rejected as error:  # this shell names no witness policy, or one without signers: no service would start with it
        return [str(error)], 0
    topic, stored = Chain(trusted), Chain(trusted)
    refused = [
        (record.timestamp, f"the record at offset {record.offset} is no bundle that two signers signed ({reason})")
        async for _, record in scan.whole(found, [PolicyActivated.TOPIC])
        if (reason := topic.take(record))
    ]
    wrong = [what for taken, what in refused if taken * 1000 >= since]
    rows = (await tx.execute(text("SELECT * FROM routing.policy ORDER BY number"))).all()
    wrong += [
        f"bundle {row.number} in routing's table is none that two signers signed ({reason})"
        for row in rows
        if (reason := stored.add(policy_feed.stored(row)))
    ]
    return wrong, sum(taken * 1000 < since for taken, _ in refused)


async def _passwords(found: Settings) -> list[str] | None:
    if found.database_passwords is None:
        return None
    try:
        return await roles.differences(found, roles.passwords(found))
    except Rejected as error:
        return [error.hint]


async def _service(tx: AsyncConnection, name: str) -> Service:
    async def rows(statement: str) -> list[Any]:
        return list(await tx.execute(text(statement.format(s=name))))

    leases = tuple(
        Lease(unit=r.unit, owner=r.owner or "", held=r.held, positions={place(p): v[0] for p, v in r.positions.items()})
        for r in await rows(LEASES)
    )
    waiting = (await rows(QUEUE))[0]
    return Service(
        name=name,
        alive=(await rows(ALIVE))[0][0],
        leases=leases,
        outbox=tuple((r.partition, r.records, r.oldest) for r in await rows(OUTBOX)),
        queue=(waiting.rows, waiting.oldest),
        seen={(r.topic, r.case_id): r.seq for r in await rows(SEEN)},
    )


async def _topics(vitals: Vitals, found: Settings, since: int, secrets: dict[str, bytes]) -> None:
    """Read the broker's records, and compare its topics with their cards. since: µs UTC; what is wrong with older records is counted."""
    erasers = erasure_tag.erasers(found)
    cards = clients.wanted(found)
    admin = clients.admin(found)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [name for name in cards if found.topic(name) not in there]
        vitals.topics = [f"{found.topic(name)} is missing" for name in missing]
        present = {name: card for name, card in cards.items() if name not in missing}
        vitals.topics += [str(problem) for problem in await clients.differences(admin, found, present)]
        vitals.topics += await clients.disallowed(admin, found, there)
        vitals.replication = await replication.read(admin, [found.topic(name) for name in present])
    finally:
        await admin.close()
    ingress = [found.plain(name) for name in there if found.plain(name).startswith("ingress.")]
    vitals.ends = await scan.ends(found, [*cards, *ingress])
    vitals.kept = set(await key_topic.read(found))
    kept = [record.timestamp * 1000 async for _, record in scan.whole(found, ["referral-quarantine"])]
    vitals.quarantined = sum(at >= since for at in kept)
    vitals.older["records in quarantine"] = len(kept) - vitals.quarantined
    marked, unmarked, seen = [], [], list[Seen]()
    async for place_, record in scan.whole(found, CASE_TOPICS):
        if writer_mark.carries(secrets[place_[0]], record.value, record.headers):
            marked.append((place_[0], record.timestamp))
        else:
            unmarked.append((place_, record.offset, record.timestamp))
        try:
            meta = seal.open(record.value or b"").meta
            seen.append(Seen(place=place_, offset=record.offset, meta=meta, value=record.value))
            if meta.type in seal.UNSEALED:
                said = not erasers.intake or erasure_tag.signed_erasure(erasers, place_[0], record.value, record.timestamp) is not None
                if said:
                    vitals.erased.add(meta.case_id)
                elif record.timestamp * 1000 >= since:
                    vitals.forged.add(meta.case_id)
        except Malformed:
            vitals.unread.append((place_, record.offset))
    began = writer_mark.since(marked)
    foreign = {(place_, offset): at for place_, offset, at in unmarked if at >= began.get(place_[0], at + 1)}
    vitals.foreign = [where for where, at in foreign.items() if at * 1000 >= since]
    others = foreign.keys() - set(vitals.foreign)
    vitals.older["records that their topic's owner did not write"] = len(others)
    vitals.records = [one for one in seen if (one.place, one.offset) not in others]
    vitals.unread = [where for where in vitals.unread if where not in others]
