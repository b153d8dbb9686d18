"""Check the agencies' signatures in the events, with the keys of the policy bundle in force at each index. Pure.

A signature covers digests, so this check needs no body; a reader who has the body compares its SHA-256 with the signed one.
"""

from __future__ import annotations

import hashlib

from msgspec import Struct, field

from referral.domain.events import (
    ActorExcluded,
    AnswerWithdrawn,
    ConsentChanged,
    Door,
    InstructionGiven,
    ReferralSubmitted,
    ReferralWithdrawn,
    ResponseSubmitted,
    Scheme,
    Signed,
    TraitsChanged,
    Via,
)
from referral.domain.policy.directory import Signing
from referral.errors import Malformed
from referral.proof.entry import INTAKE
from referral.proof.history.case import Read
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import Report, Weight, finding
from referral.wire import codec, event_digest, event_signature, http_signature
from referral.wire.signed import statements

Sent = (
    ReferralSubmitted
    | ResponseSubmitted
    | AnswerWithdrawn
    | ConsentChanged
    | TraitsChanged
    | ActorExcluded
    | InstructionGiven
    | ReferralWithdrawn
)
RACE_US = 60_000_000
"""Span after the activation of a bundle in which a door may still have judged by the one before (ours; a door learns within a second)."""
SHEETS = ("text/csv", "application/vnd.htcds+json")
"""Content types that hold many referrals; each event repeats their one signature."""


class Signatures(Struct, kw_only=True):
    """The signature check. It takes one record after another. used: SHA-256 of each single-use signature → the event that holds it."""

    bundles: Bundles
    report: Report
    used: dict[bytes, str] = field(default_factory=dict)
    numbers: dict[tuple[str, int], str] = field(default_factory=dict)
    """(agency, the agency's own number of a signed record) → the event."""
    fresh: list[tuple[bytes | tuple[str, int], str]] = field(default_factory=list)
    """Additions of the events so far to both; whoever takes them empties it."""

    def look(self, read: Read) -> None:
        """Check one opened record of a case. Records that no agency sends are ignored."""
        if read.entry.topic != INTAKE or not isinstance(read.body, Sent):
            return
        if read.body.signed is None:
            self._unsigned(read, read.body)
            return
        self.report.counts["signatures"] += 1
        wrong = _wrong(read.meta.case_id, read.body, read.body.signed)
        if wrong:
            self._say(Weight.BAD, "SIGNATURE_WRONG", read, wrong)
        else:
            self._key(read, read.body.signed)
            self._once(read, read.body.signed)
            self._words(read, read.body, read.body.signed)

    def _key(self, read: Read, signed: Signed) -> None:
        """Check that the key was valid at this index. A key listed only before or after it may be a race between door and log."""
        now = self.bundles.at(read.entry.idx)
        if self._has(now, signed):
            self._counted(now, read, signed)
            return
        listed = [number for number in sorted(self.bundles.activated) if self._has(number, signed)]
        if not listed:
            self._say(Weight.BAD, "SIGNATURE_KEY_UNKNOWN", read, f"no bundle of the log ever listed this key for {signed.agency}")
        elif listed[0] > now:
            what = f"its key was listed only later, in bundle {listed[0]}: logged in a race with it, or made afterwards"
            self._say(Weight.UNCHECKED, "SIGNATURE_KEY_LATER", read, what)
        else:
            last = max(number for number in listed if number < now)
            what = f"its key was revoked: bundle {last} is the last that listed it; taken in a race with that, or forged with an old key"
            self._say(Weight.UNCHECKED, "SIGNATURE_KEY_REVOKED", read, what)

    def _words(self, read: Read, body: Sent, signed: Signed) -> None:
        """Check that the event records the words that the agency signed. A signature of before has none: it covers the bytes alone."""
        said = event_digest.claimed(signed)
        if said is None:
            return
        self.report.counts["signed words"] += 1
        if not said.holds(event_digest.words_of_event(body, read.meta.case_id, drill=read.meta.drill)):
            what = f"intake recorded something else than {signed.agency} signed: hold intake to it, and ask {signed.agency} what it sent"
            self._say(Weight.BAD, "SIGNED_OTHERWISE", read, what)

    def _counted(self, now: int, read: Read, signed: Signed) -> None:
        """Check that the listed key counted already when the broker had the record."""
        keys = self.bundles.signing(now, signed.agency)
        later = keys.later(_had(read)) if keys else {}
        if any(key.public == signed.public for key in later):
            what = f"{signed.agency}'s key was changed less than a day before, and no key of before signed the new one: no door takes it"
            self._say(Weight.BAD, "SIGNATURE_KEY_NEW", read, what)

    def _once(self, read: Read, signed: Signed) -> None:
        """Check that one signature covers one event: a message sent twice is accepted once. A file is one signature of many referrals."""
        once: bytes | tuple[str, int]
        if signed.scheme is Scheme.CLOUDEVENT:
            once = signed.agency, signed.sequence
            first = self.numbers.setdefault(once, read.meta.event_id)
        elif http_signature.read(signed.base).get("content-type", "").partition(";")[0].strip().lower() in SHEETS:
            return
        else:
            once = hashlib.sha256(signed.base).digest()
            first = self.used.setdefault(once, read.meta.event_id)
        self.fresh.append((once, read.meta.event_id))
        if first != read.meta.event_id:
            self._say(Weight.BAD, "SIGNATURE_REUSED", read, f"one signature is in two events, also in {first}")

    def _unsigned(self, read: Read, body: Sent) -> None:
        """Check whether the agency had to sign, by the bundle at this index, unless the door may have used the one before."""
        if not _by_system(body):
            return
        number = self.bundles.at(read.entry.idx)
        keys = self.bundles.signing(number, body.agency)
        if keys is None or not keys.at(_had(read)).must:
            return
        changed = number > 1 and not self._signing(number - 1, body.agency).must
        if changed and body.received_at <= self.bundles.since(number) + RACE_US:
            what = f"{body.agency} must sign since bundle {number}; this says that it came before the door heard of it"
            self._say(Weight.UNCHECKED, "SIGNATURE_EARLY", read, what)
        elif not keys.must:
            what = f"a bundle lifted {body.agency}'s duty to sign less than a day before, so it still had to, and this is not signed"
            self._say(Weight.BAD, "SIGNATURE_MISSING", read, what)
        else:
            self._say(Weight.BAD, "SIGNATURE_MISSING", read, f"{body.agency} must sign what its systems send, and this is not signed")

    def _has(self, number: int, signed: Signed) -> bool:
        return any(key.public == signed.public for key in self._signing(number, signed.agency).keys)

    def _signing(self, number: int, agency: str) -> Signing:
        policy = self.bundles.policy(number)
        return policy.agencies[agency].signing if policy and agency in policy.agencies else Signing()

    def _say(self, weight: Weight, code: str, read: Read, what: str) -> None:
        self.report.add_finding(finding(weight, code, read.entry, what))


def _had(read: Read) -> int:
    """Return the latest time by the broker's clock at which a door may have taken the record, µs UTC: clocks differ a little."""
    return read.entry.kafka_time * 1000 + RACE_US


def _by_system(body: Sent) -> bool:
    """Return True if an agency's system sent it: not a person at the inbox, not a desk for a telephone answer, not this system itself."""
    if isinstance(body, ReferralSubmitted):
        return body.door in (Door.HTTP, Door.KAFKA)
    if isinstance(body, ResponseSubmitted) and body.via is Via.PHONE:  # a desk sent it, and the event does not name the desk
        return False
    return getattr(body, "by", None) is None and getattr(body, "recorded_by", None) is None


def _wrong(case_id: str, body: Sent, signed: Signed) -> str:
    """Return the reason that the signature is wrong; "" where it holds and belongs to this event."""
    by_phone = isinstance(body, ResponseSubmitted) and body.via is Via.PHONE
    if signed.agency != body.agency and not by_phone:
        return f"{signed.agency} signed what {body.agency} is said to have sent"
    if signed.scheme is Scheme.CLOUDEVENT:
        return _wrong_record(body, signed)
    if signed.scheme is not Scheme.HTTP:
        return "it is made in a way that this program does not know"
    if not statements.holds(signed.public, signed.signature, signed.base):
        return "it is not the key's signature of what was signed"
    try:
        components = http_signature.read(signed.base)
    except Malformed as error:
        return f"what was signed cannot be read: {error}"
    if components.get("@method") != "POST" or not http_signature.sha256(components.get("content-digest", "")):
        return "it covers no POST, or not its body"
    if isinstance(body, ReferralSubmitted) and body.door is not Door.HTTP:
        return "a request was signed, but it came by another door"
    if components.get("@path") != _path(case_id, body):
        return f"another path was signed than {_path(case_id, body)}"
    return ""


def _wrong_record(body: Sent, signed: Signed) -> str:
    if not isinstance(body, ReferralSubmitted) or body.door is not Door.KAFKA:
        return "a record of ingress was signed, but this came by another door"
    if len(signed.base) % 32 or len(signed.base) < (len(event_signature.CORE) + 1 + 2 * len(event_signature.MANDATORY)) * 32:
        return "what was signed is no list of digests"
    if not statements.holds(signed.public, signed.signature, event_signature.signed_bytes(signed.base)):
        return "it is not the key's signature of what was signed"
    named: dict[str, tuple[str, ...]] = {"specversion": ("1.0",), "topic": (f"ingress.{body.agency}",), "sequence": (str(signed.sequence),)}
    named["type"] = tuple(f"referral.{type_}" for type_ in codec.versions(body.TYPE))  # an agency publishes an older version for years
    for name, values in named.items():
        if event_signature.named(signed.base, name) not in [hashlib.sha256(value.encode()).digest() for value in values]:
            return f"another {name} was signed than {' or '.join(values)}"
    return ""


def _path(case_id: str, body: Sent) -> str:
    """Return the path to which this message is posted."""
    match body:
        case ReferralSubmitted():
            return "/v1/referrals"
        case ResponseSubmitted():
            return f"/v1/offers/{body.offer_id}/responses"
        case AnswerWithdrawn():
            return f"/v1/offers/{body.offer_id}/withdrawal"
        case ReferralWithdrawn():
            return f"/v1/referrals/{body.referral_id}/withdrawal"
        case ConsentChanged():
            return f"/v1/cases/{case_id}/consent"
        case TraitsChanged():
            return f"/v1/cases/{case_id}/traits"
        case ActorExcluded():
            return f"/v1/cases/{case_id}/exclusions"
        case InstructionGiven():
            return f"/v1/cases/{case_id}/instructions"
