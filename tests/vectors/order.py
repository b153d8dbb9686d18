"""Short logs, each with the findings of a verifier by sections 12 and 14. No bundle of the policy, so nothing is decided again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import UNSET, structs

from referral.domain.events import CaseClosed, CaseErased, SectionDisclosed, Why
from referral.proof.act import State
from referral.proof.entry import Kind
from referral.proof.heartbeat import Heartbeat
from referral.proof.verify.log import verify
from referral.wire import topics
from referral.wire.signed import trust_lines
from referral.wire.signed.trust_lines import Keyword
from tests.harness.audit_log import MINUTE
from tests.vectors import own
from tests.vectors.form import Vector, VectorFile, good, public, secret
from tests.vectors.leaves import CASE, OTHER
from tests.vectors.people import APPROVES, ASKS, ERASERS, PLAIN, erased
from tests.vectors.short_log import Short
from tests.vectors.signatures import SEED, WRITERS
from tests.vectors.stated import STATED, two_writers

LINES = b"".join(trust_lines.key_line(Keyword.WRITER, service, key) for service, (key,) in WRITERS.keys.items())
PEOPLE = b"".join(trust_lines.key_line(Keyword.APPROVER, name, key) for name, key in ERASERS.approvers.items())
PEOPLE += trust_lines.intake_line(public(SEED))
ACTING = b"".join(trust_lines.key_line(Keyword.OPERATOR, name.partition("/")[2], key) for name, key in own.OPERATORS.keys.items())


def logs() -> VectorFile:
    found = [_judged(name, *made) for name, made in _made()]
    return VectorFile("12, 14", found)


def _judged(name: str, log: Short, keys: Mapping[str, bytes]) -> Vector:
    report = verify(log.entries, keys)
    findings = sorted((f.idx, f.code, f.weight.name.lower()) for f in report.findings if f.idx is not None)
    assert len(findings) == len(report.findings)
    return good(name, exit_code=report.exit_code(), case_keys=keys, entries=log.written(), findings=findings)


Made = tuple[str, tuple[Short, Mapping[str, bytes]]]


def _made() -> Iterator[Made]:
    for make in (_whole, *ORDER, *CLOCKS, *ACTS, *STATED):
        log = Short()
        make(log)
        yield make.__doc__ or "", (log, log.keys)
    for gone in GONE:
        log = Short()
        yield gone.__doc__ or "", (log, gone(log))
    log = Short()
    yield two_writers.__doc__ or "", (log, two_writers(log, LINES))


def _whole(log: Short) -> None:
    """Good: two cases, audit's own entries between."""
    log.names(LINES)
    log.knock()
    log.beat({"referral-policy": [0]})
    log.knock(OTHER)
    log.own(Kind.COVER, bytes([0xC0]) * 16)
    log.own(Kind.READING, own.READING.encode())
    log.knock()


def _missing(log: Short) -> None:
    """A sequence is missing: audit writes a GAP before the record that shows it."""
    log.knock()
    log.knock(seq=3)


def _lost(log: Short) -> None:
    """A sequence is missing, and a quarantine record accounts for it."""
    log.names(LINES)
    log.quarantined(log.knock(), "body", 2)
    log.knock(seq=3)


def _lost_for_another(log: Short) -> None:
    """The quarantine record speaks for another reader than its key names: it accounts for nothing."""
    log.names(LINES)
    log.quarantined(log.knock(), "body", 2, named="intake")
    log.knock(seq=3)


def _lost_on_another_topic(log: Short) -> None:
    """The quarantine record stands on a topic that nobody signs: it is no record of this system, and accounts for nothing."""
    log.names(LINES)
    log.quarantined(log.knock(), "body", 2, topic="referral-policy")
    log.knock(seq=3)


def _disowned_on_another_topic(log: Short) -> None:
    """The same record disowns nothing."""
    log.names(LINES)
    log.quarantined(log.knock(), "foreign", 1, "notifier", topic="referral-policy")


def _unsigned(log: Short) -> None:
    """A record that nobody signed: it takes no sequence."""
    log.names(LINES)
    log.knock()
    log.knock(by="")
    log.knock(seq=2)


def _by_another(log: Short) -> None:
    """A record that another service signed."""
    log.names(LINES)
    log.knock(by="routing")


def _before_the_true(log: Short) -> None:
    """A forged record came first, and the true one was logged as its FORK."""
    log.names(LINES)
    log.knock()
    log.knock(by="")
    log.knock(seq=2)
    log.knock()


def _under_another_key(log: Short) -> None:
    """No writers are named. A record that the case's key does not open came before the true one."""
    log.knock()
    log.knock(by="", key=bytes(32))
    log.knock(seq=2)


def _twins(log: Short) -> None:
    """No writers are named. Two records with one sequence both open."""
    log.knock()
    log.knock()
    log.knock(seq=2)


def _ahead(log: Short) -> None:
    """No writers are named. A record with sequence 3 came before the one with sequence 2; both open."""
    log.knock()
    log.knock(seq=3)
    log.knock(seq=2)
    log.knock(seq=3)


def _disowned(log: Short) -> None:
    """The owner of the topic says that it did not write a record."""
    log.names(LINES)
    log.quarantined(log.knock(), "foreign", 1, "notifier")


def _offset(log: Short) -> None:
    """Two offsets of one partition are exchanged."""
    log.names(LINES)
    one, two = log.knock(), log.knock()
    log.change(1, offset=two.offset)
    log.change(2, offset=one.offset)


def _value(log: Short) -> None:
    """A value is another than the leaf says."""
    log.names(LINES)
    entry = log.knock()
    log.change(1, value=entry.value[:-1] + bytes([entry.value[-1] ^ 1]))


def _meta(log: Short) -> None:
    """The leaf says another time than the value's meta."""
    log.names(LINES)
    log.change(1, recorded_at=log.knock().recorded_at + 1)


def _kind(log: Short) -> None:
    """The leaf says another kind than follows from the record."""
    log.names(LINES)
    log.knock()
    log.change(1, kind=Kind.DECISION)


def _place(log: Short) -> None:
    """One of audit's own entries names a position."""
    log.own(Kind.COVER, bytes([0xC0]) * 16)
    log.change(0, topic="referral-intake", offset=1)


def _hidden(log: Short) -> None:
    """A cover entry of 17 bytes."""
    log.own(Kind.COVER, bytes([0xC0]) * 17)


def _not_ours(log: Short) -> None:
    """Records that are not of this system, or in another case's partition: notes."""
    log.put("referral-notification", 0, b"x", b"hello")
    entry = log.knock()
    log.put(entry.topic, (entry.partition + 1) % topics.PARTITIONS, entry.key or b"", entry.value)


def _line(log: Short) -> None:
    """A KEYS entry with a bad line of ours changes nothing: the writers of before still count."""
    log.names(LINES)
    log.names(b"# intake ed25519 x\n")
    log.knock(by="")


def _back(log: Short) -> None:
    """The logging time goes back."""
    log.knock()
    log.knock()
    log.change(1, logged_at=log.entries[0].logged_at - 1)


ORDER: Sequence[Callable[[Short], None]] = (
    _missing,
    _lost,
    _lost_for_another,
    _lost_on_another_topic,
    _disowned_on_another_topic,
    _unsigned,
    _by_another,
    _before_the_true,
    _under_another_key,
    _twins,
    _ahead,
    _disowned,
    _offset,
    _value,
    _meta,
    _kind,
    _place,
    _hidden,
    _not_ours,
    _line,
    _back,
)


def _recorded_ahead(log: Short) -> None:
    """Recorded more than a minute after the broker had it."""
    log.ahead = 2 * MINUTE
    log.knock()


def _logged_early(log: Short) -> None:
    """Logged more than a minute before the broker had it."""
    entry = log.knock()
    log.change(0, logged_at=entry.kafka_time * 1000 - MINUTE - 1)


def _recorded_back(log: Short) -> None:
    """Recorded more than a minute before an earlier one of its partition."""
    log.knock()
    log.now -= 2 * MINUTE
    log.knock()


def _drill(log: Short) -> None:
    """The same in a drill: clocks are not compared."""
    log.beat({}, drill=True)
    _recorded_back(log)


def _drill_changed(log: Short) -> None:
    """A heartbeat of a drill after one of real cases."""
    log.beat({})
    log.beat({}, drill=True)


def _drill_ends(log: Short) -> None:
    """A heartbeat of real cases after one of a drill: the log is no drill, and the clock that went back before it is found."""
    log.beat({}, drill=True)
    _recorded_back(log)
    log.beat({})


def _paused(log: Short) -> None:
    """Six minutes between two heartbeats, and the broker silent."""
    log.beat(None)
    log.now += 6 * MINUTE
    log.beat(None)


def _not_read(log: Short) -> None:
    """For five minutes audit has not read what a topic held."""
    beat = Heartbeat(ends={"referral-policy": [3]}, unread={"referral-policy/0": 1}, drill=False)
    for _ in range(6):
        log.own(Kind.HEARTBEAT, beat.encode())
        log.now += MINUTE


CLOCKS: Sequence[Callable[[Short], None]] = (
    _recorded_ahead,
    _logged_early,
    _recorded_back,
    _drill,
    _drill_changed,
    _drill_ends,
    _paused,
    _not_read,
)


def _acts(log: Short) -> None:
    """An act of two operators, one of one, and the word used again."""
    log.names(ACTING)
    log.own(Kind.ADMINISTRATION, own.ACT.encode())
    log.own(Kind.ADMINISTRATION, structs.replace(own.PLAIN, id="0c" * 16, second=UNSET).encode())
    log.own(Kind.ADMINISTRATION, structs.replace(own.PLAIN, id="0d" * 16).signed(secret(0x31)).encode())


def _begun(log: Short) -> None:
    """An act that was begun and has no outcome."""
    log.names(ACTING)
    log.own(Kind.ADMINISTRATION, structs.replace(own.PLAIN, state=State.BEGUN).signed(secret(0x31)).encode())


def _other_keys(log: Short) -> None:
    """The log names other keys of intake, approvers, services and operators: notes at the entry, none at the first."""
    log.names(LINES + PEOPLE + ACTING)
    more = [trust_lines.key_line(Keyword.WRITER, "intake", public(0x71)), trust_lines.key_line(Keyword.APPROVER, "desk-3", public(0x72))]
    more += [trust_lines.key_line(Keyword.OPERATOR, "three", public(0x73)), trust_lines.intake_line(public(0x74))]
    log.names(LINES + PEOPLE + ACTING + b"".join(more))


def _other_signers(log: Short) -> None:
    """The log names other signers of the policy, nobody, and the first ones again: a note where the newest that named some named others."""
    one, two, new = (trust_lines.key_line(Keyword.POLICY_SIGNER, name, public(seed)) for name, seed in SIGNING)
    for lines in (one + two, one + new, b"", one + new, one + two):
        log.names(lines)


SIGNING = (("keeper", 0x75), ("office", 0x76), ("reserve", 0x77))
WHY = Why(rule="all-tracks-ended", procedure="", directory="", engine=4, passed=())
ACTS: Sequence[Callable[[Short], None]] = (_acts, _begun, _other_keys, _other_signers)


def _no_key(log: Short) -> Mapping[str, bytes]:
    """A case without its key, and no erasure."""
    log.knock()
    return {}


def _lost_decision(log: Short) -> Mapping[str, bytes]:
    """A decision is missing, and routing's own quarantine record accounts for it: unchecked. The key of the case is not there."""
    log.names(LINES)
    closed = CaseClosed(why=WHY, outcome="all-tracks-ended")
    log.quarantined(log.write(CASE, closed, by="routing"), "body", 2)
    log.write(CASE, closed, seq=3, by="routing")
    return {}


def _gone(log: Short) -> Mapping[str, bytes]:
    """A value is gone, and no erasure accounts for it."""
    log.knock()
    log.take_away(0)
    return log.keys


def _erased(log: Short) -> Mapping[str, bytes]:
    """A closed case is erased by two persons; the value of an entry is gone."""
    return _erase(log, erased(records=1, approved_at=log.now))


def _erased_alone(log: Short) -> Mapping[str, bytes]:
    """One approver signed both the request and the approval."""
    return _erase(log, erased(approves=ASKS, records=1, approved_at=log.now))


def _erased_forged(log: Short) -> Mapping[str, bytes]:
    """Intake did not sign the erasure."""
    return _erase(log, erased(by=APPROVES, records=1, approved_at=log.now))


def _erased_open(log: Short) -> Mapping[str, bytes]:
    """The case was open when its erasure was approved."""
    return _erase(log, erased(records=1, approved_at=log.now - MINUTE))


def _erased_count(log: Short) -> Mapping[str, bytes]:
    """The erasure speaks of another number of records."""
    return _erase(log, erased(records=2, approved_at=log.now))


def _erased_key(log: Short) -> Mapping[str, bytes]:
    """Nobody names a key of intake."""
    return _erase(log, erased(records=1, approved_at=log.now), b"")


def _erased_unsigned(log: Short) -> Mapping[str, bytes]:
    """An erasure without a signature, where nobody names a key of intake."""
    return _erase(log, structs.replace(erased(records=1, approved_at=log.now), signature=None), b"")


def _erase(log: Short, body: CaseErased, people: bytes = PEOPLE) -> Mapping[str, bytes]:
    assert body.basis == PLAIN.basis
    log.names(LINES + people)
    read = SectionDisclosed(agency="school-one", section="identity", basis="desk", at=log.now)
    log.write(CASE, read, by="intake")
    log.write(CASE, CaseClosed(why=WHY, outcome="all-tracks-ended"), by="routing")
    log.write(CASE, body, by="intake")
    log.take_away(1)
    return {}


GONE: Sequence[Callable[[Short], Mapping[str, bytes]]] = (
    _no_key,
    _lost_decision,
    _gone,
    _erased,
    _erased_alone,
    _erased_forged,
    _erased_open,
    _erased_count,
    _erased_key,
    _erased_unsigned,
)
