"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from referral.domain.value import Value


class Claim(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Under which key something was sent: a repeat is known by it also after the door's database went back to an older copy."""

    agency: str
    """Whose key it is."""
    key: bytes
    """Keyed digest (HMAC-SHA256) of the Idempotency-Key or ce_id."""
    body: bytes
    """Keyed digest of what was sent under it."""


class ConsentState(StrEnum):
    """State of the consent."""

    UNKNOWN = "UNKNOWN"
    GIVEN = "GIVEN"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    NOT_ASKED = "NOT_ASKED"


class Consent(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who agreed to what, on which basis, until when."""

    state: ConsentState
    """State of the consent."""
    basis: str
    """Legal basis."""
    giver: str
    """Who gave it: person, parent, guardian …"""
    scope: tuple[str, ...]
    """Sections covered; empty is all that a step names."""
    recipients: tuple[str, ...]
    """Agencies covered; empty is every agency of the procedure."""
    until: int | None = None
    """End, if it has one."""


class Counted(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a release met and did not guess about; the data dictionary says of each word what is counted."""

    what: str
    """What, e.g. unreadable, gap, repeat, late, erased, drill."""
    count: int | None = None
    """How many, down to a multiple of k; null where it is below k, and for cases also where it is none."""


class EnteredTime(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One instant that a person knows of, e.g. since when the police hold the child."""

    code: str
    """Which time, e.g. held-since."""
    at: int
    """The instant."""


class Facts(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a decision needs that is neither case nor policy."""

    now: int
    """max(batch clock, time of the case)."""
    engine: int
    """Behaviour version of decide()."""
    free: Mapping[str, int]
    """Service id -> places not held, for the candidates of a PLACE step; else empty."""
    bundle: int | None = None
    """Number of the policy bundle in force (referral-policy); null only in stories without one."""


class CauseKind(StrEnum):
    """A record, the case's own alarm, or a record that was lost."""

    UNKNOWN = "UNKNOWN"
    RECORD = "RECORD"
    DUE = "DUE"
    LOST = "LOST"


class Head(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First event of an input: what was decided upon. Replay fetches the input by position."""

    kind: CauseKind
    """A record, the case's own alarm, or a record that was lost."""
    topic: str
    """Topic of the record; empty for an alarm."""
    partition: int
    """Its partition, -1 for an alarm."""
    offset: int
    """Its offset, -1 for an alarm."""
    due: int | None = None
    """Due time of an alarm."""
    lost_seq: int | None = None
    """Sequence of a lost record in its topic, 0 where unknown; null where none was lost."""
    lost_reason: str | None = None
    """Why it was lost: a word of quarantine-reason, gap, fork or far; null where none was lost."""
    facts: Facts
    """The whole of it."""


class EntryKind(StrEnum):
    """What the entry is (referral/proof/entry.py says each)."""

    UNKNOWN = "UNKNOWN"
    EVENT = "EVENT"
    DECISION = "DECISION"
    DISCLOSURE = "DISCLOSURE"
    ERASURE = "ERASURE"
    POLICY = "POLICY"
    QUARANTINE = "QUARANTINE"
    KEYS = "KEYS"
    SCHEMA = "SCHEMA"
    UNREADABLE = "UNREADABLE"
    FOREIGN = "FOREIGN"
    FORK = "FORK"
    GAP = "GAP"
    FIGURE = "FIGURE"
    HEARTBEAT = "HEARTBEAT"
    READING = "READING"
    COVER = "COVER"
    ADMINISTRATION = "ADMINISTRATION"


class Leaf(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the audit log as the tree holds it: what is clear about a record, and the digests of everything else. The bytes are a single-object encoding."""

    IDS: ClassVar[tuple[str, ...]] = ("event_id", "case_id", "cause_id",)

    kind: EntryKind
    """What the entry is (referral/proof/entry.py says each)."""
    logged_at: int
    """When it was logged, by the batch clock of audit; never earlier than the entry before."""
    topic: str
    """Where the record was read, without a stack's prefix; empty for what audit itself says."""
    partition: int
    """Its partition, -1 for what audit itself says."""
    offset: int
    """Its offset, -1 for what audit itself says."""
    kafka_time: int
    """LogAppendTime in ms, as the broker says; 0 for what audit itself says."""
    sha256: bytes
    """SHA-256 of the exact bytes of the value, which stand beside the tree."""
    rest: bytes
    """SHA-256 over the record's key and headers: byte 0 where there is no key, else 1; the length of the key and the key; of each header in order the length and the bytes of its name (UTF-8), the length and the bytes of its value. Every length is an unsigned 64-bit big-endian integer."""
    event_id: str | None = None
    """From the record's clear part, as all that follows; null where it has none."""
    type: str
    """Type and version of the body; of a SCHEMA entry the type that the schema is of."""
    fingerprint: int
    """CRC-64-AVRO of the schema that the body was written with; 0 where none is known."""
    case_id: str | None = None
    """The case."""
    case_seq: int
    """Its sequence in the topic; 0 where there is none."""
    cause_id: str | None = None
    """What it answers."""
    recorded_at: int
    """When the writer said it; 0 where unknown."""


class Meta(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The clear part of a record: ids, sequence, time and type, and nothing about a person."""

    IDS: ClassVar[tuple[str, ...]] = ("event_id", "case_id", "cause_id",)

    event_id: str
    """This event."""
    case_id: str
    """The case that it belongs to; the key of the record."""
    case_seq: int
    """1, 2, 3 … per case and topic, without a gap."""
    type: str
    """Type and version of the body, e.g. offer-opened.v1."""
    fingerprint: int
    """CRC-64-AVRO of the canonical form of the body's schema, as a signed number."""
    cause_id: str
    """The input that this event answers; event_id = uuid5(cause_id, index)."""
    recorded_at: int
    """Time of the decision by the batch clock."""
    source: str
    """The service that wrote it."""
    drill: bool
    """True for an exercise: never counted, never sent outside the drill."""


class Passed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A candidate that was not asked, and why."""

    service: str
    """The candidate."""
    reason: str
    """Why not."""


class PolicySignature(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signer's signature of a policy bundle."""

    public: bytes
    """The signer's Ed25519 key, as the witness policy or signers.yaml names it."""
    signature: bytes
    """Over number, digest, valid_from and before (referral/wire/policy_signature.py)."""


class RosterRow(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the roster that began or ended with a change. Nothing about a person but the id of an account; never an address."""

    IDS: ClassVar[tuple[str, ...]] = ("account",)

    part: str
    """person, contact, weekly, single, absence or pause."""
    number: int
    """Number of the row within its part; the row that ends has the number with which it began."""
    ended: bool
    """False: it holds from the change on. True: it holds no longer."""
    agency: str
    """The agency; empty for a pause, which is everybody's."""
    account: str | None = None
    """The inbox account; null for a pause."""
    rungs: tuple[str, ...]
    """Of a person those registered for, of a shift its one; else none."""
    channel: str
    """Of a contact; else empty."""
    disabled: bool
    """Of a person: is not knocked."""
    weekday: int
    """Of a weekly shift, 0 is Monday; else -1."""
    start_minute: int
    """Of a weekly shift: minutes after that day's midnight, wall clock in Europe/Belgrade; else 0."""
    end_minute: int
    """Of a weekly shift, may lie on a later day; else 0."""
    since: str
    """First day on which a weekly shift begins, e.g. 2026-12-01; empty is unlimited."""
    until: str
    """Last day on which it begins; empty is unlimited."""
    starts: int | None = None
    """Of a single shift or an absence: its begin."""
    ends: int | None = None
    """Its end."""


class Scheme(StrEnum):
    """HTTP: RFC 9421. CLOUDEVENT: docs/record-signature.md, over a record of ingress.*."""

    UNKNOWN = "UNKNOWN"
    HTTP = "HTTP"
    CLOUDEVENT = "CLOUDEVENT"


class Signed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency's signature of what it sent, as far as it can be kept: digests and ids, never a body. Checked again by audit verify."""

    agency: str
    """Who signed."""
    public: bytes
    """The Ed25519 key, as the directory lists it."""
    scheme: Scheme
    """HTTP: RFC 9421. CLOUDEVENT: docs/record-signature.md, over a record of ingress.*."""
    base: bytes
    """HTTP: the signature base, whose content-digest is the body's. CLOUDEVENT: the list of digests of attributes and value."""
    signature: bytes
    """Over the base; over the DSSE envelope of the base's SHA-256 for CLOUDEVENT."""
    sequence: int
    """The agency's own number of a signed record of ingress.*, dense from 1; 0 by HTTP."""


class Traits(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the procedure may look at. Codes only: nothing here names a person."""

    concern: str
    """Why the case is here, e.g. trafficking."""
    age: str
    """child, adult or uncertain; uncertain is treated as a child (D)."""
    age_band: str
    """Band that a shelter is told, e.g. 12-14."""
    sex: str
    """female, male, other or unknown."""
    found_in: str
    """Where the person is now."""
    home: str
    """Home municipality; empty when unknown or abroad."""
    urgency: str
    """routine, urgent or emergency."""
    origin: str
    """domestic, foreign or unknown."""
    asylum: str
    """claimed, not-claimed or unknown."""
    languages: tuple[str, ...]
    """Languages the person speaks, best first."""
    flags: tuple[str, ...]
    """Circumstances that change the procedure, e.g. unaccompanied."""
    times: tuple[EnteredTime, ...] = ()
    """Instants that are known, by code; one that is absent is not known."""


class Why(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rule and the texts that a decision rests on."""

    rule: str
    """Name of the rule."""
    procedure: str
    """First 16 hex digits of the pinned procedure's digest (whole in TrackChanged); empty before a track exists."""
    directory: str
    """First 16 hex digits of the digest of the directory in force (whole in PolicyActivated's files)."""
    engine: int
    """Behaviour version of decide()."""
    passed: tuple[Passed, ...]
    """Candidates passed over (at most 32)."""
