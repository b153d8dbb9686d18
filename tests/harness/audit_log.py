"""A log as audit keeps it, made without servers: inputs are decided by the real rules, numbered, sealed and ingested as on the line."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from msgspec import Struct, structs

from referral.domain.case import Case, holds, next_due
from referral.domain.decide import decide, facts_for
from referral.domain.events import (
    EVENTS,
    CaseErased,
    Door,
    Facts,
    Instruction,
    Meta,
    OfferOpened,
    PolicyActivated,
    ReferralSubmitted,
    ResponseSubmitted,
    Via,
    Word,
)
from referral.domain.evolve import evolve
from referral.domain.inputs import Input, Raw, Source, due_input, record_input
from referral.domain.policy import ENGINE, Policy
from referral.proof.entry import Entry, Kind
from referral.proof.heartbeat import Heartbeat
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import Report
from referral.wire import codec, headers, policy_digest, seal, topics
from referral.wire.signed import trust_lines
from services.audit.ingest import Known, Says, ingest
from tests.harness import made_log, writers
from tests.harness.erased import INTAKE, erased
from tests.harness.made_child import CHILD, ordered
from tests.stories import teller

FILES = policy_digest.read(Path(__file__).parents[2] / "policy")
POLICY = teller.policy()
RELEASE = Path(__file__).parents[2] / "engines" / f"{ENGINE - 1}.zip"
START = 1_767_225_600_000_000
MINUTE = 60_000_000


def _of_before() -> frozenset[str]:
    known = set(re.findall(r'"([a-z-]+\.v\d+)"', ZipFile(RELEASE).read("referral/wire/compiled/__init__.py").decode()))
    newer = {type_.rpartition(".v")[0] for type_ in EVENTS if type_ not in known}
    return frozenset(type_ for type_ in known if type_.rpartition(".v")[0] in newer)


BEFORE = _of_before()
"""Versions of events that the last release knew, and that have a newer one since."""


@dataclass
class Log:
    """One stack's topics, as far as audit reads them. now: of the next decision, by the database.

    ahead: of the broker, by so much. drill: its cases are exercises. signed: the services sign their records. engine: which version of the
    rules it says that it decides by.
    """

    entries: list[Entry] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    now: int = START
    ahead: int = 0
    drill: bool = False
    signed: bool = False
    held: Counter[str] = field(default_factory=Counter)
    """Places that the cases hold, as routing's table has them."""
    engine: int = ENGINE
    files: Mapping[str, bytes] | None = None
    """The policy; by default today's, or where an earlier version of the rules decides, that of its release. Then events have the
    versions of that release."""
    _known: Known = field(default_factory=Known)
    _offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    _seqs: dict[tuple[str, str], int] = field(default_factory=dict)
    _bundles: Bundles = field(default_factory=lambda: Bundles(report=Report()))
    _followed: int = 0

    def __post_init__(self) -> None:
        files = dict(self.files or (FILES if self.engine == ENGINE else released(self.engine)))
        body = PolicyActivated(number=1, digest=policy_digest.digest(files), at=self.now, files=files, valid_from=0, before="")
        told = headers.plain(PolicyActivated.TYPE, id=_id("policy"), source="routing", at=self.now)
        self.put(PolicyActivated.TOPIC, 0, b"1", codec.encode(body), told)

    def put(self, topic: str, partition: int, key: bytes, value: bytes, told: Any = ()) -> Source:
        """A record reaches Kafka, and audit."""
        offset = self._offsets.get((topic, partition), 0)
        self._offsets[topic, partition] = offset + 1
        source = Source(topic=topic, partition=partition, offset=offset)
        raw = Raw(key=key, value=value, headers=tuple(told), kafka_time=(self.now - self.ahead) // 1000)
        self._known.now = max(self._known.now, self.now)
        self.entries += ingest([Input(id=_id("raw"), case_id="", body=raw, source=source)], self._known).entries
        return source

    def beat(self, ends: dict[str, list[int]] | None, drill: bool = False, **unread: int) -> Entry:
        """Audit says that it is alive."""
        self._known.now = max(self._known.now, self.now)
        value = Heartbeat(ends=ends, unread={place.replace("_", "/"): at for place, at in unread.items()}, drill=drill).encode()
        self.entries += ingest([], self._known, [Says(Kind.HEARTBEAT, value)]).entries
        return self.entries[-1]

    def say(self, case_id: str, body: Struct, event_id: str, cause_id: str, source: str) -> tuple[Meta, Source]:
        """One event of a case, numbered and sealed."""
        topic, type_, data = type(body).TOPIC, type(body).TYPE, codec.encode(body)  # type: ignore[attr-defined]
        why = getattr(body, "why", None)
        if (why is not None and why.engine != ENGINE) or (why is None and (self.files is not None or self.engine != ENGINE)):
            oldest = codec.encode_oldest(body)  # a release of before wrote its own versions of events
            type_, data = oldest if oldest[0] in BEFORE else (type_, data)
        seq = self._seqs[topic, case_id] = self._seqs.get((topic, case_id), 0) + 1
        meta = Meta(
            event_id=event_id,
            case_id=case_id,
            case_seq=seq,
            type=type_,
            fingerprint=codec.fingerprint(type_),
            cause_id=cause_id,
            recorded_at=self.now,
            source=source,
            drill=self.drill,
        )
        key = self.keys.setdefault(case_id, uuid.uuid5(uuid.UUID(case_id), "key").bytes * 2)
        nonce = uuid.uuid5(uuid.UUID(event_id), "nonce").bytes[:12]
        value = seal.seal(None if isinstance(body, CaseErased) else key, topic, meta, data, nonce)
        told = headers.of(meta)
        if self.signed:
            told.append(writers.signature(topic, case_id.encode(), value))
        return meta, self.put(topic, topics.partition(case_id), case_id.encode(), value, told)

    def input(self, case_id: str, body: Struct, name: str) -> list[Struct]:
        """Something comes in through a door, and routing answers it."""
        queue_id = _id(name)
        meta, source = self.say(case_id, body, str(uuid.uuid5(uuid.UUID(queue_id), "0")), queue_id, "intake")
        return self.answer(record_input(meta, body, source))

    def alarm(self, case_id: str) -> list[Struct]:
        """The case's alarm goes off, when it is due. No notifier has told anybody."""
        case = self.cases[case_id]
        at = next_due(case)
        assert at is not None
        self.now = max(self.now, at)
        return self.answer(due_input(case_id, at, case.seq))

    def answer(self, cause: Input) -> list[Struct]:
        """Routing decides."""
        case, (number, policy) = self.cases.get(cause.case_id), self.rules()
        true = facts_for(case, cause, policy, self.now, lambda wanted: self.free(wanted, policy), bundle=number)
        facts = self.facts(structs.replace(true, engine=self.engine))
        rules = self._bundles.policy(facts.bundle)
        assert rules is not None
        said = list(decide(case, cause, facts, rules))
        self.record(cause, said)
        return said

    def facts(self, true: Facts) -> Facts:
        """What routing says that it decides upon: an honest one says what is true."""
        return true

    def rules(self) -> tuple[int, Policy]:
        """Return the newest policy bundle that is believed and can be compiled."""
        for entry in self.entries[self._followed :]:
            if entry.kind in (Kind.KEYS, Kind.POLICY):
                (self._bundles.trust if entry.kind is Kind.KEYS else self._bundles.take)(entry)
        self._followed = len(self.entries)
        known = ((number, self._bundles.policy(number)) for number in sorted(self._bundles.activated, reverse=True))
        return next((number, policy) for number, policy in known if policy is not None)

    def free(self, wanted: tuple[str, ...], policy: Policy = POLICY) -> dict[str, int]:
        """Return the free places of these services."""
        return {service: max(0, (policy.services[service].places or 0) - self.held[service]) for service in wanted}

    def record(self, cause: Input, said: list[Struct]) -> None:
        """What routing says reaches the topic."""
        before = self.cases.get(cause.case_id)
        for index, event in enumerate(said):
            self.cases[cause.case_id] = evolve(self.cases.get(cause.case_id), event, cause.case_id)
            self.say(cause.case_id, event, str(uuid.uuid5(uuid.UUID(cause.id), str(index))), cause.id, "routing")
        self.held.subtract(holds(before) if before else {})
        self.held.update(holds(self.cases[cause.case_id]))


def released(engine: int) -> dict[str, bytes]:
    """The policy of the release whose rules have this version, or of the next that was kept."""
    folder = Path(__file__).parents[1] / "stories" / "released"
    kept = ZipFile(min((path for path in folder.glob("*.zip") if int(path.stem) >= engine), key=lambda path: int(path.stem)))
    files = {name.removeprefix("policy/"): kept.read(name) for name in kept.namelist() if name.startswith("policy/")}
    return {name: data for name, data in files.items() if name}


def _all_free(wanted: tuple[str, ...]) -> dict[str, int]:
    """Every place of the directory."""
    return {service: POLICY.services[service].places or 0 for service in wanted}


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def asked(log: Log, name: str) -> tuple[str, OfferOpened]:
    """A child is referred, and nobody has answered. The case's id, and what the police are asked."""
    case_id = _id(f"case {name}")
    submitted = ReferralSubmitted(
        referral_id=_id(f"referral {name}"),
        agency="school-drita",
        door=Door.HTTP,
        opens=True,
        traits=CHILD,
        sections=(),
        received_at=log.now,
    )
    return case_id, next(e for e in log.input(case_id, submitted, f"submit {name}") if isinstance(e, OfferOpened))


def story(log: Log, name: str = "one") -> str:
    """A child's referral: police do not answer, the back-up accepts, and support is asked. The case's id."""
    case_id, police = asked(log, name)
    log.alarm(case_id)
    log.now += MINUTE
    log.input(case_id, response(police, Word.ACCEPT, name), f"accept {name}")
    return case_id


def closed(log: Log, case_id: str) -> None:
    """The desk closes the case."""
    order = ordered(Instruction.CLOSE, _id(f"close {case_id}"), log.now, _id("desk officer"))
    log.input(case_id, order, f"close {case_id}")
    assert log.cases[case_id].closed


def named(log: Log, *intake: bytes, more: bytes = b"") -> None:
    """Audit says whom to believe, of intake too. more: lines of the policy about others."""
    policy = made_log.policy() + b"".join(map(trust_lines.intake_line, intake)) + (writers.LINES if log.signed else b"") + more
    log.entries += ingest([], log._known, [Says(Kind.KEYS, policy)]).entries


def erase(log: Log, case_id: str, **other: object) -> Entry:
    """As intake says it of a case that is closed now. other: fields that it says otherwise. The entry of it."""
    named(log, *INTAKE.intake)
    records = sum(e.case_id == case_id and e.topic == CaseErased.TOPIC for e in log.entries)
    body = erased(case_id, **{"records": records, "requested_at": log.now, "approved_at": log.now, **other})  # type: ignore[arg-type]
    log.say(case_id, body, _id(f"erased {case_id}"), case_id, "intake")
    return log.entries[-1]


def response(offer: OfferOpened, word: Word, name: str) -> ResponseSubmitted:
    """The asked agency's answer."""
    return ResponseSubmitted(
        response_id=_id(f"{word} {name} {offer.offer_id}"),
        offer_id=offer.offer_id,
        agency=offer.agency,
        word=word,
        reason="",
        code="",
        recorded=(),
        by=_id("officer"),
        via=Via.WEB,
        received_at=0,
    )
