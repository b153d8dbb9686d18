"""Hold what routing says that it decided upon against the log: the policy bundle in force, and the free places of the services.

Re-execution proves that a decision follows from its facts; this module judges whether the facts are true. Each decision leaves a record of
what it was made upon and of the places that it took and gave back. One sweep over these records, in the order in which routing recorded
them, counts the places that all cases hold. Records of one partition have one order, that of the topic. Between partitions the order of two
decisions that were made within NEAR_US is not known, so the number of free places is an interval (docs/decisions/0084). Pure.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from referral.domain.case import Case, holds
from referral.domain.durations import MINUTE_US, SECOND_US
from referral.domain.events import CaseClosed, CaseOpened, OfferOpened, TrackChanged
from referral.proof.entry import ROUTING, Entry, Kind
from referral.proof.history.case import decisions
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import Report, Weight, finding

NEAR_US = MINUTE_US
"""A minute (ours): a turn of routing that lasts longer than 45 s (`runtime/loop/tenure.STALL`) loses its leases and commits nothing, so a
decision that was recorded a minute before another one was committed before the other one looked. Measured: docs/decisions/0084."""
PAST_US = 10 * NEAR_US
"""Ten minutes (ours) of the broker's clock after which a decision of a drill waits for no other: some are published late."""
UPGRADE_US = 60 * MINUTE_US
"""An hour (ours) in which the instances of two releases may decide side by side: an upgrade restarts one after another."""
NOBODY: Mapping[str, int] = {}
CLOSED, TRACK, OPENED, ASKED = (
    type_.rpartition(".v")[0] for type_ in (CaseClosed.TYPE, TrackChanged.TYPE, CaseOpened.TYPE, OfferOpened.TYPE)
)


def ends(type_: str) -> bool:
    """Return True if a record of this type shows whether the case is closed: its end, or an event that opens it, even after its end."""
    return type_.rpartition(".v")[0] in (CLOSED, TRACK, OPENED)


def closes(type_: str) -> bool:
    """Return True if the case is closed when this is its last type for which `ends` is true."""
    return type_.rpartition(".v")[0] == CLOSED


class Decided(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One decision: what it was made upon, and what it changed.

    at: µs UTC, as routing recorded it. came: µs UTC, as the broker had it. The others name the decision's first entry.
    bundle: number of the policy; 0: the decision is not judged, only its places count.
    free: service id → free places, as routing says. moved: service id → change of the places that the case holds.
    unknown: change of the number of places that the case may hold beside them, of whichever service.
    """

    at: int
    partition: int
    offset: int
    idx: int
    came: int
    case_id: str
    case_seq: int
    type: str
    bundle: int = 0
    engine: int = 0
    free: Mapping[str, int] = field(default_factory=dict)
    moved: Mapping[str, int] = field(default_factory=dict)
    unknown: int = 0

    def order(self) -> tuple[int, int, int]:
        """Return the sort key of the sweep."""
        return self.at, self.partition, self.offset

    def entry(self) -> Entry:
        """Return the entry for a finding, without its value."""
        where = {"topic": ROUTING, "partition": self.partition, "offset": self.offset, "kafka_time": self.came // 1000}
        what = {"case_id": self.case_id, "case_seq": self.case_seq, "type": self.type}
        return Entry(idx=self.idx, kind=Kind.DECISION, key=None, value=b"", sha256=b"", **where, **what)  # type: ignore[arg-type]


def made(entry: Entry, **what: object) -> Decided:
    """Return the record of a decision. entry: its first."""
    return Decided(
        at=entry.recorded_at,
        partition=entry.partition,
        offset=entry.offset,
        idx=entry.idx,
        came=entry.kafka_time * 1000,
        case_id=entry.case_id,
        case_seq=entry.case_seq,
        type=entry.type,
        **what,  # type: ignore[arg-type]
    )


class Holding(Struct, kw_only=True):
    """The places that one case holds. drill: the log's stack is for exercises alone; None: no heartbeat says so."""

    drill: bool | None
    places: Mapping[str, int] = field(default_factory=dict)
    unknown: int = 0
    """Number of places that the case holds, if its line is for exercises alone."""

    def moved(self, before: Case | None, after: Case) -> tuple[dict[str, int], int]:
        """Take the state after a decision, and return the changes of `places` and of `unknown`.

        On a line with real cases an exercise takes no place (`services/routing/capacity.py`).
        """
        if before is not None and before.tracks is after.tracks and before.drill == after.drill:
            return {}, 0
        now, maybe = holds(after), 0
        if after.drill and not self.drill:
            now, maybe = NOBODY, sum(now.values()) if self.drill is None else 0
        was, self.places, had, self.unknown = self.places, now, self.unknown, maybe
        return {one: change for one in sorted(was.keys() | now.keys()) if (change := now.get(one, 0) - was.get(one, 0))}, maybe - had


def unread(entries: Sequence[Entry], holding: Holding | None = None) -> Iterator[Decided]:
    """Yield records for decisions of a case that cannot be read: from the first on it holds any places, until it is closed.

    entries: of the case, from the first decision that cannot be read on. holding: what it held before. A closed case holds nothing.
    """
    rest = decisions(entries)
    if not rest:
        return
    held, before = (holding.places, holding.unknown) if holding is not None else (NOBODY, 0)
    most = sum(held.values()) + before + sum(entry.type.rpartition(".v")[0] == ASKED for entry in rest)
    if most:
        yield made(rest[0], moved={one: -count for one, count in held.items()}, unknown=most - before)
        last = next((entry for entry in reversed(rest) if ends(entry.type)), None)
        if last is not None and closes(last.type):
            yield made(last, unknown=-most)


class Doubt(Struct, kw_only=True):
    """A number of free places that is not the one of the sweep's own order. It waits until every decision that was near is known.

    low, high: places that all cases held, at least and at most.
    """

    of: Decided
    service: str
    said: int
    capacities: tuple[int, ...]
    low: int
    high: int

    def widen(self, other: Decided, *, counted: bool) -> None:
        """Take account of a decision that was near. counted: the sweep has counted it."""
        change, sign = other.moved.get(self.service, 0), -1 if counted else 1
        if other.partition == self.of.partition:
            if (other.offset < self.of.offset) is not counted:
                self.low, self.high = self.low + sign * change, self.high + sign * (change + other.unknown)
            return
        for step in (sign * change, max(0, sign * other.unknown)):
            self.low, self.high = self.low + min(step, 0), self.high + max(step, 0)

    def free(self) -> tuple[int, int]:
        """Return the numbers of free places, at least and at most, that routing may have seen."""
        return max(0, min(self.capacities) - max(self.high, 0)), max(0, max(self.capacities) - max(self.low, 0))


class Sweep(Struct, kw_only=True):
    """The sweep over the decisions of a whole log, in their order (`Decided.order`). drill: as for `Holding`.

    whole: every case of the log was read. If not, the places that the others hold are not known, and only the capacities are compared.
    """

    report: Report
    bundles: Bundles
    drill: bool | None = None
    whole: bool = True
    held: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    """Number of places that cases without a readable state may hold."""
    recent: deque[Decided] = field(default_factory=deque)
    """Decisions that changed places, and that may be near to a later one."""
    doubts: list[Doubt] = field(default_factory=list)
    used: dict[int, Decided] = field(default_factory=dict)
    """Partition → the first decision by its newest bundle."""
    first: dict[int, Decided] = field(default_factory=dict)
    """Number of a bundle → the first decision by it."""
    newest: Decided | None = None
    """The first decision by the newest engine."""
    older: Decided | None = None
    """The first decision that an older engine made long after that."""
    capacities: dict[int, Mapping[str, int] | None] = field(default_factory=dict)
    """Number of a bundle → service id → places; None where it cannot be read."""

    def take(self, decided: Decided) -> None:
        """Judge the next decision, and count the places that it moves."""
        for doubt in [one for one in self.doubts if self._is_past(one.of, decided)]:
            self.doubts.remove(doubt)
            self._settle(doubt)
        moves = bool(decided.moved or decided.unknown)
        if moves:
            for doubt in self.doubts:
                if self._is_near(decided, doubt.of):
                    doubt.widen(decided, counted=False)
        if decided.bundle in self.bundles.activated:
            self._engine(decided)
            self._bundle(decided)
            self._free(decided)
        if moves:
            self.held.update(decided.moved)
            self.unknown += decided.unknown
            self.recent.append(decided)
        while self.recent and self._is_past(self.recent[0], decided):
            self.recent.popleft()

    def finish(self) -> None:
        """Judge what still waited for later decisions."""
        for doubt in self.doubts:
            self._settle(doubt)
        if self.older is not None and self.newest is not None:
            first, count = self.older, self.report.counts["decisions by an older engine than before"]
            why = "an older release ran again (ask who took it back), or routing chose its rules"
            what = f"from here on {count} decisions by engine {first.engine}, over an hour after engine {self.newest.engine} had decided"
            self._unchecked("ENGINE_OLD", first, f"{what}: {why}")
        if not self.whole:
            self.report.counts["decisions whose free places were not compared"] += self.report.counts["decisions"]

    def _is_near(self, one: Decided, other: Decided) -> bool:
        """Return True if either decision may have been committed before the other one looked.

        A drill's clock may jump by days while a turn is under way; the broker's does not.
        """
        return abs(one.at - other.at) <= NEAR_US or (self.drill is not False and abs(one.came - other.came) <= NEAR_US)

    def _is_past(self, one: Decided, now: Decided) -> bool:
        """Return True if no later decision of the sweep is near to this one."""
        return now.at > one.at + NEAR_US and (self.drill is False or now.came > one.came + PAST_US)

    def _free(self, decided: Decided) -> None:
        """Compare the free places with those of the sweep's own order. Keep a doubt where they differ: other orders may be true."""
        capacity = self._capacity(decided.bundle)
        if capacity is None or not decided.free:
            return
        if self.whole:
            self.report.counts["free places compared"] += len(decided.free)
        for service, said in decided.free.items():
            most = capacity.get(service, 0)
            if self.whole and said != max(0, most - max(self.held[service], 0)):
                doubt = Doubt(
                    of=decided,
                    service=service,
                    said=said,
                    capacities=(most, *self._followed(decided, service)),
                    low=self.held[service],
                    high=self.held[service] + self.unknown,
                )
                for other in self.recent:
                    if self._is_near(other, decided):
                        doubt.widen(other, counted=True)
                self.doubts.append(doubt)
            elif not self.whole and not 0 <= said <= max((most, *self._followed(decided, service))):
                self._false(decided, service, f"it has {most} places", said, "asked for a place that it does not have")

    def _capacity(self, number: int) -> Mapping[str, int] | None:
        """Return service id → places of a bundle; None where it cannot be read."""
        if number not in self.capacities:
            rules = self.bundles.policy(number)
            self.capacities[number] = rules.capacities() if rules is not None else None
        return self.capacities[number]

    def _followed(self, decided: Decided, service: str) -> tuple[int, ...]:
        """Return the capacities by the bundles that came into force while this was decided: a turn that decides again reads them anew."""
        later = (n for n in range(decided.bundle + 1, len(self.bundles.published) + 1))
        near = [n for n in later if self.bundles.published[n - 1] <= decided.came + MINUTE_US]
        return tuple(known.get(service, 0) for n in near if (known := self._capacity(n)) is not None)

    def _settle(self, doubt: Doubt) -> None:
        """Report a number of free places that no order of the decisions explains."""
        low, high = doubt.free()
        if low <= doubt.said <= high:
            self.report.counts["of them within an interval"] += 1
            return
        true = str(low) if low == high else f"{low} to {high}"
        did = "passed over while it had room" if doubt.said < low else "asked for a place that it did not have"
        self._false(doubt.of, doubt.service, f"{true} of {doubt.capacities[0]} places were free by the log", doubt.said, did)

    def _false(self, decided: Decided, service: str, true: str, said: int, did: str) -> None:
        what = f"{service}: {true}, and routing decided as if {said} were: the shelter may have been {did}"
        self._bad("FREE_FALSE", decided, f"{what}; {ANSWERABLE}")

    def _engine(self, decided: Decided) -> None:
        """Count the decisions by an older version of the rules than routing had used long before."""
        if self.newest is None or decided.engine > self.newest.engine:
            self.newest = decided
        elif decided.engine < self.newest.engine and decided.at > self.newest.at + UPGRADE_US:
            self.older = self.older or decided
            self.report.counts["decisions by an older engine than before"] += 1

    def _bundle(self, decided: Decided) -> None:
        """Check that the bundle was in force: no newer one was known to routing, and it was on the topic itself."""
        number, newest = decided.bundle, self.used.get(decided.partition)
        self.first.setdefault(number, decided)
        if newest is None or number > newest.bundle or (number == newest.bundle and decided.offset < newest.offset):
            self.used[decided.partition] = decided
        elif number < newest.bundle and decided.offset > newest.offset:
            return self._old(decided, newest, "this partition of routing")
        for later in range(number + 1, len(self.bundles.published) + 1):
            first, begun, came = self.first.get(later), self.bundles.begun[later - 1], self.bundles.published[later - 1]
            if first is None and begun > decided.at:
                break
            if first is not None and first.at + NEAR_US < decided.at and (self.drill is False or first.came + NEAR_US < decided.came):
                return self._old(decided, first, "routing")
            if begun + NEAR_US < decided.at and came + NEAR_US < decided.came and self.bundles.policy(later) is not None:
                late = (decided.at - begun) // SECOND_US
                what = f"{late} s after bundle {later} was on the topic: routing had not taken it over, or passed it over"
                return self._unchecked("BUNDLE_OLD", decided, f"it was decided by policy bundle {number}, {what}")
        if decided.came and decided.came + MINUTE_US < self.bundles.published[number - 1]:
            why = "the topic was made again, or routing took it early"
            self._unchecked("BUNDLE_EARLY", decided, f"it was decided by policy bundle {number} before that was on the topic: {why}")
        return None

    def _old(self, decided: Decided, newer: Decided, who: str) -> None:
        """Report a decision by an older bundle than another one was made by. An older release decides on where it cannot read a bundle."""
        what = f"it was decided by policy bundle {decided.bundle} although bundle {newer.bundle} was in force"
        what = f"{what}: {who} had decided by that before, in entry {newer.idx}; routing is answerable"
        if decided.engine >= newer.engine:
            self._bad("BUNDLE_OLD", decided, what)
        else:
            self._unchecked("BUNDLE_OLD", decided, f"{what}, or its release, engine {decided.engine}, could not read the newer one")

    def _bad(self, code: str, decided: Decided, what: str) -> None:
        self.report.add_finding(finding(Weight.BAD, code, decided.entry(), what))

    def _unchecked(self, code: str, decided: Decided, what: str) -> None:
        self.report.add_finding(finding(Weight.UNCHECKED, code, decided.entry(), what))


ANSWERABLE = (
    "routing is answerable, or whoever changed its table of places (a database administrator, a restore without `referral recover`),"
    " and the agency has no part in it"
)
"""The party that is answerable for a false number of free places: no agency tells how many it has, the policy does."""
