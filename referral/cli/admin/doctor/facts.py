"""Read the facts about a line for `referral doctor`: the database in one snapshot, then the topics to their ends. Read-only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct, field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli.admin.doctor import reading
from referral.cli.admin.doctor.reading import States
from referral.cli.admin.doctor.records import Judged, Line
from referral.domain.events import PolicyActivated
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
from referral.runtime.postgres import clock
from referral.runtime.recovery.recover import WRITES
from referral.runtime.settings import LINE, Settings
from referral.wire import leaf
from referral.wire.signed.erasure_approval import Erasers

DEALT = timedelta(days=7)
"""Time for which a forged or unreadable record keeps `doctor` red (ours): whoever looks once a week sees it. The broker's time counts,
which no service sets. Records stay on their topic for ever, so later it is a warning, and `audit verify` still names each."""
US = timedelta(microseconds=1)
LEASES = "SELECT unit, lease_until > clock_timestamp() AS held, positions FROM {s}.lease ORDER BY unit"
ALIVE = "SELECT id, stopped FROM {s}.instance WHERE alive_until > clock_timestamp() ORDER BY id"
OUTBOX = "SELECT partition, records, oldest FROM {s}.outbox"
QUEUE = "SELECT count(*) AS rows, min(at) AS oldest FROM {s}.queue WHERE NOT sent"
ALARMS = "SELECT case_id, at FROM routing.alarm WHERE at < :now"
PLACES = "SELECT service_id, capacity, held FROM routing.place"
POLICIES = "SELECT number, activated, confirmed FROM routing.policy ORDER BY number"
ERASURES = "SELECT case_id, requested_at, approved_at, destroyed_at FROM intake.erasure WHERE refused_at IS NULL ORDER BY requested_at"
OWED = (
    "SELECT event_id, case_id, received_at FROM intake.submission AS s WHERE received_at >= :since AND NOT EXISTS"
    " (SELECT FROM audit.entry AS e WHERE e.event_id = s.event_id AND e.event_id <> '' AND e.topic = 'referral-intake')"
)
TORN = "SELECT kind, leaf FROM audit.entry WHERE kind IN ('FORK', 'GAP')"
COUNTS = (
    "SELECT (SELECT count(*) FROM routing.alarm) AS alarms, (SELECT count(*) FROM intake.submission) AS receipts,"
    " (SELECT count(DISTINCT case_id) FROM keys.case_key) AS keys"
)


class Lease(Struct, frozen=True, kw_only=True):
    """A lease row. positions: (topic, partition) → next offset; for the service's own topic, the confirmed offset."""

    unit: str
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


class Facts(Struct, kw_only=True):
    """The facts. Every time is µs.

    now: by the line's clock. ahead: µs by which a drill moved it. since: from when on records are judged, by the true one.
    whole: all are judged, from the beginning of their topics.
    real: the database holds real cases, where an exercise takes no place. ends: place → end of its topic.
    judged: the records. quarantined: number in quarantine; kinds: forks and gaps that audit logged.
    older: fault of records that the broker took longer ago than DEALT → their number; nothing else here holds these.
    states: routing's case states. alarms: their number. late: case → when its alarm should have rung, of those that have not.
    places: service id → (capacity, held). capacities: by the newest confirmed bundle that two signers signed; None: there is none.
    policy: (number, activated, confirmed) of each bundle. unbelieved: records and stored bundles that no service believes, and why.
    keys: number of cases with a key. retired: case whose keys are out of use → (since when, whether they are destroyed).
    kept: destroyed cases whose wrapped key is on referral-keys. back: (what, case) of erased cases that is there, or there again.
    ended: erased cases with a state that their topic shows as closed. erasures: (case, requested, approved, destroyed), unless refused.
    receipts: number that intake has given. owed: (event, case, received) of those that the log does not have.
    unlogged: time of each operator's act that is not in the log yet; 0: no command has written it, and the log never takes it.
    topics: differences between the broker's topics and their cards.
    """

    now: int
    ahead: int = 0
    since: int = 0
    whole: bool = True
    real: bool = False
    services: dict[str, Service] = field(default_factory=dict)
    ends: dict[Place, int] = field(default_factory=dict)
    judged: Judged = field(default_factory=Judged)
    quarantined: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    older: dict[str, int] = field(default_factory=dict)
    states: States = field(default_factory=States)
    alarms: int = 0
    late: dict[str, int] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    capacities: dict[str, int] | None = None
    policy: list[tuple[int, int, int | None]] = field(default_factory=list)
    unbelieved: list[str] = field(default_factory=list)
    keys: int = 0
    retired: dict[str, tuple[int, bool]] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    back: list[tuple[str, str]] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    erasures: list[tuple[str, int, int | None, int | None]] = field(default_factory=list)
    receipts: int = 0
    owed: list[tuple[str, str, int]] = field(default_factory=list)
    unlogged: list[int] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    replication: Replication = Replication()

    @property
    def erased(self) -> set[str]:
        """Return the cases that intake has recorded as erased."""
        return self.judged.erased | {case_id for case_id, *_, done in self.erasures if done}

    @property
    def destroyed(self) -> set[str]:
        """Return the erased cases whose rows and key must be gone, without those that still wait for the log's proof of the erasure."""
        return self.erased - {case_id for case_id, _, approved, done in self.erasures if approved and not done}


def operators_keys(found: Settings) -> tuple[Keys | None, str]:
    """Return the operator's keys; without them the reason."""
    try:
        return case_keys.read(found), ""
    except Rejected as error:
        return None, str(error)


async def gather(tx: AsyncConnection, found: Settings, whole: bool = False) -> Facts:
    """Read all facts. The topics come after the database, so that every record below a position exists.

    whole: from the beginning of the topics, instead of the last week. OSError, KafkaError: broker down.
    """

    async def rows(statement: str, **values: object) -> list[Any]:
        return list(await tx.execute(text(statement), values))

    (now, _), ahead, (operators, wrong) = await clock.shown(tx), await clock.offset(tx), operators_keys(found)
    facts = Facts(now=now, ahead=ahead, since=now - ahead - DEALT // US, whole=whole, real=not await clock.drills(tx))
    facts.services = {name: await _service(tx, name) for name in LINE}
    facts.states = await reading.states(tx, operators)
    facts.states.wrong = wrong or facts.states.wrong
    (counts,) = await rows(COUNTS)
    facts.alarms, facts.receipts, facts.keys = counts.alarms, counts.receipts, counts.keys
    facts.late = {row.case_id: row.at for row in await rows(ALARMS, now=now)}
    facts.places = {row.service_id: (row.capacity, row.held) for row in await rows(PLACES)}
    facts.policy = [tuple(row) for row in await rows(POLICIES)]
    facts.erasures = [tuple(row) for row in await rows(ERASURES)]
    facts.retired = {row.case_id: (row.at, row.erased) for row in await rows("SELECT case_id, at, erased FROM keys.retirement")}
    facts.owed = [tuple(row) for row in await rows(OWED, since=0 if whole else facts.since + ahead)]
    facts.unlogged = [_acted(row.value) for row in await rows("SELECT value FROM audit.act WHERE idx IS NULL")]
    torn = [(row.kind, leaf.decode(row.leaf).kafka_time * 1000) for row in await rows(TORN)]
    facts.kinds = dict(Counter(kind for kind, at in torn if at >= facts.since))
    facts.older["forks and gaps"] = sum(at < facts.since for _, at in torn)
    await _policies(tx, found, facts)
    await _cards(found, facts)
    await _records(tx, found, facts)
    return facts


def _acted(value: bytes) -> int:
    try:
        return act.parse(value).at
    except Malformed:
        return 0


async def _service(tx: AsyncConnection, name: str) -> Service:
    async def rows(statement: str) -> list[Any]:
        return list(await tx.execute(text(statement.format(s=name))))

    leases = tuple(Lease(unit=r.unit, held=r.held, positions={place(p): v[0] for p, v in r.positions.items()}) for r in await rows(LEASES))
    (waiting,) = await rows(QUEUE)
    return Service(
        name=name,
        alive={r.id: r.stopped for r in await rows(ALIVE)},
        leases=leases,
        outbox=tuple((r.partition, r.records, r.oldest) for r in await rows(OUTBOX)),
        queue=(waiting.rows, waiting.oldest),
    )


async def _policies(tx: AsyncConnection, found: Settings, facts: Facts) -> None:
    """Judge the records of referral-policy and the rows of routing.policy: those that every service passes over, and the capacities by
    the policy in force. A row can be deleted, so it counts however old it says to be."""
    try:
        trusted = policy_feed.trusted(found)
    except Rejected as error:  # this shell has no `trust.toml`, or one that no service would start with
        facts.unbelieved = [str(error)]
        return
    topic, stored = Chain(trusted), Chain(trusted)
    refused = [
        (record.timestamp * 1000, f"the record at offset {record.offset} is no bundle that two signers signed ({reason})")
        async for _, record in scan.whole(found, [PolicyActivated.TOPIC])
        if (reason := topic.take(record))
    ]
    rows = (await tx.execute(text("SELECT * FROM routing.policy ORDER BY number"))).all()
    facts.unbelieved = [what for at, what in refused if at >= facts.since] + [
        f"bundle {row.number} in routing's table is none that two signers signed ({reason})"
        for row in rows
        if (reason := stored.add(policy_feed.stored(row)))
    ]
    facts.older["forged policy bundles"] = sum(at < facts.since for at, _ in refused)
    confirmed = max((row.number for row in rows if row.confirmed is not None and row.number in stored.known), default=None)
    facts.capacities = None if confirmed is None else dict(compile(stored.known[confirmed].files).capacities())


async def _cards(found: Settings, facts: Facts) -> None:
    """Compare the broker's topics with their cards."""
    cards = clients.wanted(found)
    admin = clients.admin(found)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [name for name in cards if found.topic(name) not in there]
        present = {name: card for name, card in cards.items() if name not in missing}
        facts.topics = [f"{found.topic(name)} is missing" for name in missing]
        facts.topics += map(str, await clients.differences(admin, found, present))
        facts.topics += await clients.disallowed(admin, found, there)
        facts.replication = await replication.read(admin, [found.topic(name) for name in present])
    finally:
        await admin.close()
    ingress = [found.plain(name) for name in there if found.plain(name).startswith("ingress.")]
    facts.ends = await scan.ends(found, [*cards, *ingress])


async def _records(tx: AsyncConnection, found: Settings, facts: Facts) -> None:
    """Judge the broker's records, and look for data of erased cases that has reappeared."""
    routing = facts.services["routing"]
    try:
        erasers = erasure_tag.erasers(found)
    except Rejected:  # this shell's `trust.toml` cannot be read, which `policy` says: nobody is believed
        erasers = Erasers()
    line = Line(
        erasers=erasers,
        secrets={topic: await writer_mark.secret(tx, owner) for owner, topic in WRITES.items()},
        since=facts.since,
        whole=facts.whole,
        decided=_furthest([routing]),
        known=_furthest(facts.services.values()),
        waiting=frozenset(partition for partition, _, _ in routing.outbox),
        owed=frozenset(event for event, _, _ in facts.owed),
    )
    facts.older["records in quarantine"], facts.quarantined = await reading.quarantine(found, facts.since)
    # a service with a record that is committed and not yet published has written further than its topic
    facts.judged = await reading.judged(tx, found, line, [name for name in WRITES if not facts.services[name].outbox])
    facts.older["records that their topic's owner did not write"] = facts.judged.older
    facts.back = await reading.back(tx, facts.erased)
    facts.kept = await reading.keys_left(found, facts.destroyed, facts.since, facts.whole)
    facts.ended = await reading.ended(found, {case_id for what, case_id in facts.back if what == "state"})


def _furthest(services: Iterable[Service]) -> Mapping[Place, int]:
    """Return place → the furthest position of these services."""
    found = dict[Place, int]()
    for positions in (lease.positions for service in services for lease in service.leases):
        found |= {at: max(offset, found.get(at, 0)) for at, offset in positions.items()}
    return found
