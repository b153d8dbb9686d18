"""A log as audit keeps it, of the real rules and seven made-up cases, one for each procedure, whose people answer as in the simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct, structs

from referral.analysis.simulation.caseload import Arrival, Caseload
from referral.analysis.simulation.reactions import Live
from referral.analysis.simulation.world import World
from referral.domain.case import Case
from referral.domain.decide import Decision, decided, facts_for
from referral.domain.durations import HOUR_US
from referral.domain.events import (
    CaseErased,
    CaseRaised,
    Door,
    KnockSent,
    Meta,
    NeedsPerson,
    OfferEscalated,
    OfferOpened,
    PolicyActivated,
    ReferralSubmitted,
)
from referral.domain.inputs import Due, Input, Source, derived, due_input, record_input
from referral.domain.policy import Policy, compile
from referral.proof.entry import Entry, Kind
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import codec, headers, seal, topics
from referral.wire.signed import writer_signature
from services.audit.ingest import Says, ingest
from tests.harness.audit_log import FILES, Log
from tests.harness.made_log import NOW
from tests.vectors.form import secret
from tests.vectors.signatures import SERVICES, bundle

END = NOW * 1_000_000
"""µs: the witnesses sign then."""
BEGIN = END - 12 * HOUR_US
SIGNS = "school-drita"
SCHOOL = SignerKey(SIGNS, ED25519, bytes([0x61]) * 32)


@dataclass
class Line(Log):
    """A log whose services sign. policy: the rules of its bundle 1, by which it decides."""

    policy: Policy = field(default_factory=lambda: compile(FILES))
    _knocked: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.now = BEGIN

    def own(self, kind: Kind, value: bytes, type_: str = "", fingerprint: int = 0) -> Entry:
        """Audit itself says this."""
        self._known.now = max(self._known.now, self.now)
        self.entries += ingest([], self._known, [Says(kind, value, type_, fingerprint)]).entries
        return self.entries[-1]

    def open_record(self, body: Any, key: str, source: str) -> Entry:
        """A record outside the case topics."""
        value, told = codec.encode(body), headers.plain(body.TYPE, id=key, source=source, at=self.now)
        if body.TOPIC != PolicyActivated.TOPIC:
            told += writer_signature.sign(secret(SERVICES[source]), body.TOPIC, [(key.encode(), value)])
        self.put(body.TOPIC, 0, key.encode(), value, told)
        return self.entries[-1]

    def publish(
        self, case_id: str, bodies: Sequence[Any], cause_id: str, source: str, *, by: str = "", ids: Sequence[str] = ()
    ) -> list[tuple[Meta, Source]]:
        """Write records of one case under one signature. by: who signs; "nobody": nobody. ids: other ids of the events."""
        made, key = list[tuple[Meta, bytes]](), self.keys.setdefault(case_id, derived(case_id, "key").encode()[:32])
        topic = type(bodies[0]).TOPIC
        for index, body in enumerate(bodies):
            seq = self._seqs[topic, case_id] = self._seqs.get((topic, case_id), 0) + 1
            meta = Meta(
                event_id=ids[index] if ids else derived(cause_id, index),
                case_id=case_id,
                case_seq=seq,
                type=body.TYPE,
                fingerprint=codec.fingerprint(body.TYPE),
                cause_id=cause_id,
                recorded_at=self.now,
                source=source,
                drill=False,
            )
            nonce = derived(meta.event_id, "nonce").encode()[:12]
            made.append((meta, seal.seal(None if isinstance(body, CaseErased) else key, topic, meta, codec.encode(body), nonce)))
        signed = writer_signature.sign(
            secret(SERVICES[by if by in SERVICES else source]), topic, [(case_id.encode(), value) for _, value in made]
        )
        found = []
        for (meta, value), header in zip(made, signed, strict=True):
            told = [*headers.of(meta), *(() if by == "nobody" else (header,))]
            found.append((meta, self.put(topic, topics.partition(case_id), case_id.encode(), value, told)))
        return found

    def take(self, case_id: str, body: Struct, at: int, free: Mapping[str, int]) -> Decision:
        """One input reaches the line, and routing answers it. free: places of every service."""
        self.now, case = max(self.now, at), self.cases.get(case_id)
        if isinstance(body, Due):
            return self.decide(due_input(case_id, body.at, case.seq if case else 0), free)
        source = "notifier" if type(body).TOPIC == "referral-notification" else "intake"  # type: ignore[attr-defined]
        ((meta, place),) = self.publish(case_id, [body], derived(case_id, f"in:{len(self.entries)}"), source)
        return self.decide(record_input(meta, body, place), free)

    def decide(self, cause: Input, free: Mapping[str, int]) -> Decision:
        case: Case | None = self.cases.get(cause.case_id)
        facts = facts_for(case, cause, self.policy, self.now, lambda wanted: {one: free[one] for one in wanted}, bundle=1)
        decision = decided(case, cause, facts, self.policy)
        self.cases[cause.case_id] = decision.case
        self.publish(cause.case_id, decision.events, cause.id, "routing")
        for event in decision.events:
            if isinstance(event, OfferOpened | OfferEscalated):
                self._knock(cause.case_id, event.offer_id, event.rung, offer_id=event.offer_id)
            elif isinstance(event, NeedsPerson):
                self._knock(cause.case_id, event.task_id, event.rung, task_id=event.task_id)
        return decision

    def _knock(self, case_id: str, question: str, rung: int, **about: str) -> None:
        """Knock at a rung of an offer or of a desk's task, once."""
        if (question, rung) not in self._knocked:
            self._knocked.add((question, rung))
            who, reference = derived(question, "person"), derived(question, rung)
            knock = KnockSent(channel="sms", again=0, at=self.now, person=who, rung=rung, reference=reference, **about)
            self.publish(case_id, [knock], derived(question, f"knock:{rung}"), "notifier")


class OneEach(Caseload, frozen=True, kw_only=True):
    """One arrival of each procedure, an hour apart."""

    def arrivals(self) -> Iterator[Arrival]:
        seen = set[str]()
        for arrival in super().arrivals():
            if arrival.pathway not in seen:
                seen.add(arrival.pathway)
                yield structs.replace(arrival, at=BEGIN + len(seen) * HOUR_US)


class Lived(World):
    """A world whose decisions are those of a line."""

    def __init__(self, line: Line) -> None:
        super().__init__(OneEach(policy=line.policy, seed=36, world=1, cases=2000, year=2027), line.policy)
        self.line = line

    def decision(self, live: Live, body: Struct, at: int) -> Decision:
        return self.line.take(live.id, body, at, self.beds.free)

    def _raise(self, live: Live, event: CaseRaised, at: int) -> None:
        """Add the case of a complaint, as intake does."""
        raised = Live(live.name + "+", event.new_case_id, at, event.pathway, event.traits.found_in, True)
        body = ReferralSubmitted(
            referral_id=derived(event.new_case_id, "referral"),
            agency=self.policy.oversight,
            door=Door.SYSTEM,
            opens=True,
            traits=event.traits,
            consent=None,
            sections=(),
            excludes=event.excluded,
            received_at=at,
        )
        self._push(at, raised, body)

    def run(self, until: int) -> None:
        while self.next_at is not None and self.next_at < until:
            self.step()


def rules() -> PolicyActivated:
    """Return bundle 1: the policy of the checkout, in which one school signs."""
    path = f"directory/{SIGNS}.yaml"
    signing = f'signing: {{keys: ["{SCHOOL.verifier.encode().decode()}"]}}\n'
    return bundle(1, {**FILES, path: FILES[path] + signing.encode()}, "", at=BEGIN, valid_from=0)
