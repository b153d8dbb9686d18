"""Build the timeline of a case from the log alone: each event with its time, actor, reason and cause. Replaying changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from referral.domain.events import CauseKind, Head, PolicyActivated, Signed
from referral.domain.local_time import local
from referral.errors import Malformed, NewerVersion
from referral.proof import act, reading
from referral.proof.entry import SEQUENCED, Entry, Kind, plain
from referral.proof.forgeries import ANYBODY, Believed, judge
from referral.proof.history.case import Read, unseal
from referral.proof.history.wording import Names, Wording, names, say
from referral.proof.history.words import Name, Texts, as_logged, coded, english
from referral.wire import event_digest, policy_digest


class Line(Struct, frozen=True, kw_only=True):
    """One event. idx: index of its entry; None for an alarm, which has no record. at: µs UTC.

    depth: 0 for an input from outside, one more for each consequence.
    mark: "" read · "sealed" no key is available · "erased" an erasure on record destroyed its key · "bad" it does not open.
    due, due_what: the limit that starts here; 0 where none does. offer_id: the offer that the event is about, if any.
    """

    idx: int | None
    at: int
    depth: int
    what: str
    who: str
    why: str
    passed: tuple[str, ...]
    mark: str
    event_id: str
    cause_id: str
    topic: str
    seq: int
    due: int = 0
    due_what: str = ""
    offer_id: str = ""


OWN = {
    Kind.POLICY: "a policy bundle is in force from here on",
    Kind.SCHEMA: "by this schema bodies of type {type} are read",
    Kind.HEARTBEAT: "audit is alive",
    Kind.READING: "somebody opens cases of this log",
    Kind.ADMINISTRATION: "an operator changed something",
    Kind.COVER: "nothing: it fills the log up, so that its size tells nothing",
    Kind.KEYS: "the log's key, its witnesses and their quorum, from here on",
    Kind.FIGURE: "a figure of oversight, or the end of its release",
    Kind.QUARANTINE: "a record that could not be understood is kept apart",
}
MARKED = frozenset({Kind.FORK, Kind.FOREIGN, Kind.GAP, Kind.UNREADABLE})
"""Kinds of entries that tell nothing but their fault."""
Opened = Read | Malformed | NewerVersion
"""An opened entry with its decoded body, or the error that prevents it."""


def timeline(
    entries: Sequence[Entry], key: bytes | None, texts: Texts | None = None, believed: Believed = ANYBODY, name: Name = as_logged
) -> list[Line]:
    """Return the lines of one case in the order of the log, consequences below their cause.

    entries: all of the case, in the order of idx. texts: of the reader's language; English without. name: of the codes in it.
    believed: those whose signature a record needs; a record without it is named as forged, and the true one behind it is the case's.
    """
    texts = texts or english()
    right = judge(entries, key, believed)
    entries = [right.corrected(entry) for entry in entries]
    genuine = [entry for entry in entries if entry.idx not in right.forged]
    erased = any(entry.kind is Kind.ERASURE for entry in genuine)
    bodies = {entry.idx: _open(entry, key) for entry in entries if entry.kind not in MARKED and (key or entry.kind is Kind.ERASURE)}
    known = names((read.body for entry in genuine if isinstance(read := bodies.get(entry.idx), Read)), texts, name)
    own = {entry.event_id: entry for entry in genuine if entry.kind in SEQUENCED}
    children: dict[str, list[Entry]] = {}
    for entry in entries:
        cause = entry.cause_id if entry.cause_id in own and entry.cause_id != entry.event_id else ""
        children.setdefault(cause, []).append(entry)
    lines: list[Line] = []
    waiting = [(entry, 0) for entry in reversed((*children.get("", ()), *entries))]
    alarms: set[str] = set()
    done: set[int] = set()
    while waiting:
        entry, depth = waiting.pop()
        if entry.idx in done:  # each entry once, even where forged entries name each other as cause
            continue
        done.add(entry.idx)
        line = _line(entry, depth, bodies.get(entry.idx), known, erased)
        if believed.unwritten(entry):  # it says nothing of the case: no limit starts, nothing follows from it
            claims = entry.type if entry.kind in MARKED else line.what
            lines.append(structs.replace(line, mark="bad", what=texts("mark.unsigned", what=claims), due=0, due_what="", offer_id=""))
            continue
        if entry.idx in right.twins:
            line = structs.replace(line, mark="bad", what=texts("mark.twin", what=line.what))
        if alarm := _alarm(entry, bodies.get(entry.idx), line, alarms, texts):
            lines.append(alarm)
        below = 1 if entry.cause_id in alarms else 0
        lines.append(structs.replace(line, depth=depth + below))
        waiting += [(child, depth + below + 1) for child in reversed(children.get(entry.event_id, ()))]
    return lines


def own_line(entry: Entry, activated: Sequence[PolicyActivated] = ()) -> Line:
    """Return the line of an entry that belongs to no case. activated: the log's policy bundles, from which changes are computed."""
    marked = english()(f"mark.{entry.kind.value}") if entry.kind in MARKED else entry.kind.value
    what = OWN.get(entry.kind, marked).format(type=entry.type)
    if entry.kind is Kind.POLICY:
        what = _activated(entry, activated) or what
    if entry.kind is Kind.READING:
        what = _value(reading.parse, entry) or what
    if entry.kind is Kind.ADMINISTRATION:
        what = _value(act.parse, entry) or what
    return structs.replace(_line(entry, 0, None, names((), english()), False), what=what, mark="", at=entry.logged_at)


def _activated(entry: Entry, activated: Sequence[PolicyActivated]) -> str:
    """Return number, digest and changes of a bundle; "" where it cannot be read."""
    try:
        body = plain(entry)
    except (Malformed, NewerVersion):
        return ""
    if not isinstance(body, PolicyActivated):
        return ""
    if activated and body not in activated:
        return f"a record says that it is policy bundle {body.number}, and nobody follows it: it is not signed by two, or not the next one"
    before = next((bundle.files for bundle in activated if bundle.number == body.number - 1), None)
    text = f"policy bundle {body.number} is in force from here on, digest {body.digest[:16]}"
    return f"{text}: {policy_digest.changes(before, body.files)}"


def _value(parse: Callable[[bytes], object], entry: Entry) -> str:
    """Return the value of an entry in words; "" where it cannot be read."""
    try:
        return str(parse(entry.value))
    except Malformed:
        return ""


def _open(entry: Entry, key: bytes | None) -> Opened:
    try:
        return unseal(entry, key)
    except (Malformed, NewerVersion) as error:
        return error


def _line(entry: Entry, depth: int, read: Opened | None, known: Names, erased: bool) -> Line:
    wording, mark = _said(entry, read, known, erased)
    return Line(
        idx=entry.idx,
        at=entry.recorded_at or entry.kafka_time * 1000,
        depth=depth,
        what=wording.what,
        who=wording.who or known.of("service", entry.topic.removeprefix("referral-")),
        why=wording.why,
        passed=wording.passed,
        mark=mark,
        event_id=entry.event_id,
        cause_id=entry.cause_id,
        topic=entry.topic,
        seq=entry.case_seq,
        due=wording.due,
        due_what=wording.due_what,
        offer_id=(getattr(read.body, "offer_id", None) if isinstance(read, Read) else None) or "",
    )


def _said(entry: Entry, read: Opened | None, known: Names, erased: bool) -> tuple[Wording, str]:
    if entry.kind in MARKED:
        return Wording(what=known.say(f"mark.{entry.kind.value}")), "bad"
    if read is None:
        return Wording(what=entry.type), "erased" if erased else "sealed"
    if isinstance(read, Read):
        said = say(read.body, known)
        return structs.replace(said, what=said.what + _signed(read, known)), ""
    return Wording(what=f"{entry.type}: {read}"), "bad"


def _signed(read: Read, known: Names) -> str:
    """Return "signed", as far as the agency's signature covers these words; "" where there is none. `verify` checks the signature."""
    signed: Signed | None = getattr(read.body, "signed", None)
    if signed is None:
        return ""
    if event_digest.claimed(signed) is None:
        return known.say("part.signed.bytes")
    bound = event_digest.bound(read.body, read.meta.case_id, drill=read.meta.drill)
    return known.say("part.signed" if bound else "part.signed.otherwise")


def _alarm(entry: Entry, read: Opened | None, line: Line, alarms: set[str], texts: Texts) -> Line | None:
    """Return the line of an alarm before the first event that it caused; an alarm has no record of its own."""
    if entry.kind is not Kind.DECISION or entry.cause_id in alarms:
        return None
    head: Head | None = getattr(read.body, "head", None) if isinstance(read, Read) else None
    if head is None or head.kind is not CauseKind.DUE:
        return None
    alarms.add(entry.cause_id)
    return structs.replace(
        line,
        at=head.due or line.at,
        what=texts("event.alarm"),
        who=texts("part.clock"),
        why="",
        passed=(),
        idx=None,
        seq=0,
        event_id=entry.cause_id,
        due=0,
        due_what="",
        offer_id="",
    )


def sentence(line: Line, day: str, *, marked: bool, texts: Texts | None = None) -> str:
    """Return the event as a sentence with the time by which somebody must act. day: the day under which the line is displayed.

    marked: append the mark of an entry that could not be read. texts: as for `timeline`.
    """
    texts = texts or english()
    what = line.what
    if line.due:
        what = texts("part.until", what=what, when=_until(line.due, day, texts), do=coded(texts, "do", line.due_what))
    return f"{what}{f' [{line.mark}]' if line.mark and marked else ''}"


def _until(due: int, day: str, texts: Texts) -> str:
    at = local(due)
    date, time = at.strftime("%d.%m.%Y"), at.strftime("%H:%M")
    return texts("until.today", time=time) if date == day else texts("until.later", date=date, time=time)
