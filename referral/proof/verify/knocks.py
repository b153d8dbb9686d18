"""Find the rungs at which the notifier knocked nobody and did not say why. Whoever is not called cannot answer: no agency is to blame.

The notifier logs each message that left (`knock-sent`), each that did not (`knock-failed`) and each rung that it cannot reach
(`rung-failed`), so a rung of which it says nothing at all was passed over. It is not expected to knock where a desk telephones the agency,
where the agency's own system reads the offer, where many tasks of one desk share a knock, where sending is switched off, or for an
exercise on a line for real cases, which wakes nobody at night.

It also says that a message has arrived (`rung-reached`), and from then on silence counts as the agency's. It says so only of a message that
it has logged before, whatever the channel: so one without such a record is false.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field, structs

from referral.domain.events import (
    DeadlinePassed,
    KnockDelivered,
    KnockSent,
    NeedsPerson,
    OfferAccepted,
    OfferAcknowledged,
    OfferArrived,
    OfferClosed,
    OfferEscalated,
    OfferHeld,
    OfferOpened,
    PersonNotNeeded,
    Reach,
    RungReached,
    TrackChanged,
    TrackState,
)
from referral.domain.rules.context import UNCONFIRMED
from referral.domain.rules.offers import CARRIED_OVER
from referral.domain.rules.unverified import UNVERIFIED
from referral.proof.entry import NOTIFICATION, Entry
from referral.proof.history.case import Read
from referral.proof.verify.progress import LATE_S, MINUTE_MS, PROMPT_MS, Evidence
from referral.proof.verify.report import Report, Weight, finding
from referral.wire import topics

LATE_MS = LATE_S * 1_000
CALLED_MS = 14 * MINUTE_MS
"""The longest wait of an honest first knock for what is urgent: a call comes after two minutes, and at most twelve minutes after the one
before to the same person (services/notifier/pace.py). The shortest limit of the policy is a quarter of an hour."""
URGENT_US = 2 * 3600 * 1_000_000
"""µs to the limit up to which a knock waits for no morning and for no cap of a day (services/notifier/steps.py)."""
DAY_MS = 24 * 60 * MINUTE_MS
"""What is not urgent may wait for the morning, and for the next day's cap. No honest notifier is silent for a day: people are alerted."""
ANSWERABLE = "answerable: the notifier, or whoever emptied its plan, not the agency"
ENDS = (OfferAcknowledged, OfferAccepted, OfferArrived, OfferHeld, OfferClosed, PersonNotNeeded)


class Reached(Struct, frozen=True):
    """A rung that somebody waits at. track: the offer's; None: a desk's task. due: its limit, µs UTC."""

    id: str
    rung: int
    entry: Entry
    due: int | None
    track: str | None

    @property
    def urgent(self) -> bool:
        return self.due is not None and self.due - self.entry.recorded_at <= URGENT_US

    def patience(self, *, passed: bool) -> int:
        """Return after how many milliseconds an honest notifier has knocked, or has said why not. passed: the limit has passed."""
        if self.urgent:
            left = 0 if passed or self.due is None else max(0, self.due - self.entry.recorded_at)
            return CALLED_MS + left // 3_000
        return CALLED_MS if passed else DAY_MS


class Left(Struct, frozen=True):
    """A rung that is no longer waited at, by which entry. passed: its limit passed, and nobody had answered."""

    rung: Reached
    by: Entry
    passed: bool


class Knocks(Struct, kw_only=True):
    """The rungs of one case. It takes what the notifier said, then the decisions in their order."""

    case_id: str
    evidence: Evidence
    report: Report
    told: set[tuple[str, int]] = field(default_factory=set)
    """(offer or task, rung) of which the notifier said anything."""
    sent: set[tuple[str, int]] = field(default_factory=set)
    """(offer or task, rung) to which a message was sent."""
    seq: int = 0
    """Sequence of the newest record of the notifier from the first on, as long as none is missing."""
    known: dict[str, str | None] = field(default_factory=dict)
    """Offer that is knocked for → its track; task → None."""
    waits: dict[str, Reached] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    """Tasks that share a knock with others of their desk, because nobody has confirmed the referral."""
    stopped: dict[str, Reached] = field(default_factory=dict)
    """Offers whose track is paused: nobody is knocked meanwhile."""
    left: list[Left] = field(default_factory=list)
    drill: bool = False
    """The case is an exercise."""

    def said(self, read: Read) -> None:
        """Take a record of the notifier, in the order of the topic. One that is missing, or cannot be read, may have been the message."""
        body: Any = read.body
        self.seq += read.meta.case_seq == self.seq + 1
        question = getattr(body, "offer_id", None) or getattr(body, "task_id", None)
        if question is None:
            return
        rung = question, body.rung
        if isinstance(body, KnockSent | KnockDelivered):
            self.sent.add(rung)
        if not isinstance(body, RungReached):
            self.told.add(rung)
        elif rung not in self.sent and read.meta.case_seq == self.seq:
            what = f"the notifier says that a message has reached rung {body.rung} of this offer, and has sent none"
            who = "whoever was not called cannot answer; answerable: the notifier, not the agency"
            self.report.add_finding(finding(Weight.BAD, "NOT_KNOCKED", read.entry, f"{what}: {who}"))

    def decided(self, read: Read, event: Struct) -> None:
        """Take the next decision. event: its body."""
        entry, self.drill = read.entry, self.drill or read.meta.drill
        match event:
            case OfferOpened():
                if event.reach not in (Reach.PHONE, Reach.SYSTEM) and event.why.rule != CARRIED_OVER:
                    self.known[event.offer_id] = event.track_id
                    self._reach(Reached(event.offer_id, event.rung, entry, event.due, event.track_id))
            case OfferEscalated() if event.offer_id in self.known:
                self._leave(event.offer_id, entry)
                self._reach(Reached(event.offer_id, event.rung, entry, event.due, self.known[event.offer_id]))
            case DeadlinePassed() if event.offer_id in self.waits:
                self._leave(event.offer_id, entry, passed=True)
            case NeedsPerson() if not (event.about == UNCONFIRMED or event.why.rule == UNVERIFIED or event.task_id in self.shared):
                self._needed(entry, event)
            case NeedsPerson():
                self.shared.add(event.task_id)
            case TrackChanged():
                self._track(entry, event)
            case _ if isinstance(event, ENDS):
                question = getattr(event, "offer_id", None) or getattr(event, "task_id", None) or ""
                self._leave(question, entry)
                self.stopped.pop(question, None)

    @property
    def over(self) -> bool:
        """Return whether nobody waits at a rung of which the notifier has said nothing."""
        return all((rung.id, rung.rung) in self.told for rung in (*self.waits.values(), *self.stopped.values()))

    def judge(self) -> None:
        """Report the rungs of which the notifier said nothing, after the last decision."""
        for left in self.left:
            self._judge(left.rung, left.by, passed=left.passed)
        for rung in self.waits.values():
            self._judge(rung, None, passed=False)

    def _reach(self, rung: Reached) -> None:
        self.waits[rung.id] = rung

    def _leave(self, question: str, by: Entry, *, passed: bool = False) -> None:
        if (rung := self.waits.pop(question, None)) is not None:
            self.left.append(Left(rung, by, passed))

    def _needed(self, entry: Entry, event: NeedsPerson) -> None:
        """A task is repeated when its limit has passed; at the top of its ladder it keeps its rung, and is one question."""
        waits = self.waits.get(event.task_id)
        if waits is not None and waits.rung == event.rung:
            return
        self._leave(event.task_id, entry, passed=True)
        self._reach(Reached(event.task_id, event.rung, entry, event.due, None))

    def _track(self, entry: Entry, event: TrackChanged) -> None:
        if event.state is TrackState.RESUMED:
            for question in [q for q, rung in self.stopped.items() if rung.track == event.track_id]:
                self._reach(structs.replace(self.stopped.pop(question), entry=entry))
        else:
            for question in [q for q, rung in self.waits.items() if rung.track == event.track_id]:
                if event.state is TrackState.PAUSED:
                    self.stopped[question] = self.waits[question]
                self._leave(question, entry)

    def _judge(self, rung: Reached, by: Entry | None, *, passed: bool) -> None:
        """Judge one rung. by: the entry by which it was left; None: somebody waits there still."""
        evidence, entry = self.evidence, rung.entry
        if (rung.id, rung.rung) in self.told or not entry.kafka_time:
            return
        if evidence.beat is None:
            self.report.counts["rungs without a knock, and no heartbeat says how late it is"] += 1
            return
        if self.drill and not evidence.drill:
            self.report.counts["rungs of exercises, whose knocks are not checked"] += 1
            return
        last, until = (by.idx, by.kafka_time) if by is not None else (evidence.beat, evidence.end)
        if until - entry.kafka_time < rung.patience(passed=passed):
            return
        partition = topics.partition(self.case_id)
        unread, known = not evidence.read(NOTIFICATION, partition), evidence.known(NOTIFICATION, partition)
        if last > evidence.beat or (unread and min(until, known) - entry.kafka_time < rung.patience(passed=passed)):
            self.report.counts["rungs without a knock so far"] += 1
            return
        weight, why = self._why(rung, last, until, by=by, passed=passed)
        if unread:
            weight, why = Weight.UNCHECKED, f"audit says that newer records of the partition are unread; {why}"
        minutes = (until - entry.kafka_time) // MINUTE_MS
        who = f"nobody was knocked at rung {rung.rung} of {'this task' if rung.track is None else 'this offer'} in {minutes} minutes"
        if passed:
            who += ", until its limit passed"
        self.report.add_finding(finding(weight, "NOT_KNOCKED", entry, f"{who}, and nothing says why: {why}"))

    def _why(self, rung: Reached, last: int, until: int, *, by: Entry | None, passed: bool) -> tuple[Weight, str]:
        """Return the weight and the words: what the log proves about the notifier in the meantime."""
        evidence, since = self.evidence, rung.entry.kafka_time
        partition = topics.partition(self.case_id)
        if evidence.paused(rung.entry.idx, last):
            return (
                Weight.UNCHECKED,
                "an operator had switched sending off (`referral duty pause`); answerable: the operators, not the agency",
            )
        if evidence.partial:
            return Weight.UNCHECKED, f"whether sending was switched off is not read in this run; {ANSWERABLE}"
        if evidence.end - since >= DAY_MS and not evidence.heard.within(since, since + DAY_MS):
            return Weight.BAD, f"the notifier said nothing at all for a day; {ANSWERABLE}"
        went_on = partition in evidence.knocked and evidence.knocked[partition].within(since + 1, until - LATE_MS - PROMPT_MS)
        if went_on and by is not None and (rung.urgent or (passed and until - since >= DAY_MS)):
            return Weight.BAD, f"it knocked for later decisions of this partition, and passed over this one; {ANSWERABLE}"
        if went_on:
            return (
                Weight.UNCHECKED,
                f"it knocked for later decisions of this partition; a server, a cap or a night may keep one back; {ANSWERABLE}",
            )
        return Weight.UNCHECKED, f"the notifier stood still in this partition, or passed over it; {ANSWERABLE}"
