"""Find what routing left undone: an input without an answer, a limit without an act, a record that is called lost and is not.

Each finding names who is answerable, and never an agency. Where routing stood still altogether, the log cannot tell why: not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from referral.domain.case import Case, next_due
from referral.domain.events import CauseKind, Head
from referral.domain.policy import ENGINE
from referral.errors import Malformed, NewerVersion
from referral.proof.entry import ROUTING, SEQUENCED, Entry, Kind
from referral.proof.history.case import unseal
from referral.proof.verify.progress import LATE_S, MINUTE_MS, MINUTE_US, Evidence, Position
from referral.proof.verify.report import Report, Suspicion, Weight, finding
from referral.wire import topics

LATE_US, LATE_MS = LATE_S * 1_000_000, LATE_S * 1_000
ROUTING_ANSWERS = "answerable: routing, not the agency"
DATABASE_ANSWERS = "answerable: routing, or whoever emptied its table `routing.alarm`, not the agency"


def undecided(asked: Mapping[Position, Entry], decided: set[Position], known: frozenset[int], evidence: Evidence, report: Report) -> None:
    """Report the inputs of a case that routing has passed over. asked: all of them, by position. known: indexes with a finding already.

    One service owns a partition at a time, reads each of its topics in the order of the offsets, and commits the answers in that order
    with its position: there are no lanes within a partition. So a later input of the partition that was answered, of whichever case,
    proves the omission, and no tolerance is needed. The newest inputs are in flight.
    """
    for place, entry in asked.items():
        if place in decided or entry.idx in known:
            continue
        topic, partition, offset = place
        newest = max((at for t, p, at in decided if (t, p) == (topic, partition)), default=-1)
        if (reason := evidence.refused.get(place)) is not None:
            what = f"routing set it aside as {reason}, and nobody decided upon it: read it in the quarantine; {ROUTING_ANSWERS}"
            report.add_finding(finding(Weight.UNCHECKED, "NOT_DECIDED", entry, what))
        elif offset < max(newest, evidence.answered.get((topic, partition), -1)):
            what = f"routing answered later inputs of this partition, but not this one: it passed over it; {ROUTING_ANSWERS}"
            report.add_finding(finding(Weight.BAD, "NOT_DECIDED", entry, what))
        elif evidence.beaten - entry.logged_at > LATE_US and (
            evidence.unread is None or evidence.read(ROUTING, partition) or evidence.known(ROUTING, partition) > entry.kafka_time + LATE_MS
        ):
            gone = "routing has acted on a limit that passed after this input came, but not on the input: it passed over it"
            still = "routing stood still: minutes after this input was logged it had answered neither it nor any later one of its partition"
            report.suspicions.append(
                Suspicion(
                    partition=partition,
                    after=entry.kafka_time * 1_000 + MINUTE_US,
                    proven=finding(Weight.BAD, "NOT_DECIDED", entry, f"{gone}; {ROUTING_ANSWERS}"),
                    otherwise=finding(Weight.UNCHECKED, "NOT_DECIDED", entry, f"{still}; {ROUTING_ANSWERS}"),
                )
            )
        else:
            report.counts["inputs in flight"] += 1


def overdue(case: Case | None, head: Head | None, entries: Sequence[Entry], evidence: Evidence, report: Report) -> None:
    """Report a limit of a case that has passed, and on which routing has not acted. head: of its last decision.

    Alarms of a partition fire in the order of their times, after the inputs that came before them. So a later alarm that fired proves
    that this one was forgotten; so do prompt answers to inputs that came minutes after it.
    """
    due = next_due(case) if case is not None else None
    if due is None or evidence.beat is None or not entries:
        return
    late = evidence.beaten - due > LATE_US and max(entry.logged_at for entry in entries) <= evidence.beaten
    partition, last = topics.partition(entries[-1].case_id), next(one for one in reversed(entries) if one.kind is Kind.DECISION)
    still = "a limit of the case passed minutes before the last heartbeat, and routing has not acted"
    ours = head is not None and head.facts.engine == ENGINE  # another release of the rules may have waited for other limits
    unread = not evidence.read(ROUTING, partition)
    gone = "a limit of the case has passed and routing has not acted, while it went on with others of its partition: it forgot this one"
    proven = finding(Weight.BAD, "OVERDUE", last, f"{gone}, or put its alarm off because it fails; {DATABASE_ANSWERS}")
    otherwise = (
        finding(Weight.UNCHECKED, "OVERDUE", last, f"{still}: it stood still, or has no alarm; {DATABASE_ANSWERS}") if late else None
    )
    busy = evidence.routed[partition].within(due // 1_000 + LATE_MS, evidence.end - LATE_MS) if partition in evidence.routed else []
    if not ours or unread:
        if otherwise is not None:
            report.add_finding(otherwise)
    elif late and len(busy) == 2 and (busy[1] - busy[0]) * MINUTE_MS > LATE_MS:
        report.add_finding(proven)
    elif late or evidence.drill:
        report.suspicions.append(Suspicion(partition=partition, after=due, proven=proven, otherwise=otherwise))


def acted(entry: Entry, head: Head, evidence: Evidence, report: Report) -> None:
    """Note that routing has acted on a limit, long enough before the end of the log."""
    if head.kind is CauseKind.DUE and head.due is not None and entry.kafka_time + LATE_MS < evidence.end:
        report.alarms[entry.partition] = max(head.due, report.alarms.get(entry.partition, 0))


def settle(report: Report) -> None:
    """Turn each suspicion into its finding, once all cases have been judged: their alarms prove how far routing got in each partition."""
    for one in report.suspicions:
        proven = report.alarms.get(one.partition, 0) > one.after
        if (found := one.proven if proven else one.otherwise) is not None:
            report.add_finding(found)
    report.suspicions.clear()


def called_lost(decision: Entry, head: Head, entries: Iterable[Entry], key: bytes, evidence: Evidence, report: Report) -> bool:
    """Check a decision that answers an input as lost: something in the log must show the loss. Return whether the input at the place of
    its head is answered by it.

    entries: the case's own, without forged ones. Routing calls a record lost where a sequence is missing before the record at that place,
    or where it could not take that record itself: then it stands in the quarantine, or is no event of the case.
    """
    place = (head.topic, head.partition, head.offset)
    named = [e for e in entries if e.topic == head.topic and e.case_seq == head.lost_seq and e.kind in SEQUENCED]
    here = next((e for e in entries if _position(e) == place), None)
    whole = next((e for e in named if _opens(e, key)), None)
    aside = evidence.refused.get(place) or (evidence.refused.get(_position(whole)) if whole is not None else None)
    if aside is not None and whole is not None:
        what = f"routing set entry {whole.idx} aside as {aside} and called it lost, and it is whole: ask why; {ROUTING_ANSWERS}"
        report.add_finding(finding(Weight.UNCHECKED, "LOST_UNPROVEN", decision, what))
    elif aside is None and place not in evidence.doubtful and whole is not None:
        what = f"it calls sequence {head.lost_seq} of {head.topic} lost, and entry {whole.idx} of the log is that record, whole"
        who = "answerable: routing, or whoever took the record from the broker before routing read it; neither the agency nor the log"
        report.add_finding(finding(Weight.BAD, "LOST_FALSE", decision, f"{what}; {who}"))
    elif aside is None and place not in evidence.doubtful and not named and not _gap(here, head) and _known(decision, evidence):
        what = f"it calls sequence {head.lost_seq} of {head.topic} lost, and the log has no gap there, and no record that was set aside"
        report.add_finding(finding(Weight.BAD, "LOST_FALSE", decision, f"{what}; answerable: routing; neither the agency nor the log"))
    return here is None or here.case_seq == head.lost_seq


def _position(entry: Entry) -> Position:
    return entry.topic, entry.partition, entry.offset


def _gap(here: Entry | None, head: Head) -> bool:
    """Return whether the record at the place of the head reveals that the named sequence is missing before it."""
    return here is not None and here.case_seq > (head.lost_seq or 0)


def _known(decision: Entry, evidence: Evidence) -> bool:
    """Return whether audit would have logged by now what stood in the quarantine before this decision was published."""
    return evidence.beat is None or decision.kafka_time + LATE_MS < evidence.end


def _opens(entry: Entry, key: bytes) -> bool:
    try:
        unseal(entry, key)
    except (Malformed, NewerVersion):
        return False
    return True


def erased(entries: Iterable[Entry]) -> bool:
    """Return whether the case has an erasure: routing passes over what comes for a case whose key is out of use."""
    return any(entry.kind is Kind.ERASURE for entry in entries)
