"""Carry out what two powers do together: real records under their true keys, and a real verdict (`pairs` says who must notice)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct, structs
from rich.progress import Progress

from referral.domain.events import How, NeedsPerson, OfferClosed, OfferOpened, ReferralSubmitted, ResponseSubmitted, Word
from referral.domain.inputs import Input, RecordLost, Source, lost_input, record_input
from referral.proof.act import DIGITS, Act
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import INTAKE, NOTIFICATION, Entry, Kind
from referral.proof.heartbeat import Heartbeat
from referral.wire.signed import trust_lines
from services.audit.ingest import Says, ingest
from services.notifier.duty import Roster
from services.notifier.plan import Knock, Question
from tests.attacks import administrators, broker, by_hand, facts, history, policies, promises, readings
from tests.attacks.administrators import alone
from tests.attacks.ground import WITNESSED, Noticed, copy, receipt, verify
from tests.attacks.omissions import PassedOver, SomeChildren, noticed
from tests.harness.audit_log import FILES, MINUTE, Log, _id, asked, named, response, story
from tests.harness.lying_log import SLOW, activate, begun, free, placed
from tests.harness.made_log import NOW
from tests.harness.outages import HOUR, LivedLine
from tests.harness.policies import KEEPER, LINES, bundle
from tests.unit.proof.test_unlogged import TRUE

DESK, RECEIPT, LISTED = "desk", "the sender's receipt", "verify lists it"
LATE = 2 * HOUR


def lived(kind: type[LivedLine], **more: Any) -> LivedLine:
    """A line of five hours that ends when its witnesses sign, and whose log names its writers."""
    line = kind(now=NOW * 1_000_000 - 5 * HOUR, seed=4, **more)
    named(line)
    return line.live()


def begun_now() -> Log:
    """The same without a notifier and without heartbeats: a few hours before the witnesses sign."""
    log = Log(signed=True, now=NOW * 1_000_000 - 5 * HOUR)
    named(log)
    return log


def judged(log: Log) -> Noticed:
    return {"verify": verify(copy(log.entries), keys=log.keys)}


# Routing and another one.


@dataclass
class Unanswered(LivedLine):
    """The log of a notifier that says each message, and of agencies that say nothing: to the byte that of one that sends them."""

    charged: int = 0

    def record(self, cause: Input, said: list[Struct]) -> None:
        waiting = len(self.later)
        super().record(cause, said)
        del self.later[waiting:]
        self.charged += sum(isinstance(event, OfferClosed) and event.how is How.EXPIRED for event in said)


def charged() -> Noticed:
    line = lived(Unanswered)
    assert isinstance(line, Unanswered) and line.charged > 3
    return noticed(line)


def left_out() -> Noticed:
    """The case that routing passed over has one record, of intake; its sender has the receipt."""
    line = lived(PassedOver, cases_=12)
    victim = [entry for entry in line.entries if entry.type == ReferralSubmitted.TYPE][2]
    there = copy([entry for entry in line.entries if entry.case_id != victim.case_id])
    return {"verify": verify(there, keys=line.keys), RECEIPT: receipt(there, victim)}


def made_full() -> Noticed:
    """The one bed of Linden is held by a child that intake invented, so what routing says of it is true."""
    log = begun(None)
    placed(log, "invented")
    placed(log, "child", free(linden=0))
    return judged(log)


def one_clock() -> Noticed:
    """The database's clock, by which routing decides and dates its records, is two hours ahead of the broker's."""
    log = begun_now()
    story(log, "before")
    log.now, log.ahead = log.now + LATE, LATE
    story(log)
    return judged(log)


def unread() -> Noticed:
    """The child's desk is asked about a lost record, and the agency that answered in time has not answered."""
    log = begun_now()
    case_id, _ = asked(log, "child")
    topic, partition, offset = broker.take_away(log, case_id, by="routing")
    lost = RecordLost(topic=topic, seq=log._seqs[topic, case_id], reason="body")
    said = log.answer(lost_input(case_id, lost, Source(topic=topic, partition=partition, offset=offset)))
    return judged(log) | {DESK: about_lost(said)}


def about_lost(said: list[Struct]) -> str:
    """Return the task that the case's desk gets about a record that is missing."""
    return next((f"{one.desk} must look: {one.about}" for one in said if isinstance(one, NeedsPerson) and one.about == "record-lost"), "")


def dated_alike() -> Noticed:
    """Policy and act say the same time, a month ago."""
    log, month = Log(signed=True, now=NOW * 1_000_000 - facts.MONTH), facts.MONTH - 10 * MINUTE
    named(log, more=LINES + trust_lines.pin_line(1, bundle(1, FILES).digest))
    for later in (0, month, 10 * MINUTE):
        log.now += later
        log.beat({NOTIFICATION: [0] * 12})
    back = log.now - month
    acts = [administrators.FOUNDED, Says(Kind.ADMINISTRATION, activated(2, SLOW, back).encode())]
    log.entries += ingest([], log._known, acts).entries
    activate(log, at=back)
    return judged(log)


def activated(number: int, files: dict[str, bytes], at: int) -> Act:
    """The act of one operator that puts a bundle in force."""
    about = (f"policy:{number}", f"digest:{bundle(number, files).digest[:DIGITS]}")
    return structs.replace(alone("policy activate", *about), id=f"{number:032}", at=at)


# The notifier and another one.


@dataclass
class OneBehind(LivedLine):
    """Audit says in each heartbeat that one more record stands in each partition of the notifier, and that it has not read that one yet."""

    beats: int = 0
    behind: float = 0

    def beat_now(self) -> Entry:
        self._known.now, self.beats = max(self._known.now, self.now), self.beats + 1
        ends = {topic: [0] * 12 for topic, _ in self._offsets}
        for (topic, partition), end in self._offsets.items():
            ends[topic][partition] = end + self.beats * (topic == NOTIFICATION)
        unread = {f"{NOTIFICATION}/{n}": end - 1 for n, end in enumerate(ends.get(NOTIFICATION, ())) if end}
        self.entries += ingest([], self._known, [Says(Kind.HEARTBEAT, Heartbeat(ends=ends, unread=unread, drill=False).encode())]).entries
        return self.entries[-1]


@dataclass
class NeverRead(OneBehind, SomeChildren):
    """And the notifier calls nobody for three children."""


def never_read() -> Noticed:
    return noticed(lived(NeverRead, cases_=12))


def accepted_for() -> Noticed:
    """Every answer is intake's, and every message the notifier's word: the log is that of an honest line, to the byte."""
    return noticed(lived(LivedLine))


@dataclass
class NobodyOnDuty(LivedLine):
    """The notifier says that the police have nobody on duty."""

    def staff(self, asked: Question) -> Roster:
        return Roster(()) if asked.agency.startswith("police") else super().staff(asked)


def nobody_on_duty() -> Noticed:
    line = noticed(lived(NobodyOnDuty))["verify"]
    table = by_hand.tables("roster", (*TRUE.roster[:1], *TRUE.roster[2:]))["verify"]
    return {"verify": line or table}


def read_by_one() -> Noticed:
    """Routing is honest: the next record shows it that one is missing, and it asks the desk."""
    log = begun_now()
    case_id, offer = asked(log, "child")
    broker.take_away(log, case_id, by="notifier", reader="notifier")
    gone = RecordLost(topic=INTAKE, seq=log._seqs[INTAKE, case_id], reason="gap")
    body = response(offer, Word.ACKNOWLEDGE, "next")
    meta, at = log.say(case_id, body, _id("event next"), _id("cause next"), "intake")
    said = log.answer(lost_input(case_id, gone, at))
    log.answer(record_input(meta, body, at))
    return judged(log) | {DESK: about_lost(said)}


@dataclass
class SwitchedOff(SomeChildren):
    """An operator switches sending off for a minute, again and again: so at each rung at which the notifier is silent it was off once."""

    def notifier(self) -> None:
        minute = (self.now - self.begun) // MINUTE % 10
        if minute < 2 and (self.now - self.begun) % MINUTE == 0:
            switched(self, "duty resume" if minute else "duty pause")
        super().notifier()


def switched(line: LivedLine, command: str) -> None:
    """One operator switches sending off, or on."""
    line._known.now = max(line._known.now, line.now)
    done = structs.replace(alone(command), id=f"{line.now:032}", at=line.now)
    first = [] if any(entry.kind is Kind.ADMINISTRATION for entry in line.entries) else [administrators.FOUNDED]
    line.entries += ingest([], line._known, [*first, Says(Kind.ADMINISTRATION, done.encode())]).entries


def switched_off() -> Noticed:
    return noticed(lived(SwitchedOff, cases_=12))


# Audit and another one.


def receipt_alone() -> Noticed:
    """Intake's receipt is signed, and promises the log; nothing was published, and the log lacks it."""
    promise, lacks = promises.swallowed()[RECEIPT], history.case_left_out()
    return {"verify": lacks["verify"], RECEIPT: f"{promise}; {lacks[RECEIPT]}" if promise and lacks[RECEIPT] else ""}


def drill_clock() -> Noticed:
    """Of a hundred heartbeats one is a drill's, beside a story whose limits passed by a clock that was moved."""
    log = begun_now()
    for number in range(100):
        if number == 50:
            log.now, log.ahead = log.now + LATE, LATE
            story(log)
            log.now, log.ahead = log.now - LATE, 0
        log.now += MINUTE // 2
        log.beat(None, drill=number == 50)
    return judged(log)


def answer_gone() -> Noticed:
    """The police accepted, and have a receipt. Nobody has read it, and their limit passes."""
    log = begun_now()
    case_id, offer = asked(log, "child")
    log.say(case_id, response(offer, Word.ACCEPT, "true"), _id("event true"), _id("cause true"), "intake")
    true = log.entries.pop()
    log._known.size -= 1
    log.alarm(case_id)
    there = copy(log.entries)
    return {"verify": verify(there, keys=log.keys), RECEIPT: receipt(there, true)}


def lent_unseen() -> Noticed:
    """The lending stands above the witnessed size, and its entry goes."""
    silent = readings.changed(readings.away, WITNESSED + 5, key=True)["nobody"]
    return {"verify and witnesses": "" if silent else "the lending is seen"}


# Intake and another one.


@dataclass
class Invented(LivedLine):
    """Intake says for the first three children that the police accept, a minute after they were asked. Nobody tells the police."""

    silent: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)

    def record(self, cause: Input, said: list[Struct]) -> None:
        for event in said:
            if isinstance(event, OfferOpened) and event.agency.startswith("police") and len(self.silent) < 3:
                self.silent.add(event.offer_id)
                body = response(event, Word.ACCEPT, "invented")
                self.later.append((self.now + MINUTE, cause.case_id, body, f"invented {event.offer_id}"))
        waiting = len(self.later)
        super().record(cause, said)
        self.later = [one for n, one in enumerate(self.later) if n < waiting or not self.forged(one[2])]
        if isinstance(cause.body, ResponseSubmitted):
            self.answered.add(cause.body.offer_id)

    def forged(self, body: Struct) -> bool:
        return isinstance(body, ResponseSubmitted) and body.offer_id in self.silent


@dataclass
class PlanDeleted(Invented):
    """An administrator deletes their messages before they are due."""

    def knock(self, knock: Knock) -> None:
        if knock.asked not in self.silent:
            super().knock(knock)


@dataclass
class HeldBack(Invented):
    """The broker answers the notifier nothing while such an answer is on its way."""

    def notifier(self) -> None:
        if self.silent <= self.answered:
            super().notifier()


@dataclass
class Paused(HeldBack):
    """An operator switches sending off meanwhile."""

    off: bool = False

    def notifier(self) -> None:
        if self.off != bool(self.silent - self.answered):
            self.off = not self.off
            switched(self, "duty pause" if self.off else "duty resume")
        super().notifier()


def invented(kind: type[Invented]) -> LivedLine:
    line = lived(kind)
    assert isinstance(line, Invented) and len(line.silent) == 3 and line.silent <= line.answered
    return line


def plan_deleted() -> Noticed:
    return noticed(invented(PlanDeleted))


def held_back() -> Noticed:
    return noticed(invented(HeldBack))


def paused() -> Noticed:
    """Nothing is bad; the act is listed, with the operator."""
    line = invented(Paused)
    report = judge(copy(line.entries), VerifyOptions(keys=line.keys), Progress(disable=True)).report
    return noticed(line) | {LISTED: next((str(found) for found in report.findings if found.code == "ACT" and "pause" in found.what), "")}


# Administrators and an operator.


def two_clocks() -> Noticed:
    """Every clock of the line agrees; the witnesses have their own."""
    log = begun_now()
    log.now += 4 * HOUR + LATE
    story(log)
    return judged(log)


def forged_word() -> Noticed:
    """Both rows and act are there; the word of the second operator was made with the first one's key."""
    return administrators.logged(administrators.act(other=administrators.KEEPER))


def one_signer() -> Noticed:
    """The act names the bundle's digest, and one of the signers signed it."""
    log = policies.begun()
    files = {**FILES, "codes.yaml": FILES["codes.yaml"] + b"\n# forged\n"}
    acts = [administrators.FOUNDED, Says(Kind.ADMINISTRATION, activated(2, files, log.now).encode())]
    log.entries += ingest([], log._known, acts).entries
    policies.put(log, bundle(2, files, at=log.now, before=FILES, keys=(KEEPER,)))
    return judged(log)
