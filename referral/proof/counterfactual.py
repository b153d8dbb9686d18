"""Decide the recorded inputs of each case again under another policy, up to the first difference.

The record proves nothing after that point: an answer to an offer that was never made is no answer to the offer that the other policy
would have made. So the report gives the first difference and the number of recorded inputs after it. Free places are those of the
record, plus or minus the places that the other policy adds or removes. A bed that a moved case would have taken from another case is
not followed (a simulation follows it).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct, field, structs

from referral.analysis.compare import ELSEWHERE, SAID, TOLD, Differences, Moment, Parted, part, parting, story
from referral.domain.case import Case, next_due
from referral.domain.decide import decided, facts_for
from referral.domain.events import CauseKind, Facts, InputIgnored, RungReached
from referral.domain.evolve import fold
from referral.domain.inputs import Input, due_input
from referral.domain.policy import ENGINE, Policy
from referral.errors import Malformed, NewerVersion
from referral.proof.engines import EngineAway, Engines, NoEngines, Recorded, RulesFailed, described, recorded
from referral.proof.engines import Rules as Told
from referral.proof.entry import Entry
from referral.proof.history.case import Answer, answers, cause, decisions, inputs, opened, unseal
from referral.wire import codec

Rules = Callable[[int | None], Policy | None]
"""Return the policy in force under a bundle number; None where the log does not hold it."""


class Counterfactual(Struct):
    """The comparison of all cases so far.

    cases: number compared. unused: inputs after the first differences. unchecked: reason → number of cases that could not be compared.
    assumed: decisions whose number of free places is not on record; the service was then assumed to be empty.
    engines: of earlier versions of the rules. files: of the other policy, which such an engine reads itself.
    """

    differences: Differences = field(default_factory=Differences)
    cases: int = 0
    inputs: int = 0
    unused: int = 0
    assumed: int = 0
    unchecked: Counter[str] = field(default_factory=Counter)
    engines: Engines = field(default_factory=NoEngines)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def take(self, case_id: str, entries: Sequence[Entry], key: bytes | None, rules: Rules, other: Policy) -> None:
        """Compare one case. entries: in the order of idx. key: None where the case is erased."""
        recorded = decisions(entries)
        if not recorded:
            return
        if key is None:
            self.unchecked["erased or without its key"] += 1
            return
        try:
            answered = list(answers([unseal(entry, key) for entry in recorded]))
            rerun = CaseRerun(case_id, key, inputs(entries), answered, rules, other, self.engines, self.files)
            rerun.run()
        except (Malformed, NewerVersion):
            self.unchecked["unreadable"] += 1
            return
        except (EngineAway, RulesFailed):
            self.unchecked["decided by another engine"] += 1
            return
        self.cases += 1
        self.inputs += len(answered)
        self.assumed += rerun.assumed
        if rerun.parted is None:
            self.differences.said += rerun.said
        else:
            self.unused += rerun.parted.unused
            self.differences.take(rerun.parted)


class CaseRerun(Struct):
    """The comparison of one case. was: its state under the recorded decisions. now: its state under the other policy.

    assumed: free places that are not on record. told: the events that led to `now`, for an engine in another process.
    """

    case_id: str
    key: bytes
    asked: Mapping[tuple[str, int, int], Entry]
    found: list[Answer]
    rules: Rules
    other: Policy
    engines: Engines
    files: Mapping[str, bytes]
    was: Case | None = None
    now: Case | None = None
    last: deque[Moment] = field(default_factory=lambda: deque(maxlen=TOLD))
    parted: Parted | None = None
    said: bool = False
    assumed: int = 0
    told: list[Recorded] = field(default_factory=list)

    def run(self) -> None:
        """Compare input by input until the first difference or the end of the record. Raises EngineAway, RulesFailed."""
        for number, answer in enumerate(self.found):
            if answer.head is None:
                raise EngineAway("the facts are missing")
            events = tuple(read.body for read in answer.events)
            if _is_stale(events):
                self._pass_over(answer)
                continue
            before = self.was
            self.was = fold(before, events, self.case_id)
            moment = Moment(answer.head.facts.now, self.was, events)
            other = self._other(number, before)
            if other is None or other.at != moment.at or parting(moment.events, other.events)[0] == ELSEWHERE:
                self._part(number, moment, other)
                return
            self.said = self.said or parting(moment.events, other.events)[0] == SAID
            self.now = other.case
            self.told += [(type_, codec.fingerprint(type_), data) for type_, data in map(codec.encode_oldest, other.events)]
            self.last.append(moment)

    def _pass_over(self, answer: Answer) -> None:
        """Apply an ignored alarm, late or repeated, to both states. It tests neither policy; only its sequence number counts."""
        events = [read.body for read in answer.events]
        self.was, self.now = fold(self.was, events, self.case_id), fold(self.now, events, self.case_id)
        self.told += [recorded(read) for read in answer.events]

    def _other(self, number: int, before: Case | None) -> Moment | None:
        """Return the other policy's next moment: its own alarm if that is due earlier, else its decision of the next recorded input."""
        mine, its = next_due(before) if before else None, next_due(self.now) if self.now else None
        for later, answer in enumerate(self.found[number:]):
            head = answer.head
            assert head is not None
            found = self.asked.get((head.topic, head.partition, head.offset)) if head.kind is CauseKind.RECORD else None
            if _is_stale(tuple(read.body for read in answer.events)):
                continue
            if later and found is not None and found.type == RungReached.TYPE:
                continue  # a message that followed from the recorded course
            if its is not None and its != mine and its <= head.facts.now:
                return self._alarm(its, head.facts)
            if head.kind is CauseKind.DUE and its != mine and (its is None or its > head.facts.now):
                continue  # under the other policy this alarm would not have fired
            return self._decide(cause(head, self.case_id, self.now, found, self.key), head.facts, found)
        last = self.found[-1].head
        return self._alarm(its, last.facts) if its is not None and last is not None else None

    def _alarm(self, at: int, facts: Facts) -> Moment:
        assert self.now is not None
        return self._decide(due_input(self.case_id, at, self.now.seq), structs.replace(facts, now=max(at, self.now.at)))

    def _decide(self, again: Input, facts: Facts, found: Entry | None = None) -> Moment:
        if facts.engine != ENGINE:
            return self._decide_as_then(again, facts, found)
        made = facts_for(self.now, again, self.other, facts.now, partial(self._free, facts), facts.bundle)
        decision = decided(self.now, again, made, self.other)
        return Moment(made.now, decision.case, decision.events)

    def _decide_as_then(self, again: Input, facts: Facts, found: Entry | None) -> Moment:
        """Return what the earlier version of the rules that decided would have decided under the other policy. found: the record."""
        engine = self.engines.of(facts.engine)
        if not engine.compiles("other", lambda: [Told("other", None, self.files)]):
            raise EngineAway("it cannot read the other policy")
        told = described(again, None if found is None else opened(found, self.key))
        free = self._free(facts, engine.wanted("other", self.told, told, "other"))
        facts = structs.replace(facts, now=max(facts.now, self.now.at) if self.now else facts.now, free=free)
        made = engine.decide("other", self.told, told, facts, "other")
        events = tuple(codec.decode(each.type, codec.fingerprint(each.type), each.body) for each in made)
        return Moment(facts.now, fold(self.now, events, self.case_id), events)

    def _free(self, facts: Facts, wanted: tuple[str, ...]) -> dict[str, int]:
        """Return the recorded free places of these services, plus or minus the places that the other policy adds or removes."""
        rules, free = self.rules(facts.bundle), {}
        for service in wanted:
            there = self.other.services[service].places or 0
            known = rules.services.get(service) if rules is not None else None
            if service in facts.free and known is not None:
                free[service] = facts.free[service] + there - (known.places or 0)
            else:
                free[service] = there
                self.assumed += 1
        return free

    def _part(self, number: int, moment: Moment, other: Moment | None) -> None:
        word, before, after = part(moment, other)
        assert self.was is not None and self.found[0].head is not None
        arrived, tracks = self.found[0].head.facts.now, self.was.tracks
        self.parted = Parted(
            name=self.case_id,
            pathway=tracks[0].pathway if tracks else "",
            place=self.was.traits.found_in,
            kind=word,
            arrived=arrived,
            alike=number,
            before=before,
            after=after,
            story=story(self.last, arrived),
            unused=len(self.found) - number - 1,
        )


def _is_stale(recorded: tuple[Struct, ...]) -> bool:
    """Return True if these events answer an alarm that had nothing left to do."""
    first = recorded[0]
    return isinstance(first, InputIgnored) and first.reason == "STALE_ALARM"
