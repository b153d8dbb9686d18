"""Read the facts for `referral doctor`: the database in one snapshot, then the topics to their ends. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import standing
from referral.cli.admin import doctor_walls, security
from referral.cli.admin.doctor_walls import DEALT, US, Walls
from referral.cli.vitals import reading
from referral.cli.vitals.reading import States
from referral.cli.vitals.topics import Judged, Line
from referral.domain.durations import DAY_US
from referral.domain.events import PolicyActivated
from referral.domain.inputs import ROSTER_BOOK
from referral.domain.policy import compile
from referral.errors import Malformed, Rejected
from referral.proof import act
from referral.runtime import policy_feed
from referral.runtime.kafka import clients, replication, scan
from referral.runtime.kafka.replication import Replication
from referral.runtime.kafka.scan import Place
from referral.runtime.keys import case_keys, erasure_tag
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import writer_mark
from referral.runtime.loop.units import place
from referral.runtime.policy_feed import Chain
from referral.runtime.postgres import backups, bounds, clock, rights, roles
from referral.runtime.postgres.backups import Backups
from referral.runtime.postgres.tokens import AUDITORS
from referral.runtime.recovery.recover import WRITES
from referral.runtime.settings import LINE, Settings
from referral.wire.signed.erasure_approval import Erasers

LEASES = "SELECT unit, owner, lease_until > clock_timestamp() AS held, positions FROM {s}.lease ORDER BY unit"
ALIVE = "SELECT id, stopped FROM {s}.instance WHERE alive_until > clock_timestamp() ORDER BY id"
OUTBOX = "SELECT partition, records, oldest FROM {s}.outbox"
QUEUE = "SELECT count(*) AS rows, min(at) AS oldest FROM {s}.queue WHERE NOT sent"
ERASURES = "SELECT case_id, requested_at, approved_at, destroyed_at FROM intake.erasure WHERE refused_at IS NULL ORDER BY requested_at"
RECEIPTS = "SELECT count(*) FROM intake.submission"
OWED = (
    "SELECT event_id, case_id, received_at FROM intake.submission AS s WHERE received_at >= :since AND NOT EXISTS"
    " (SELECT FROM audit.entry AS e WHERE e.event_id = s.event_id AND e.event_id <> '' AND e.topic = 'referral-intake')"
)
ACTS = "SELECT value FROM audit.act WHERE idx IS NULL"
KEYED = "SELECT count(DISTINCT case_id) FROM keys.case_key"
RETIRED = "SELECT case_id, at, erased FROM keys.retirement"


class Lease(Struct, frozen=True, kw_only=True):
    """A lease row. positions: (topic, partition) → next offset; for the service's own topic, the confirmed offset."""

    unit: str
    owner: str
    held: bool
    positions: dict[Place, int]


class Service(Struct, frozen=True, kw_only=True):
    """The runtime tables of one service. outbox: (partition, records, since µs). queue: unsent rows and the oldest's time.

    alive: id of each instance → cause and units that do not go on in it; empty: all go on.
    """

    name: str
    alive: dict[str, str]
    leases: tuple[Lease, ...]
    outbox: tuple[tuple[int, int, int], ...]
    queue: tuple[int, int | None]


class Vitals(Struct, kw_only=True):
    """The facts. now: µs by the stack's clock. ahead: µs by which a drill moved it. since: µs UTC, from when on records are judged.

    whole: they are judged from the beginning of their topics.
    """

    now: int
    ahead: int
    moved: bool
    """True if somebody moved the clock, and the stack is not a drill."""
    exercises: bool = True
    """True if the database is for drills alone: there an exercise takes a place, on the real line none."""
    services: dict[str, Service]
    ends: dict[Place, int] = field(default_factory=dict)
    judged: Judged = field(default_factory=Judged)
    quarantined: int = 0
    states: States = field(default_factory=States)
    alarms: int = 0
    late: dict[str, int] = field(default_factory=dict)
    """Case → when its alarm should have rung, of those that have not."""
    keys: int = 0
    """Number of cases with a key."""
    places: dict[str, tuple[int, int]]
    """Service id → (capacity, held)."""
    capacities: dict[str, int] | None = None
    """Service id → places, by the newest confirmed bundle that two signers signed; None: there is none, which `policy` says."""
    policy: list[tuple[int, int, int | None]]
    """(number, activated, confirmed) of each bundle."""
    unbelieved: list[str] = field(default_factory=list)
    """Records of referral-policy, and stored bundles, that no service believes, each with the reason."""
    kept: set[str] = field(default_factory=set)
    """Destroyed cases whose wrapped key is on referral-keys."""
    back: list[tuple[str, str]] = field(default_factory=list)
    """(what, case) of erased cases that is still there, or there again."""
    ended: set[str] = field(default_factory=set)
    """Erased cases with a state that their topic shows as closed."""
    erasures: list[tuple[str, int, int | None, int | None]] = field(default_factory=list)
    """(case, requested, approved, destroyed) of every erasure that was not refused."""
    retired: dict[str, tuple[int, bool]] = field(default_factory=dict)
    """Case whose keys are out of use → (since when, whether they are destroyed)."""
    receipts: int = 0
    """Number of receipts that intake has given."""
    owed: list[tuple[str, str, int]] = field(default_factory=list)
    """(event, case, received) of every receipt that the log does not have."""
    topics: list[str] = field(default_factory=list)
    """Differences between the broker's topics and their cards."""
    replication: Replication = Replication()
    paused: int | None = None
    """Time since which no knock is sent; None: they are."""
    bare: list[str] = field(default_factory=list)
    """Rungs whose rota has run out or has gaps, each with the consequence; computed by the notifier's own rules."""
    rights: list[str] = field(default_factory=list)
    """Differences between the rights and bounds of the database's roles and rights.yaml."""
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
    since: int = 0
    whole: bool = True

    @property
    def erased(self) -> set[str]:
        """Return the cases that intake has recorded as erased."""
        return self.judged.erased | {case_id for case_id, *_, done in self.erasures if done}

    @property
    def destroyed(self) -> set[str]:
        """Return the erased cases whose rows and key must be gone, without those that still wait for the log's proof of the erasure."""
        return self.erased - {case_id for case_id, _, approved, done in self.erasures if approved and not done}


async def gather(tx: AsyncConnection, found: Settings, whole: bool = False) -> Vitals:
    """Read all facts. The topics come after the database, so that every record below a position exists.

    whole: from the beginning of the topics, instead of the last week. OSError, KafkaError: broker down.
    """
    services = {name: await _service(tx, name) for name in LINE}
    at, moved = await clock.shown(tx)
    keys, wrong = _keys(found)
    vitals = Vitals(
        now=at,
        moved=moved,
        exercises=await clock.drills(tx),
        ahead=await clock.offset(tx),
        whole=whole,
        services=services,
        states=await reading.states(tx, keys),
        alarms=(await tx.execute(text("SELECT count(*) FROM routing.alarm"))).scalar_one(),
        late={r.case_id: r.at for r in await tx.execute(text("SELECT case_id, at FROM routing.alarm WHERE at < :now"), {"now": at})},
        keys=(await tx.execute(text(KEYED))).scalar_one(),
        places={r.service_id: (r.capacity, r.held) for r in await tx.execute(text("SELECT * FROM routing.place"))},
        policy=[tuple(r) for r in await tx.execute(text("SELECT number, activated, confirmed FROM routing.policy ORDER BY number"))],
    )
    vitals.paused = (await tx.execute(text("SELECT min(added_at) FROM notifier.pause WHERE ended_at IS NULL"))).scalar_one()
    true_now = at - vitals.ahead
    vitals.since = since = true_now - DEALT // US
    vitals.states.wrong = wrong or vitals.states.wrong
    vitals.kinds, vitals.older["forks and gaps"] = await doctor_walls.torn(tx, since)
    vitals.walls = await doctor_walls.walls(tx, found, true_now, not vitals.exercises)
    vitals.unbelieved, vitals.older["forged policy bundles"], vitals.capacities = await _policies(tx, found, since)
    vitals.erasures = [tuple(row) for row in await tx.execute(text(ERASURES))]
    vitals.retired = {row.case_id: (row.at, row.erased) for row in await tx.execute(text(RETIRED))}
    vitals.receipts = (await tx.execute(text(RECEIPTS))).scalar_one()
    vitals.owed = [tuple(row) for row in await tx.execute(text(OWED), {"since": 0 if whole else since + vitals.ahead})]
    vitals.tokens = [(token.holder.name, token.made_at) for token in await AUDITORS.read(tx) if token.ended_at is None]
    vitals.unlogged = [_acted(row.value) for row in await tx.execute(text(ACTS))]
    vitals.acts, vitals.by_hand = await standing.by_hand(tx, await _book(tx, keys))
    _, vitals.altered = await security.read(tx, DAY_US, at)
    vitals.rights = [*await rights.differences(tx), *(one.said for one in await bounds.differences(tx))]
    vitals.passwords = await _passwords(found)
    vitals.backups = await backups.read(tx)
    await _cards(vitals, found)
    await _records(vitals, tx, found)
    return vitals


def _keys(found: Settings) -> tuple[Keys | None, str]:
    """Return the operator's keys; without them the reason."""
    try:
        return case_keys.read(found), ""
    except Rejected as error:
        return None, str(error)


async def _book(tx: AsyncConnection, keys: Keys | None) -> bytes | None:
    """Return the key of the roster's book; None: it does not open, which is a finding of `states`."""
    try:
        return (await keys.load(tx, [ROSTER_BOOK])).get(ROSTER_BOOK) if keys else None
    except Rejected:
        return None


def _acted(value: bytes) -> int:
    try:
        return act.parse(value).at
    except Malformed:
        return 0


def _erasers(found: Settings) -> Erasers:
    """Return those whom this shell believes about erasures; nobody where its `trust.toml` cannot be read, which `policy` says."""
    try:
        return erasure_tag.erasers(found)
    except Rejected:
        return Erasers()


async def _policies(tx: AsyncConnection, found: Settings, since: int) -> tuple[list[str], int, dict[str, int] | None]:
    """Return the records of referral-policy and the rows of routing.policy that every service passes over; the number of records that
    the broker took before `since` (µs UTC); and the capacities by the policy in force. A row can be deleted, so it counts however old it
    says to be."""
    try:
        trusted = policy_feed.trusted(found)
    except Rejected as error:  # this shell has no `trust.toml`, or one that no service would start with
        return [str(error)], 0, None
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
    confirmed = max((row.number for row in rows if row.confirmed is not None and row.number in stored.known), default=None)
    capacities = None if confirmed is None else dict(compile(stored.known[confirmed].files).capacities())
    return wrong, sum(taken * 1000 < since for taken, _ in refused), capacities


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
        alive={r.id: r.stopped for r in await rows(ALIVE)},
        leases=leases,
        outbox=tuple((r.partition, r.records, r.oldest) for r in await rows(OUTBOX)),
        queue=(waiting.rows, waiting.oldest),
    )


async def _cards(vitals: Vitals, found: Settings) -> None:
    """Compare the broker's topics with their cards."""
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


async def _records(vitals: Vitals, tx: AsyncConnection, found: Settings) -> None:
    """Judge the broker's records, and look for what of an erased case is there again."""
    older, vitals.quarantined = await reading.quarantine(found, vitals.since)
    vitals.older["records in quarantine"] = older
    line = Line(
        erasers=_erasers(found),
        secrets={topic: await writer_mark.secret(tx, owner) for owner, topic in WRITES.items()},
        since=vitals.since,
        whole=vitals.whole,
        decided=_positions(vitals.services["routing"]),
        known=_furthest(_positions(service) for service in vitals.services.values()),
        waiting=frozenset(partition for partition, _, _ in vitals.services["routing"].outbox),
        owed=frozenset(event for event, _, _ in vitals.owed),
    )
    # a service with a record that is committed and not yet published has written further than its topic
    vitals.judged = await reading.judged(tx, found, line, [name for name in WRITES if not vitals.services[name].outbox])
    vitals.older["records that their topic's owner did not write"] = vitals.judged.older
    vitals.back = await reading.back(tx, vitals.erased)
    vitals.kept = await reading.keys_left(found, vitals.destroyed, vitals.since, vitals.whole)
    vitals.ended = await reading.ended(found, {case_id for what, case_id in vitals.back if what == "state"})


def _positions(service: Service) -> dict[Place, int]:
    return _furthest(lease.positions for lease in service.leases)


def _furthest(many: Iterable[Mapping[Place, int]]) -> dict[Place, int]:
    found = dict[Place, int]()
    for positions in many:
        for place_, offset in positions.items():
            found[place_] = max(offset, found.get(place_, 0))
    return found
