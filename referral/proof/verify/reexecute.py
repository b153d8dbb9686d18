"""Re-execute every decision of a case from the logged inputs, facts and rules, and compare it byte for byte with the logged one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field, structs

from referral.domain.case import Case, next_due
from referral.domain.decide import decided
from referral.domain.durations import MINUTE_US, SECOND_US
from referral.domain.events import EVENTS, CauseKind, Head, Why
from referral.domain.evolve import fold
from referral.domain.inputs import Input, Source, derived, due_input, record_input
from referral.domain.policy import ENGINE
from referral.errors import Malformed, NewerVersion
from referral.proof.engines import EngineAway, Engines, Made, NoEngines, Recorded, described, recorded
from referral.proof.entry import ROUTING, Entry
from referral.proof.history.case import Answer, Read, answers, cause, decisions, inputs, opened
from referral.proof.verify import forks, omissions
from referral.proof.verify.facts import Decided, Holding, made, unread
from referral.proof.verify.forks import Branch
from referral.proof.verify.kept import FOREVER
from referral.proof.verify.knocks import Knocks
from referral.proof.verify.policies import Bundles
from referral.proof.verify.progress import Evidence, Position
from referral.proof.verify.report import Report, Weight, finding
from referral.wire import codec

ENGINE_FAILED = ("engine-failed", "ENGINE_FAILED")
"""The rule of a decision that the engine-failure path made instead of the rules; the first logs spelled it differently."""


class Stop(Exception):
    """Nothing further of this case can be judged. The exception carries no data, because the report already holds the finding."""


class Led(Struct, frozen=True):
    """The answer to which the rules lead. case: after it; None: an earlier engine made it."""

    events: Sequence[Made]
    case: Case | None = None


class Reexecution(Struct, kw_only=True):
    """The re-execution of one case.

    case: its state after the decisions judged so far. decided: positions of the inputs that routing has answered.
    """

    case_id: str
    key: bytes
    bundles: Bundles
    report: Report
    case: Case | None = None
    last: Head | None = None
    """Of the last decision judged so far."""
    judged: set[str] = field(default_factory=set)
    """Cause ids of the decisions judged so far."""
    under: set[int] = field(default_factory=set)
    """Numbers of the bundles under which the case was decided so far."""
    decided: set[Position] = field(default_factory=set)
    jumps: frozenset[int] = frozenset()
    """Sequences of routing after which one is missing. The gap is the finding, not the decision that lacks its end."""
    known: frozenset[int] = frozenset()
    """Indexes of inputs with a finding already. That no decision answers them is not reported again."""
    disowned: frozenset[int] = frozenset()
    """Indexes of records that their topic's owner did not write. As inputs routing may have decided them; as decisions they are void."""
    engines: Engines = field(default_factory=NoEngines)
    """Those that decide as earlier versions of the rules did."""
    told: list[Recorded] = field(default_factory=list)
    """Events of the decisions judged so far, for an engine in another process."""
    holding: Holding
    """Places that the case holds."""
    facts: list[Decided] = field(default_factory=list)
    """Where each decision is added, with what it was made upon."""
    evidence: Evidence = field(default_factory=Evidence)
    """How far each service got, by the whole log."""
    knocks: Knocks | None = None
    """The rungs of the case so far; None: a trial of a branch."""
    entries: Sequence[Entry] = ()
    """All of the case that `run` judges."""
    reads: Mapping[int, Read] = field(default_factory=dict)
    """Index → a record that was opened and decoded before, so that no input is opened twice."""

    sure: bool = True
    """Every decision was judged, and none of them by what routing set aside elsewhere."""

    @property
    def until(self) -> int:
        """Return the limit that the case waits for, µs UTC, as of `Judge.case`. A drill's clock may jump over any limit."""
        due = next_due(self.case) if self.case is not None else None
        if due is None:
            return FOREVER
        return due if not self.evidence.drill and due > max(self.evidence.beaten, self.evidence.end * 1_000) else 0

    def run(self, entries: Sequence[Entry]) -> None:
        """Judge every decision. Stop at the first bad one, because the state before any later decision is then unknown.

        Where a sequence exists twice, both branches are decided again: the run continues with the one that the rules lead to and reports
        the other.
        """
        own = [entry for entry in entries if entry.idx not in self.disowned]
        self.entries = own
        asked, twins = inputs(entries), forks.twins(own)
        try:
            self.jumps = forks.jumps(decisions(entries))
            self._decisions([self._read(entry) for entry in decisions(own)], asked)
            self._omissions(asked, self.known.union(entry.idx for place in twins for entry in place))
        except Stop:
            self.sure = False
            at = self.case.seq if self.case is not None else 0
            self.facts += unread([entry for entry in own if entry.case_seq > at], self.holding)
        for place in twins:
            if place[0].topic != ROUTING:
                self._twins(place)

    def _decisions(self, reads: Sequence[Read], asked: dict[Position, Entry]) -> None:
        places = forks.places(reads)
        if len(places) == len(reads):
            for answer in answers(reads):
                self._judge(answer, asked)
            return
        at = 0
        while at < len(places):
            answer = self._branch(places[at:], asked)
            self._judge(answer, asked)
            at += len(answer.events)

    def _branch(self, places: Sequence[Sequence[Read]], asked: dict[Position, Entry]) -> Answer:
        """Return the answer to continue with: the first that the rules lead to, else the first that exists."""
        tried = [self._try(places, head, asked) for head in places[0]]
        chosen = max(tried, key=lambda branch: (branch.holds, branch.own))  # max returns the first of equal branches
        if len(tried) == 1 and all(len(place) == 1 for place in places[: len(chosen.answer.events)]):
            return chosen.answer
        for weight, code, entry, what in forks.losers(places, chosen, tried):
            self.report.add_finding(finding(weight, code, entry, what))
        return chosen.answer

    def _try(self, places: Sequence[Sequence[Read]], head: Read, asked: dict[Position, Entry]) -> Branch:
        """Judge one branch from its first event, first as written, then by the rules. The trial changes no state."""
        expected = self._expected(head, asked)
        own = forks.written(places, head, None if expected is None else len(expected))
        for answer in (own,) if expected is None else (own, forks.matching(places, head, expected)):
            trial = structs.replace(
                self,
                report=Report(),
                judged=set(self.judged),
                under=set(self.under),
                decided=set(),
                holding=structs.replace(self.holding),
                facts=[],
                told=list(self.told),
                knocks=None,
            )
            try:
                trial._judge(answer, asked)
            except Stop:
                continue
            return Branch(answer, True, answer is own)
        return Branch(own, False, True)

    def _expected(self, first: Read, asked: dict[Position, Entry]) -> Sequence[Made] | None:
        """Return the events that the rules lead to for the input that this event names; None where they cannot be asked."""
        try:
            head: Head | None = getattr(first.body, "head", None)
            if head is None:
                return None
            found = asked.get((head.topic, head.partition, head.offset))
            again = self._cause(first, head, found)
        except (Malformed, NewerVersion):
            return None
        try:
            led = self._made(again, head, found)
        except Exception:  # the trial of this branch says why
            return None
        return None if led is None else led.events

    def _made(self, again: Input, head: Head, found: Entry | None) -> Led | None:
        """Return the events to which the rules of the version that decided lead; None: the log does not hold their policy.

        Raises EngineAway, and whatever the rules raise.
        """
        facts, bundles = head.facts, self.bundles
        if facts.engine == ENGINE:
            rules = bundles.policy(facts.bundle)
            if rules is None:
                return None
            made = decided(self.case, again, facts, rules)
            return Led([_made(event) for event in made.events], made.case)
        engine, name = self.engines.of(facts.engine), str(facts.bundle)
        if not engine.compiles(name, lambda: bundles.until(facts.bundle)):
            return None
        read = opened(found, self.key) if head.kind is CauseKind.RECORD and found is not None else None
        return Led(engine.decide("", self.told, described(again, read), facts, name))

    def _cause(self, first: Read, head: Head, found: Entry | None) -> Input:
        """Rebuild the input. An alarm carries the sequence before its answer; routing skips a number that somebody else took."""
        if head.kind is CauseKind.DUE and head.due is not None:
            return due_input(self.case_id, head.due, first.meta.case_seq - 1)
        if head.kind is CauseKind.RECORD and found is not None and (read := self.reads.get(found.idx)) is not None:
            return record_input(read.meta, read.body, Source(topic=head.topic, partition=head.partition, offset=head.offset))
        return cause(head, self.case_id, self.case, found, self.key)

    def _twins(self, place: Sequence[Entry]) -> None:
        """Report two records of one sequence that no rule can tell apart, and which of them routing decided."""
        taken = [entry for entry in place if (entry.topic, entry.partition, entry.offset) in self.decided]
        what = forks.told(place, taken)
        for entry in place:
            self.report.add_finding(finding(Weight.BAD, "FORK", entry, what))

    def _read(self, entry: Entry) -> Read:
        try:
            return opened(entry, self.key)
        except Malformed as error:
            raise self._stop("SEAL" if error.reason == "seal" else "BODY", entry, f"the body was changed: {error}") from error

    def _body(self, read: Read) -> Struct:
        """Return the decoded body. An event that equals the expected one need not be decoded."""
        try:
            return read.body
        except Malformed as error:
            raise self._stop("BODY", read.entry, f"the body was changed: {error}") from error
        except NewerVersion:
            raise self._stop("NEWER_VERSION", read.entry, "written by a newer program than this one", Weight.UNCHECKED) from None

    def _judge(self, answer: Answer, asked: dict[Position, Entry]) -> None:
        first = answer.events[0]
        self._body(first)
        head = answer.head
        if head is None:
            raise self._stop("HEAD_MISSING", first.entry, "the first event of an input does not say what was decided upon")
        place = (head.topic, head.partition, head.offset)
        try:
            again = self._cause(first, head, asked.get(place))
        except (Malformed, NewerVersion) as error:
            what, unread = f"the input at {place[0]}[{place[1]}]@{place[2]}: {error}", self.evidence.behind(first.entry, head.topic)
            if place not in asked and unread:
                raise self._stop("INPUT", first.entry, f"{what}; audit had not read that far", Weight.UNCHECKED) from error
            raise self._stop("INPUT", first.entry, what) from error
        if again.id != first.meta.cause_id:
            raise self._stop("CAUSE_DIFFERS", first.entry, "the input at that position is not the one that this decision names")
        if again.id in self.judged:
            raise self._stop("DECIDED_TWICE", first.entry, "this input was decided before")
        self._in_time(first.entry, head)
        self.judged.add(again.id)
        if self._answers(first.entry, head):
            self.decided.add(place)
        said, after = self._compare(answer, again, head, asked.get(place))
        before, self.case, self.last = self.case, after or fold(self.case, said, self.case_id), head
        self.told += [recorded(read) for read in answer.events]
        moved, unknown = self.holding.moved(before, self.case)
        says = head.facts
        self.facts.append(made(first.entry, bundle=says.bundle or 0, engine=says.engine, free=says.free, moved=moved, unknown=unknown))
        if self.knocks is not None:
            for read, event in zip(answer.events, said, strict=False):
                self.knocks.decided(read, event)
        self.report.counts["decisions"] += 1
        if head.facts.bundle is not None and head.facts.bundle not in self.under:
            self.under.add(head.facts.bundle)
            self.report.decided[head.facts.bundle] += 1

    def _answers(self, entry: Entry, head: Head) -> bool:
        """Return whether the decision answers the input at the place of its head; report a loss that is none."""
        omissions.acted(entry, head, self.evidence, self.report)
        if head.kind is not CauseKind.LOST:
            return True
        self.sure = False
        whole = [one for one in self.entries if one.idx not in self.known]
        return omissions.called_lost(entry, head, whole, self.key, self.evidence, self.report)

    def _in_time(self, entry: Entry, head: Head) -> None:
        """Report a decision that judged limits by another time than that at which it was recorded, and an alarm before its time.

        Routing takes both times from one reading of its clock, so they are compared in exercises too. The case's time never decreases.
        """
        ahead = head.facts.now - max(entry.recorded_at, self.case.at if self.case is not None else 0)
        apart = max(ahead, entry.recorded_at - head.facts.now)
        if apart > MINUTE_US:
            what = f"routing judged limits as of a time {apart // SECOND_US} s from that of its record: they passed early, or late"
            self.report.add_finding(finding(Weight.BAD, "DECIDED_AT", entry, what))
        elif head.due is not None and head.due > head.facts.now + MINUTE_US:
            what = f"routing decided upon an alarm {(head.due - head.facts.now) // SECOND_US} s before it was due"
            self.report.add_finding(finding(Weight.BAD, "DUE_EARLY", entry, what))

    def _compare(self, answer: Answer, again: Input, head: Head, found: Entry | None) -> tuple[Sequence[Struct], Case | None]:
        """Return the events of the answer, proven or unchecked, and the case after them if these rules made it."""
        first = answer.events[0]
        why: Why | None = getattr(first.body, "why", None)
        if why is not None and why.rule in ENGINE_FAILED:
            self._unchecked("ENGINE_FAILED", first.entry, "decided by the path for a failed engine; a person was asked")
            return [self._body(read) for read in answer.events], None
        try:
            led = self._made(again, head, found)
            if led is None and self.bundles.lost(head.facts.bundle):
                self.report.counts["cases not decided again"] += 1
                raise Stop
            if led is None:
                raise self._stop("POLICY_MISSING", first.entry, f"the log does not hold policy bundle {head.facts.bundle}")
            self._same(answer, led.events)
        except Stop:
            raise
        except EngineAway as error:
            self._unchecked("OTHER_ENGINE", first.entry, f"decided by engine {head.facts.engine}: {error}")
            return [self._body(read) for read in answer.events], None
        except Exception as error:  # routing would have taken its way for failed rules: nobody decided this
            what = f"the rules fail on what this decision says that it was made upon ({type(error).__name__})"
            raise self._stop("DECISION_DIFFERS", first.entry, what) from error
        self.report.counts["decisions re-executed"] += 1
        if head.facts.engine != ENGINE:
            self.report.counts[f"decisions by engine {head.facts.engine}"] += 1
        said = [event.event or self._body(read) for event, read in zip(led.events, answer.events, strict=True)]
        return said, led.case

    def _same(self, answer: Answer, expected: Sequence[Made]) -> None:
        for index, read in enumerate(answer.events):
            if read.meta.event_id != derived(read.meta.cause_id, index):
                raise self._stop("EVENT_ID", read.entry, f"its id is not that of event {index} of its cause")
            if index >= len(expected):
                raise self._stop("DECISION_DIFFERS", read.entry, f"the rules lead to {len(expected)} events, not to this one")
            if expected[index].body != read.body_bytes or expected[index].type != read.meta.type:
                self._body(read)
                raise self._stop("DECISION_DIFFERS", read.entry, f"the rules lead to another {_name(expected[index])} here")
        if len(expected) > len(answer.events):
            if answer.events[-1].meta.case_seq in self.jumps:
                raise Stop
            missing = _name(expected[len(answer.events)])
            raise self._stop("DECISION_DIFFERS", answer.events[-1].entry, f"the rules lead to one more event after it: {missing}")

    def _omissions(self, asked: dict[Position, Entry], known: frozenset[int]) -> None:
        """Report what routing and the notifier have not done for this case."""
        if not omissions.erased(self.entries):
            omissions.undecided(asked, self.decided, known, self.evidence, self.report)
        omissions.overdue(self.case, self.last, self.entries, self.evidence, self.report)
        if self.knocks is not None:
            self.knocks.judge()

    def _unchecked(self, code: str, entry: Entry, what: str) -> None:
        self.report.add_finding(finding(Weight.UNCHECKED, code, entry, what))

    def _stop(self, code: str, entry: Entry, what: str, weight: Weight = Weight.BAD) -> Stop:
        self.report.add_finding(finding(weight, code, entry, what))
        return Stop()


def _made(event: Struct) -> Made:
    return Made(event.TYPE, codec.encode(event), event)  # type: ignore[attr-defined]


def _name(made: Made) -> str:
    """Return the name of an event; of an older version than this program's, its type."""
    return EVENTS[made.type].__name__ if made.type in EVENTS else made.type
