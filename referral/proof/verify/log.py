"""Verify a whole log: it is complete, its bytes are the logged ones, and the rules lead to its decisions.

Pure and offline: entries and keys in, a report out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from referral.domain.events import PolicyActivated
from referral.domain.inputs import ROSTER_BOOK
from referral.errors import Malformed, NewerVersion
from referral.proof import unlogged
from referral.proof.act import Act
from referral.proof.engines import Engines, NoEngines
from referral.proof.entry import NOTIFICATION, OWNERS, SEQUENCED, Entry, Kind
from referral.proof.forgeries import TORN, SealVerdict, judge_seals
from referral.proof.history.case import Read, unseal
from referral.proof.verify import kept, omissions
from referral.proof.verify.acts import Acts
from referral.proof.verify.clocks import Clocks
from referral.proof.verify.completeness import Completeness
from referral.proof.verify.erasures import closed_before, without_key
from referral.proof.verify.facts import Decided, Holding, Sweep, unread
from referral.proof.verify.knocks import Knocks
from referral.proof.verify.policies import Bundles
from referral.proof.verify.progress import LATE_S, Evidence, Progress
from referral.proof.verify.readings import Readings
from referral.proof.verify.reexecute import Reexecution
from referral.proof.verify.report import Finding, Report, Weight, finding
from referral.proof.verify.signatures import Signatures
from referral.proof.verify.stated import Stated
from referral.wire.signed.erasure_approval import NO_ERASERS, Erasers
from referral.wire.signed.operator_word import NO_OPERATORS, Operators
from referral.wire.signed.policy_signature import NO_SIGNERS, Trusted
from referral.wire.signed.writer_signature import NO_WRITERS, Writers


class Verification:
    """A verification in two passes, so that a long log fits in memory: every entry by idx, then each case.

    keys: case id → case key. A case without a key counts as erased if the log records the erasure (its integrity is proven, its contents
    stay unread), else as unchecked.
    torn: the entries of cases with a fork or a gap (forgeries.TORN).
    seen, size: Unix seconds at which a quorum had signed, and the number of entries that it signed.
    erasers, signers, writers, operators: those whom the auditor's own policy names for erasures, for the policy, for records, and for
    administrators' acts.
    unwritten: as an earlier pass left it.
    engines: those of earlier versions of the rules.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes],
        torn: Iterable[Entry],
        seen: int | None = None,
        size: int = 0,
        *,
        erasers: Erasers = NO_ERASERS,
        signers: Trusted = NO_SIGNERS,
        writers: Writers = NO_WRITERS,
        operators: Operators = NO_OPERATORS,
        unwritten: Mapping[int, str] | None = None,
        engines: Engines | None = None,
    ) -> None:
        self.report, self._keys, self._engines = Report(), keys, engines
        self._judged = judge_seals(torn, keys, unwritten)
        self._completeness = Completeness(report=self.report, judged=self._judged, pinned=erasers, writers=writers)
        self._clocks, self._stated = Clocks(report=self.report, signed=seen, quorum=size), Stated(report=self.report)
        self._bundles = Bundles(report=self.report, pinned=signers)
        self._readings, self._acts = Readings(report=self.report), Acts(report=self.report, pinned=operators)
        self._progress = Progress()
        self._judge: Judge | None = None
        self._since = False
        """Entries before an older checkpoint are not read again, so an act may be among them."""

    @property
    def unwritten(self) -> Mapping[int, str]:
        """Return index → case of each record so far that its one writer did not sign. With any, repeat the pass."""
        return self._completeness.unwritten

    def take(self, entry: Entry) -> None:
        """Check the next entry, in the order of idx."""
        entry = self._judged.corrected(entry)
        self._completeness.take(entry)
        self._stated.take(entry)
        self._clocks.take(entry, own=self._judged.own(entry))
        if entry.kind is Kind.KEYS and entry.value:
            self._bundles.trust(entry)
        self._advance(entry)
        self._readings.take(entry)
        self._acts.take(entry)
        if entry.kind is Kind.POLICY:
            self._bundles.take(entry)

    def passed(self, entry: Entry) -> None:
        """Check only the position of the next entry, whose bytes an earlier run has proven."""
        self._since = True
        entry = self._judged.corrected(entry)
        self._completeness.place(entry)
        self._stated.passed()
        self._advance(entry)

    def _advance(self, entry: Entry) -> None:
        if entry.idx not in self._judged.forged and entry.idx not in self._completeness.unwritten:
            self._progress.take(entry)

    def kept(self) -> dict[str, bytes]:
        """Return the first pass as it stands, before `taken`, for `resume`."""
        return {name: kept.packed(part) for name, part in self._parts().items()} | {"judged": kept.encoded(self._judged)}

    def resume(self, first: Mapping[str, bytes]) -> None:
        """Go on, before the first entry, where another pass stood when it was `kept`. Malformed."""
        self._judged = self._completeness.judged = kept.decoded(first["judged"], SealVerdict)
        for name, part in self._parts().items():
            kept.unpack(part, first[name])

    def _parts(self) -> dict[str, Struct]:
        return {
            "report": self.report,
            "completeness": self._completeness,
            "clocks": self._clocks,
            "stated": self._stated,
            "bundles": self._bundles,
            "readings": self._readings,
            "acts": self._acts,
            "progress": self._progress,
        }

    @property
    def now(self) -> int:
        """Return the newest time of the log so far, by the clock of audit or of the broker, µs UTC."""
        return max(self._completeness.at, self._progress.newest * 1_000)

    def without(self, entry: Entry) -> None:
        """Note, before `taken`, that the value of an entry below the older checkpoint is gone."""
        if all(one.idx != entry.idx for one in self._completeness.missing):
            self._completeness.missing.append(entry)

    def taken(self) -> None:
        """Finish the first pass after the last entry."""
        self._completeness.finish()
        self._clocks.finish()
        self.report.periods += self._bundles.periods()
        self._readings.finish()
        self._acts.finish()
        self._bundles.dated(self._acts.every, drill=bool(self._clocks.drilled), whole=not self._since)
        if not self._since:
            self._by_hand()

    def _by_hand(self) -> None:
        """Report each bundle of the policy that no operator's act put in force."""
        bundles = self._bundles
        for number, what in unlogged.bundles({n: body.digest for n, body in bundles.activated.items()}, self.acts).items():
            idx = bundles.logged[number - 1]
            self.report.add_finding(Finding(weight=Weight.BAD, code="UNLOGGED", idx=idx, where=f"bundle {number}", what=what))

    @property
    def acts(self) -> Sequence[Act]:
        """Return the operators' acts so far, in the order of the log."""
        return self._acts.every

    def cases(self) -> Cases:
        """Return the facts that the second pass needs, after `taken`; other processes may receive them."""
        bad = (found.case_id for found in self.report.findings if found.weight is Weight.BAD)
        return Cases(
            keys=self._keys,
            judged=self._judged,
            lost=frozenset(self._completeness.lost),
            broken=frozenset(bad),
            disowned=frozenset(self._completeness.disowned),
            activated=self._bundles.activated,
            logged=self._bundles.logged,
            published=self._bundles.published,
            begun=self._bundles.begun,
            spoilt=self._bundles.spoilt,
            drill=self._clocks.drilled,
            evidence=self._progress.evidence(
                self._clocks.beat,
                self._clocks.read_to(),
                self._completeness.refused,
                self._completeness.doubtful,
                drill=bool(self._clocks.drilled),
                partial=self._since,
            ),
        )

    def case(self, case_id: str, entries: Iterable[Entry]) -> None:
        """Judge one case after `taken`. entries: all of the case, in the order of idx."""
        self._judge = self._judge or Judge(self.cases(), self.report, self._engines)
        self._judge.case(case_id, entries)

    def facts(self) -> None:
        """Judge the facts of all decisions, after the last case."""
        if self._judge is not None:
            self.sweep(sorted(self._judge.decided, key=Decided.order), self.report)

    def sweep(self, decided: Iterable[Decided], report: Report) -> None:
        """Judge the facts of all decisions. decided: what `Judge.case` found, in the order of `Decided.order`."""
        sweep = Sweep(report=report, bundles=self._bundles, drill=self._clocks.drilled, whole=not self._since)
        for one in decided:
            sweep.take(one)
        sweep.finish()


class Cases(Struct, frozen=True, kw_only=True):
    """The facts of the whole log that the judgement of a single case needs.

    lost: (topic, case, sequence) of quarantined records.
    broken: cases with a bad finding. Such a case without its key counts neither as erased nor as whole.
    disowned: (topic, partition, offset) of records that their topic's owner did not write.
    activated: the policy bundles by number. logged: the index of each. published: the time at which the broker had each, µs UTC.
    begun: the time from which each was in force, µs UTC. spoilt: as of `Bundles`.
    drill: the log's stack is for exercises alone; None: no heartbeat says so.
    evidence: how far each service got.
    """

    keys: Mapping[str, bytes]
    judged: SealVerdict
    lost: frozenset[tuple[str, str, int]]
    broken: frozenset[str]
    disowned: frozenset[tuple[str, int, int]]
    activated: dict[int, PolicyActivated]
    logged: list[int]
    published: list[int]
    begun: list[int]
    spoilt: int | None = None
    drill: bool | None = None
    evidence: Evidence = field(default_factory=Evidence)

    def bundles(self, report: Report) -> Bundles:
        """Return the policy bundles, which report what they find there."""
        return Bundles(
            report=report,
            activated=self.activated,
            logged=self.logged,
            published=self.published,
            begun=self.begun,
            spoilt=self.spoilt,
        )


class Judge:
    """The second pass: judges one case after another into a report. engines: those of earlier versions of the rules."""

    def __init__(self, known: Cases, report: Report, engines: Engines | None = None) -> None:
        self._known, self.report, self._engines = known, report, engines or NoEngines()
        self._bundles = known.bundles(report)
        self.decided: list[Decided] = []
        """What the cases so far were decided upon; whoever takes it empties it."""
        self.signatures = Signatures(bundles=self._bundles, report=report)

    def afresh(self, report: Report) -> None:
        """Continue with another report, and forget the signatures seen so far."""
        self.report = self._bundles.report = report
        self.signatures = Signatures(bundles=self._bundles, report=report)

    def into(self, report: Report) -> None:
        """Continue with another report."""
        self.report = self._bundles.report = self.signatures.report = report

    def case(self, case_id: str, entries: Iterable[Entry]) -> int:
        """Judge one case. entries: all of the case, in the order of idx. Return up to which time no later entry of another case, and no
        time that passes, changes the result, µs UTC; 0: it may change at once."""
        known, right, report = self._known, self._known.judged, self.report
        of_case = [e for entry in entries if (e := right.corrected(entry)).kind in SEQUENCED and e.idx not in right.forged]
        if not of_case:
            return 0
        report.counts["cases"] += case_id != ROSTER_BOOK
        disowned = frozenset(e.idx for e in of_case if (e.topic, e.partition, e.offset) in known.disowned)
        for entry in of_case:
            if entry.idx in disowned:
                what = f"{OWNERS[entry.topic]}, which alone writes this topic, says that it did not write it: forged"
                report.add_finding(finding(Weight.BAD, "DISOWNED", entry, what))
        key = known.keys.get(case_id)
        for erased in (entry for entry in of_case if entry.kind is Kind.ERASURE and case_id not in known.broken):
            closed_before(of_case, erased, report)
        if key is None:
            self.decided += unread(of_case)
            if case_id not in known.broken:
                without_key(of_case, report)
            else:
                report.counts["cases not decided again"] += 1
            return 0 if case_id in known.broken else kept.FOREVER
        knocks, reads = Knocks(case_id=case_id, evidence=known.evidence, report=report), dict[int, Read]()
        for read in _readable([e for e in of_case if (e.topic, case_id, e.case_seq) not in known.lost], key, report):
            reads[read.entry.idx] = read
            self.signatures.look(read)
            if read.entry.topic == NOTIFICATION and read.entry.idx not in disowned:
                knocks.said(read)
        run = Reexecution(
            case_id=case_id,
            key=key,
            bundles=self._bundles,
            report=report,
            known=right.ahead | disowned,
            disowned=disowned,
            holding=Holding(drill=known.drill),
            facts=self.decided,
            engines=self._engines,
            evidence=known.evidence,
            knocks=knocks,
            reads=reads,
        )
        run.run(of_case)
        quiet = run.sure and knocks.over and max(entry.kafka_time for entry in of_case) + LATE_S * 1_000 < known.evidence.end
        return run.until if quiet and case_id not in known.broken and kept.lasts(report) else 0


def verify(
    entries: Iterable[Entry],
    keys: Mapping[str, bytes],
    erasers: Erasers = NO_ERASERS,
    writers: Writers = NO_WRITERS,
    operators: Operators = NO_OPERATORS,
    engines: Engines | None = None,
) -> Report:
    """Verify a log that fits in memory. entries: all of them, in the order of idx. engines: as of `Verification`. The others: keys in the
    auditor's own policy."""
    cases: dict[str, list[Entry]] = {}
    held = list(entries)
    for entry in held:
        if entry.case_id:
            cases.setdefault(entry.case_id, []).append(entry)
    torn = {entry.case_id for entry in held if entry.kind in TORN}

    def passed(unwritten: Mapping[int, str]) -> Verification:
        found = (entry for entry in held if entry.case_id in torn | set(unwritten.values()))
        proof = Verification(keys, found, erasers=erasers, writers=writers, operators=operators, unwritten=unwritten, engines=engines)
        for entry in held:
            proof.take(entry)
        return proof

    proof = passed({})
    if proof.unwritten:
        proof = passed(proof.unwritten)
    proof.taken()
    for case_id, of_case in cases.items():
        proof.case(case_id, of_case)
    proof.facts()
    omissions.settle(proof.report)
    return proof.report


def _readable(entries: list[Entry], key: bytes, report: Report) -> Iterator[Read]:
    """Yield the records that open under the case's key and decode; report the others. Routing's decisions are opened when judged."""
    for entry in entries:
        if entry.kind is Kind.DECISION:
            continue
        try:
            yield unseal(entry, key)
        except Malformed as error:
            report.add_finding(finding(Weight.BAD, "SEAL" if error.reason == "seal" else "BODY", entry, f"the body was changed: {error}"))
        except NewerVersion:
            report.add_finding(finding(Weight.UNCHECKED, "NEWER_VERSION", entry, "written by a newer program than this one"))
