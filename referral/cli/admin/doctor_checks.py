"""The checks of `referral doctor`: one pure function each, which returns the finding and the operator's remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from referral.cli.admin.doctor_probe import Vitals
from referral.cli.admin.doctor_result import Check as Check
from referral.cli.admin.doctor_result import Result as Result
from referral.cli.admin.doctor_result import check, warned
from referral.cli.admin.doctor_wall_checks import backup, certificates, older, walls
from referral.domain.durations import DAY_US, SECOND_US
from referral.domain.local_time import moment
from referral.proof.entry import INTAKE, NOTIFICATION, ROUTING, Kind
from referral.proof.receipt import PROMISE_S
from referral.runtime.kafka.replication import COPIES, IN_STEP
from referral.runtime.postgres.tokens import AUDITOR_TOKEN_DAYS

LATE = 30 * SECOND_US
"""µs; longer than any batch, publication or poll of a healthy stack (DESIGN §8: ready again in 30 s)."""
UNDECIDED = 7 * DAY_US
"""µs; the second person has had a week to decide (ours)."""
UNLOGGED = 600 * SECOND_US
"""µs; audit publishes within five minutes, and a minute without a quorum raises its own alarm (ours)."""
PROMISED = PROMISE_S * SECOND_US
"""µs; the promise in a receipt, for which `referral receipt` waits."""
SOON = 30 * DAY_US
"""µs before its end in which an auditor's token is a warning (ours): an office answers within weeks."""
ENDED = 14 * DAY_US
"""µs after its end in which it is red (ours); an office that has not asked for another by then reads no more."""
OWNERS = {INTAKE: "intake", ROUTING: "routing", NOTIFICATION: "notifier"}
"""Topic → the one service that writes it."""


def diagnose(vitals: Vitals) -> list[Check]:
    """Run every check, in the order in which an operator should read them."""
    return [one(vitals) for one in CHECKS]


def _position(vitals: Vitals, service: str, place: tuple[str, int]) -> int:
    found = (lease.positions.get(place, 0) for lease in vitals.services[service].leases)
    return max(found, default=0)


def conservation(vitals: Vitals) -> Check:
    """Check that every submission and response below routing's position has exactly one outcome, and that intake kept its promises."""
    found = vitals.judged
    bad = [*_broken(vitals), *found.outcomes]
    given = f"{vitals.receipts} receipts given (for every kind of call; a case that the line raises itself has none)"
    good = f"{found.count} submissions and responses{_of(vitals)}, each with one outcome; {given}"
    do = (
        "telephone the desk of each case now: nobody else asks. Without an outcome: `referral audit verify` names what routing has passed"
        " over (NOT_DECIDED); `referral recover` mends only a database that went back, so what was passed over must be sent again"
    )
    return check("conservation", bad, good, do)


def _of(vitals: Vitals) -> str:
    """Return of which time the records are that were judged."""
    return "" if vitals.whole else " of the last week"


def _broken(vitals: Vitals) -> Iterable[str]:
    """Yield the receipts whose promise intake has not kept in time. An erased case is owed none."""
    for event, case, at in vitals.owed:
        if at >= vitals.now - PROMISED or case in vitals.judged.erased:
            continue
        if event not in vitals.judged.published:
            yield f"intake gave a receipt for event {event} of case {case}, and never published it: somebody swallowed it"
        else:
            yield f"event {event} of case {case} has a receipt, and is not in the log"


def sequences(vitals: Vitals) -> Check:
    """Check that each case's sequence in each topic is dense, and that the writer's own count ends where the topic does."""
    found = vitals.judged
    foreign = [at for at in found.foreign if at not in found.unread]
    bad = [f"{topic}[{partition}]@{offset}: {OWNERS[topic]} did not write it" for (topic, partition), offset in foreign] + found.torn
    bad += [f"{topic}[{partition}]@{offset} is no record of ours" for (topic, partition), offset in found.unread]
    do = "find out who else writes that topic; the desk was asked; it needs no `recover`. `referral audit verify` names forks and gaps"
    return check("sequences", bad, f"{found.sequences} sequences{_of(vitals)}, all dense and by their owners", do)


def positions(vitals: Vitals) -> Check:
    """Check that no reader's position is beyond the end of its topic, and count the records not yet read."""
    bad, lag = [], 0
    for service in vitals.services.values():
        for lease in service.leases:
            for place, offset in lease.positions.items():
                end = vitals.ends.get(place)
                if end is None or offset > end:
                    bad.append(f"{service.name} {lease.unit} stands at {offset} of {place[0]}[{place[1]}], which ends at {end or 0}")
                else:
                    lag += end - offset
    return check(
        "positions",
        bad,
        f"all inside their topics, {lag} records not yet read",
        "a topic was set back: restore Kafka, or `referral recover`",
    )


def leases(vitals: Vitals) -> Check:
    """Check that every unit has an owner, who goes on with it."""
    bad = []
    for service in vitals.services.values():
        if not service.alive:
            bad.append(f"no instance of {service.name} runs")
        else:
            bad += [f"no instance owns {lease.unit} of {service.name}" for lease in service.leases if not lease.held]
            bad += [f"{service.name} ({one}) does not go on: {stopped}" for one, stopped in service.alive.items() if stopped]
            if not service.leases:
                bad.append(f"{service.name} has no units")
    do = "start the service (`referral up`); if it runs, wait 15 s, look again; `rewound-sql`: `referral recover`, else docs/operators.md"
    return check("leases", bad, "every unit has an owner", do)


def alarms(vitals: Vitals) -> Check:
    """Check that every open case has an alarm or a desk task, and that no alarm is overdue."""
    bad = [f"case {case_id} is open, has no alarm and no desk task" for case_id in vitals.states.stuck]
    late = {case_id: vitals.now - at for case_id, at in vitals.late.items() if at < vitals.now - 2 * LATE}
    bad += [f"alarm of case {case_id} is overdue by {by // SECOND_US} s" for case_id, by in late.items()]
    shut = sorted(vitals.states.sealed - vitals.erased)
    bad += [f"case {case_id} does not open, so no alarm of it is answered: see keys" for case_id in shut]
    good = f"{vitals.alarms} alarms for {vitals.states.open} open cases"
    return check("alarms", bad, good, "`referral case instruct` by its desk; overdue alarms: see leases and `/readyz` of routing")


def keys(vitals: Vitals) -> Check:
    """Check that every case has a key that opens, or an erasure on record."""
    wrong, erased, retired = vitals.states.wrong, vitals.erased, {*vitals.retired} - vitals.erased
    bad = [wrong] if wrong else []
    bad += [_out_of_use(case_id, *vitals.retired[case_id], vitals.now) for case_id in sorted(retired)]
    bad += [f"case {case_id} has no key, and no erasure says why" for case_id in sorted(vitals.judged.unkeyed - retired)]
    left = sorted(vitals.kept & vitals.destroyed)
    bad += [f"the key of case {case_id} is still on referral-keys, though it is erased" for case_id in left]
    if not wrong:
        bad += [f"the state of case {case_id} does not open under its key" for case_id in sorted(vitals.states.sealed - erased)]
    good = f"{vitals.keys} keys, {len(erased)} cases erased"
    do = "`referral recover` brings keys back: from their first step of destruction, and from the topic; it takes erased ones out of use"
    if wrong:
        do = f"check REFERRAL_MASTER_KEY_FILE; {do}"
    if retired or vitals.judged.unkeyed:
        do = "stop the eraser and change its password (docs/operators.md, a case without a key), then `referral recover` brings keys back"
    return check("keys", bad, good, do)


def _out_of_use(case_id: str, at: int, erased: bool, now: int) -> str:
    """Return what it means that a case's keys were retired although no erasure of it is on record."""
    if erased:
        return f"the keys of case {case_id} were destroyed, and no erasure says why: only a backup has them"
    left = max(at + DAY_US - now, 0) // (60 * SECOND_US)
    return f"the keys of case {case_id} are out of use, and no erasure says why: in {left} min they can be destroyed"


def erasures(vitals: Vitals) -> Check:
    """Check that no erasure is stuck, and that nothing erased has come back."""
    running = sorted({case_id for what, case_id in vitals.back if what == "state"} - vitals.ended)
    bad = [
        f"case {case_id} is open, and an erasure of it is signed: routing keeps it; do not recover: it would be lost" for case_id in running
    ]
    bad += [f"case {case_id} is erased, and its {what} is there again" for what, case_id in _again(vitals) if case_id not in running]
    bad += [f"somebody who is not intake has said that case {case_id} is erased" for case_id in sorted(vitals.judged.forged)]
    for case_id, asked, approved, done in vitals.erasures:
        retired, _ = vitals.retired.get(case_id, (None, False))
        if approved is None and asked < vitals.now - UNDECIDED:
            bad.append(
                f"case {case_id}: erasure asked for {(vitals.now - asked) // DAY_US} days ago, and nobody has approved or refused it"
            )
        elif approved is not None and done is None and retired is None and approved < vitals.now - UNLOGGED:
            bad.append(f"case {case_id}: erasure approved {(vitals.now - approved) // SECOND_US} s ago, and its keys are still in use")
        elif done is None and retired is not None and retired < vitals.now - DAY_US - UNLOGGED:
            bad.append(f"case {case_id}: its keys are out of use for {(vitals.now - retired) // SECOND_US} s, and not destroyed")
    done_ones = sum(1 for *_, done in vitals.erasures if done)
    do = "asked for: `referral case erasures`. Approved: does the eraser run, has audit its proof? There again: restart the eraser"
    if running:
        do = "never `referral recover`, which would lose that open case: find out who has intake's key, and replace it"
    return check("erasures", bad, f"{done_ones} cases erased, {len(vitals.erasures) - done_ones} under way", do)


def _again(vitals: Vitals) -> list[tuple[str, str]]:
    return [(what, case_id) for what, case_id in vitals.back if case_id in vitals.destroyed]


def topics(vitals: Vitals) -> Check:
    """Check that the topics match their cards in schemas/avro/topics.yaml."""
    return check(
        "topics", vitals.topics, "as schemas/avro/topics.yaml says", "`referral prepare` creates what is missing and names what differs"
    )


def copies(vitals: Vitals) -> Check:
    """Check that each topic has the copies that a lost machine takes. One broker is a warning: some lines have one machine."""
    found = vitals.replication
    few = f"{found.brokers} of {COPIES} brokers: the topics are lost with a disk, and nothing is written while one machine is away"
    warn = [few] if found.brokers < COPIES and not vitals.exercises else []
    good = "one broker, for exercises" if found.brokers < COPIES else f"{COPIES} of each record, {IN_STEP} before it counts"
    return warned("copies", found.short, warn, good, "start the broker that is away; docs/operators.md, `copies`, says how to add copies")


def outbox(vitals: Vitals) -> Check:
    """Check that no committed record waits long for its publication, no queue row for its owner, and no operator's act for the log."""
    bad = []
    for service in vitals.services.values():
        for partition, records, since in service.outbox:
            if since < vitals.now - LATE:
                bad.append(f"{records} records of {service.name} p{partition} wait for {(vitals.now - since) // SECOND_US} s")
        rows, oldest = service.queue
        if oldest is not None and oldest < vitals.now - LATE:
            bad.append(f"{rows} rows of {service.name}'s queue wait, the oldest for {(vitals.now - oldest) // SECOND_US} s")
    if late := sum(at < vitals.now - LATE for at in vitals.unlogged):
        bad.append(f"{late} acts of operators are not in the log")
    return check("outbox", bad, "nothing waits", "is the broker up? is the service? its `/readyz` says what it waits for")


def quarantine(vitals: Vitals) -> Check:
    """Check that the quarantine is empty and that audit logged no fork and no gap."""
    bad = [f"{vitals.quarantined} records in quarantine"] if vitals.quarantined else []
    bad += [f"audit logged {vitals.kinds[kind]} of kind {kind}" for kind in (Kind.FORK, Kind.GAP) if vitals.kinds.get(kind)]
    do = "`referral audit verify` names them; the desk of each case was asked; find who wrote those that are not ours (see sequences)"
    return check("quarantine", bad, "empty, no forks, no gaps", do)


def places(vitals: Vitals) -> Check:
    """Check that the place rows have the capacities of the policy in force, and count the places that the cases hold."""
    held, rows = vitals.states.held, vitals.places
    bad = [f"{service}: {row} held by the row, {held[service]} by the cases" for service, (_, row) in rows.items() if row != held[service]]
    bad += [f"{service}: {row} held of {capacity}" for service, (capacity, row) in rows.items() if row > capacity > 0]
    do = "`referral recover` counts again"
    if vitals.capacities is not None:
        signed, missing = vitals.capacities, vitals.capacities.keys() - rows.keys()
        wrong = [f"{one}: {has} places by the row, {n} by the policy" for one, (has, _) in rows.items() if has != (n := signed.get(one, 0))]
        wrong += [f"{one}: no row, {signed[one]} places by the policy" for one in sorted(missing)]
        if wrong:
            do = "somebody changed routing.place by SQL: find out who; `referral recover` writes it anew, and `referral audit verify` names"
            do += " each decision upon a false number of free places"
        bad += wrong
    if sealed := vitals.states.sealed:
        return Check(name="places", result=Result.UNCHECKED, said=f"{len(sealed)} case states do not open", do="see keys")
    return check("places", bad, f"{sum(held.values())} of {sum(c for c, _ in rows.values())} places held", do)


def policy(vitals: Vitals) -> Check:
    """Check that a bundle is in force, that none waits for the broker, and that nobody forged one."""
    bad = [*vitals.unbelieved]
    bad += [] if any(confirmed for _, _, confirmed in vitals.policy) else ["no policy is in force: nothing is decided"]
    bad += [
        f"bundle {number} waits for its publication since {(vitals.now - at) // SECOND_US} s"
        for number, at, confirmed in vitals.policy
        if confirmed is None and at < vitals.now - LATE
    ]
    newest = max((number for number, _, confirmed in vitals.policy if confirmed), default=0)
    do = "`referral policy activate`; does routing run?"
    if vitals.unbelieved:
        do = "nobody follows it; find out who wrote it: only routing writes that topic and that table"
    return check("policy", bad, f"bundle {newest} is in force", do)


def clock(vitals: Vitals) -> Check:
    """Check that nobody moved the clock of a database that holds real cases."""
    bad = [f"somebody moved it by {vitals.ahead / SECOND_US:+.0f} s, and this is no drill: nothing is decided"] if vitals.moved else []
    return check("clock", bad, "as the database server's", "find out who wrote to runtime.clock; UPDATE runtime.clock SET offset_us = 0")


def duty(vitals: Vitals) -> Check:
    """Check that no rota has run out unnoticed; otherwise everybody on the rung is woken."""
    do = "`referral duty show` prints the shifts; add the next ones with `referral duty shift`"
    return check("duty", vitals.bare, "every rota that was begun names somebody, or has a hole on purpose", do)


def knocks(vitals: Vitals) -> Check:
    """Check that sending is not paused: nobody is woken meanwhile, and no agency is charged with its silence."""
    warn = [] if vitals.paused is None else [f"no knock is sent since {moment(vitals.paused)}: nobody is woken"]
    return warned("knocks", [], warn, "knocks are sent", "`referral duty show` displays why, `referral duty resume` resumes sending")


def rights(vitals: Vitals) -> Check:
    """Check that each role of the database may do what rights.yaml says, cannot get around it, and cannot keep another waiting."""
    do = "find out who changed them; then `referral prepare` applies rights.yaml again, or prints what a superuser must"
    return check("rights", vitals.rights, "each role has what rights.yaml gives it, and owns nothing", do)


def passwords(vitals: Vitals) -> Check:
    """Check that the database lets each role in with the password of its own file, and with no other."""
    if vitals.passwords is None:
        do = "set REFERRAL_DATABASE_PASSWORDS, as for `referral prepare`"
        return Check(name="passwords", result=Result.UNCHECKED, said="no folder with the passwords of the roles is named", do=do)
    do = "`referral prepare` gives each role the password of its file; the server's pg_hba.conf must ask for it: scram-sha-256"
    return check("passwords", vitals.passwords, "each role has its own, and the server asks for it", do)


def tokens(vitals: Vitals) -> Check:
    """Check that no auditor's newest token has just ended; warn of one that ends soon."""
    newest: dict[str, int] = {}
    for office, made in vitals.tokens:
        newest[office] = max(made, newest.get(office, made))
    ends_at = {office: made + AUDITOR_TOKEN_DAYS * DAY_US for office, made in newest.items()}
    bad = [f"the token of {office} has ended on {moment(at)}" for office, at in sorted(ends_at.items()) if 0 <= vitals.now - at < ENDED]
    warn = [f"the token of {office} ends on {moment(at)}" for office, at in sorted(ends_at.items()) if 0 < at - vitals.now < SOON]
    good = f"{sum(at > vitals.now for at in ends_at.values())} auditors have a token"
    return warned("tokens", bad, warn, good, "`referral audit token OFFICE` makes the next one; `--end` if the office reads no more")


def commands(vitals: Vitals) -> Check:
    """Check that the log accounts for each account, row of the roster, token and policy: whoever writes by hand leaves no entry."""
    good = f"{vitals.acts} acts of operators; each account, row of the roster, token and policy is in the log"
    return check("commands", vitals.by_hand, good, "find out who writes into the database by hand: docs/operators.md, By hand")


def events(vitals: Vitals) -> Check:
    """Check that the log still seals the security events of the last day as they are: nobody may change or remove one."""
    do = "somebody wrote past the services: who has the administrator's password? `referral security events --hours 8760` compares a year"
    return check("events", vitals.altered, "the log seals each security event of the last day", do)


CHECKS: tuple[Callable[[Vitals], Check], ...] = (
    conservation,
    positions,
    leases,
    sequences,
    alarms,
    keys,
    erasures,
    topics,
    copies,
    outbox,
    quarantine,
    places,
    policy,
    clock,
    duty,
    knocks,
    rights,
    passwords,
    tokens,
    commands,
    events,
    walls,
    backup,
    certificates,
    older,
)
