"""The checks of `referral doctor` that judge a line by its facts: one pure function each, which returns the finding and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from referral.cli.admin.doctor.facts import Facts
from referral.cli.admin.doctor.result import Check, Result, check
from referral.domain.durations import DAY_US, SECOND_US
from referral.proof.entry import INTAKE, NOTIFICATION, ROUTING, Kind
from referral.proof.receipt import PROMISE_S
from referral.runtime.alert_rules import rules
from referral.runtime.kafka.replication import COPIES, IN_STEP

UNDECIDED_US = 7 * DAY_US
"""µs; the second person has had a week to decide (ours)."""
UNLOGGED_US = 600 * SECOND_US
"""µs; audit publishes within five minutes, and a minute without a quorum raises its own alarm (ours)."""
PROMISED_US = PROMISE_S * SECOND_US
"""µs; the promise in a receipt, for which `referral receipt` waits."""
OWNERS = {INTAKE: "intake", ROUTING: "routing", NOTIFICATION: "notifier"}
"""Topic → the one service that writes it."""


def diagnose(facts: Facts) -> list[Check]:
    """Run every check, in the order in which an operator should read them."""
    return [one(facts) for one in CHECKS]


def conservation(facts: Facts) -> Check:
    """Check that every submission and response below routing's position has exactly one outcome, and that intake kept its promises."""
    found = facts.judged
    bad = [*_broken(facts), *found.outcomes]
    given = f"{facts.receipts} receipts given (for every kind of call; a case that the line raises itself has none)"
    good = f"{found.count} submissions and responses{_of(facts)}, each with one outcome; {given}"
    do = (
        "telephone the desk of each case now: nobody else asks. Without an outcome: `referral audit verify` names what routing has passed"
        " over (NOT_DECIDED); `referral recover` mends only a database that went back, so what was passed over must be sent again"
    )
    return check("conservation", bad, good, do)


def _of(facts: Facts) -> str:
    """Return of which time the records are that were judged."""
    return "" if facts.whole else " of the last week"


def _broken(facts: Facts) -> Iterable[str]:
    """Yield the receipts whose promise intake has not kept in time. An erased case is owed none."""
    for event, case, at in facts.owed:
        if at >= facts.now - PROMISED_US or case in facts.judged.erased:
            continue
        if event not in facts.judged.published:
            yield f"intake gave a receipt for event {event} of case {case}, and never published it: somebody swallowed it"
        else:
            yield f"event {event} of case {case} has a receipt, and is not in the log"


def sequences(facts: Facts) -> Check:
    """Check that each case's sequence in each topic is dense, and that the writer's own count ends where the topic does."""
    found = facts.judged
    foreign = [at for at in found.foreign if at not in found.unread]
    bad = [f"{topic}[{partition}]@{offset}: {OWNERS[topic]} did not write it" for (topic, partition), offset in foreign] + found.torn
    bad += [f"{topic}[{partition}]@{offset} is no record of ours" for (topic, partition), offset in found.unread]
    do = "find out who else writes that topic; the desk was asked; it needs no `recover`. `referral audit verify` names forks and gaps"
    return check("sequences", bad, f"{found.sequences} sequences{_of(facts)}, all dense and by their owners", do)


def positions(facts: Facts) -> Check:
    """Check that no reader's position is beyond the end of its topic, and count the records not yet read."""
    bad, lag = [], 0
    for service in facts.services.values():
        for lease in service.leases:
            for place, offset in lease.positions.items():
                end = facts.ends.get(place)
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


def leases(facts: Facts) -> Check:
    """Check that every unit has an owner, who goes on with it."""
    bad = []
    for service in facts.services.values():
        if not service.alive:
            bad.append(f"no instance of {service.name} runs")
        else:
            bad += [f"no instance owns {lease.unit} of {service.name}" for lease in service.leases if not lease.held]
            bad += [f"{service.name} ({one}) does not go on: {stopped}" for one, stopped in service.alive.items() if stopped]
            if not service.leases:
                bad.append(f"{service.name} has no units")
    do = "start the service (`referral up`); if it runs, wait 15 s, look again; `rewound-sql`: `referral recover`, else docs/operators.md"
    return check("leases", bad, "every unit has an owner", do)


def alarms(facts: Facts) -> Check:
    """Check that every open case has an alarm or a desk task, and that no alarm is overdue."""
    bad = [f"case {case_id} is open, has no alarm and no desk task" for case_id in facts.states.stuck]
    since = facts.now - round(rules()["AlarmsOverdue"].lasts_s * SECOND_US)
    late = {case_id: facts.now - at for case_id, at in facts.late.items() if at < since}
    bad += [f"alarm of case {case_id} is overdue by {by // SECOND_US} s" for case_id, by in late.items()]
    shut = sorted(facts.states.sealed - facts.erased)
    bad += [f"case {case_id} does not open, so no alarm of it is answered: see keys" for case_id in shut]
    good = f"{facts.alarms} alarms for {facts.states.open} open cases"
    return check("alarms", bad, good, "`referral case instruct` by its desk; overdue alarms: see leases and `/readyz` of routing")


def keys(facts: Facts) -> Check:
    """Check that every case has a key that opens, or an erasure on record."""
    wrong, erased, retired = facts.states.wrong, facts.erased, {*facts.retired} - facts.erased
    bad = [wrong] if wrong else []
    bad += [_out_of_use(case_id, *facts.retired[case_id], facts.now) for case_id in sorted(retired)]
    bad += [f"case {case_id} has no key, and no erasure says why" for case_id in sorted(facts.judged.unkeyed - retired)]
    left = sorted(facts.kept & facts.destroyed)
    bad += [f"the key of case {case_id} is still on referral-keys, though it is erased" for case_id in left]
    if not wrong:
        bad += [f"the state of case {case_id} does not open under its key" for case_id in sorted(facts.states.sealed - erased)]
    good = f"{facts.keys} keys, {len(erased)} cases erased"
    do = "`referral recover` brings keys back: from their first step of destruction, and from the topic; it takes erased ones out of use"
    if wrong:
        do = f"check REFERRAL_MASTER_KEY_FILE; {do}"
    if retired or facts.judged.unkeyed:
        do = "stop the eraser and change its password (docs/operators.md, a case without a key), then `referral recover` brings keys back"
    return check("keys", bad, good, do)


def _out_of_use(case_id: str, at: int, erased: bool, now: int) -> str:
    """Return what it means that a case's keys were retired although no erasure of it is on record."""
    if erased:
        return f"the keys of case {case_id} were destroyed, and no erasure says why: only a backup has them"
    left = max(at + DAY_US - now, 0) // (60 * SECOND_US)
    return f"the keys of case {case_id} are out of use, and no erasure says why: in {left} min they can be destroyed"


def erasures(facts: Facts) -> Check:
    """Check that no erasure is stuck, and that nothing erased has come back."""
    running = sorted({case_id for what, case_id in facts.back if what == "state"} - facts.ended)
    bad = [
        f"case {case_id} is open, and an erasure of it is signed: routing keeps it; do not recover: it would be lost" for case_id in running
    ]
    bad += [f"case {case_id} is erased, and its {what} is there again" for what, case_id in _again(facts) if case_id not in running]
    bad += [f"somebody who is not intake has said that case {case_id} is erased" for case_id in sorted(facts.judged.forged)]
    for case_id, asked, approved, done in facts.erasures:
        retired, _ = facts.retired.get(case_id, (None, False))
        if approved is None and asked < facts.now - UNDECIDED_US:
            bad.append(f"case {case_id}: erasure asked for {(facts.now - asked) // DAY_US} days ago, and nobody has approved or refused it")
        elif approved is not None and done is None and retired is None and approved < facts.now - UNLOGGED_US:
            bad.append(f"case {case_id}: erasure approved {(facts.now - approved) // SECOND_US} s ago, and its keys are still in use")
        elif done is None and retired is not None and retired < facts.now - DAY_US - UNLOGGED_US:
            bad.append(f"case {case_id}: its keys are out of use for {(facts.now - retired) // SECOND_US} s, and not destroyed")
    done_ones = sum(1 for *_, done in facts.erasures if done)
    do = "asked for: `referral case erasures`. Approved: does the eraser run, has audit its proof? There again: restart the eraser"
    if running:
        do = "never `referral recover`, which would lose that open case: find out who has intake's key, and replace it"
    return check("erasures", bad, f"{done_ones} cases erased, {len(facts.erasures) - done_ones} under way", do)


def _again(facts: Facts) -> list[tuple[str, str]]:
    return [(what, case_id) for what, case_id in facts.back if case_id in facts.destroyed]


def topics(facts: Facts) -> Check:
    """Check that the topics match their cards in schemas/avro/topics.yaml."""
    return check(
        "topics", facts.topics, "as schemas/avro/topics.yaml says", "`referral prepare` creates what is missing and names what differs"
    )


def copies(facts: Facts) -> Check:
    """Check that each topic has the copies that a lost machine takes. One broker is a warning: some lines have one machine."""
    found = facts.replication
    few = f"{found.brokers} of {COPIES} brokers: the topics are lost with a disk, and nothing is written while one machine is away"
    warn = [few] if found.brokers < COPIES and facts.real else []
    good = "one broker, for exercises" if found.brokers < COPIES else f"{COPIES} of each record, {IN_STEP} before it counts"
    return check("copies", found.short, good, "start the broker that is away; docs/operators.md, `copies`, says how to add copies", warn)


def _late(facts: Facts) -> int:
    """Return the time before which nothing may have been committed that is not on its topic: the alert rule's limit."""
    return facts.now - round(rules()["NotOnTopic"].limit("referral_outbox_age_seconds") * SECOND_US)


def outbox(facts: Facts) -> Check:
    """Check that no committed record waits long for its publication, no queue row for its owner, and no operator's act for the log."""
    bad, late = [], _late(facts)
    for service in facts.services.values():
        for partition, records, since in service.outbox:
            if since < late:
                bad.append(f"{records} records of {service.name} p{partition} wait for {(facts.now - since) // SECOND_US} s")
        rows, oldest = service.queue
        if oldest is not None and oldest < late:
            bad.append(f"{rows} rows of {service.name}'s queue wait, the oldest for {(facts.now - oldest) // SECOND_US} s")
    if acts := sum(at < late for at in facts.unlogged):
        bad.append(f"{acts} acts of operators are not in the log")
    return check("outbox", bad, "nothing waits", "is the broker up? is the service? its `/readyz` says what it waits for")


def quarantine(facts: Facts) -> Check:
    """Check that the quarantine is empty and that audit logged no fork and no gap."""
    bad = [f"{facts.quarantined} records in quarantine"] if facts.quarantined else []
    bad += [f"audit logged {facts.kinds[kind]} of kind {kind}" for kind in (Kind.FORK, Kind.GAP) if facts.kinds.get(kind)]
    do = "`referral audit verify` names them; the desk of each case was asked; find who wrote those that are not ours (see sequences)"
    return check("quarantine", bad, "empty, no forks, no gaps", do)


def places(facts: Facts) -> Check:
    """Check that the place rows have the capacities of the policy in force, and count the places that the cases hold."""
    held, rows = facts.states.held, facts.places
    bad = [f"{service}: {row} held by the row, {held[service]} by the cases" for service, (_, row) in rows.items() if row != held[service]]
    bad += [f"{service}: {row} held of {capacity}" for service, (capacity, row) in rows.items() if row > capacity > 0]
    do = "`referral recover` counts again"
    if facts.capacities is not None:
        signed, missing = facts.capacities, facts.capacities.keys() - rows.keys()
        wrong = [f"{one}: {has} places by the row, {n} by the policy" for one, (has, _) in rows.items() if has != (n := signed.get(one, 0))]
        wrong += [f"{one}: no row, {signed[one]} places by the policy" for one in sorted(missing)]
        if wrong:
            do = "somebody changed routing.place by SQL: find out who; `referral recover` writes it anew, and `referral audit verify` names"
            do += " each decision upon a false number of free places"
        bad += wrong
    if sealed := facts.states.sealed:
        return Check(name="places", result=Result.UNCHECKED, said=f"{len(sealed)} case states do not open", do="see keys")
    return check("places", bad, f"{sum(held.values())} of {sum(c for c, _ in rows.values())} places held", do)


def policy(facts: Facts) -> Check:
    """Check that a bundle is in force, that none waits for the broker, and that nobody forged one."""
    bad = [*facts.unbelieved]
    bad += [] if any(confirmed for _, _, confirmed in facts.policy) else ["no policy is in force: nothing is decided"]
    bad += [
        f"bundle {number} waits for its publication since {(facts.now - at) // SECOND_US} s"
        for number, at, confirmed in facts.policy
        if confirmed is None and at < _late(facts)
    ]
    newest = max((number for number, _, confirmed in facts.policy if confirmed), default=0)
    do = "`referral policy activate`; does routing run?"
    if facts.unbelieved:
        do = "nobody follows it; find out who wrote it: only routing writes that topic and that table"
    return check("policy", bad, f"bundle {newest} is in force", do)


def older(facts: Facts) -> Check:
    """Warn of what was wrong with records of more than a week ago: they stay on their topics, and somebody has seen them since.

    Without --all nobody looks at old records of the case topics.
    """
    warn = [f"{count} {what}" for what, count in facts.older.items() if count]
    do = "nothing, if you know of them; `referral audit verify` names each, for ever"
    good = "nothing was wrong with records of more than a week ago" + ("" if facts.whole else "; `--all` looks at the case topics too")
    return check("older", [], good, do, warn)


CHECKS: tuple[Callable[[Facts], Check], ...] = (
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
    older,
)
