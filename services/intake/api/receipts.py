"""Receipts of what intake has taken, each with intake's signature: the times, and the words that it recorded. Pure."""

from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import UNSET, Struct, UnsetType

from referral.domain.durations import SECOND_US
from referral.proof.receipt import PROMISE_S, event_statement, statement
from services.intake.messages.timestamps import when
from services.intake.messages.words import Said
from services.intake.model import LATER, Receipt

"""Microseconds in a second."""


class ReferralReceipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A referral is taken and durable. The same key and body always give the same receipt. logged_by: until when it is in the log; from
    then on a receipt without a proof proves that a promise was broken. signature: intake's, base64 (docs/agencies.md says over what).
    event_digest: of the words that intake has recorded, for a sender that sent one; event_signature: intake's over it, base64.
    file: "later" where only the beginning of the file was stored: deliver each section with PUT /v1/cases/{case_id}/file/{section}."""

    referral_id: str
    case_id: str
    event_id: str
    received_at: str
    logged_by: str
    signature: str
    event_digest: str = ""
    event_signature: str = ""
    file: str = ""


class ActReceipt(Struct, frozen=True, kw_only=True):
    """The receipt of an act: it is taken and durable. The offer, the case or the referral shows what it leads to.

    logged_by, signature, event_digest, event_signature: as of a referral's receipt.
    """

    id: str
    case_id: str
    event_id: str
    received_at: str
    logged_by: str
    signature: str
    event_digest: str | UnsetType = UNSET
    event_signature: str | UnsetType = UNSET


class ConsentReceipt(ActReceipt, frozen=True, kw_only=True):
    """follows: what a refusal or withdrawal does to the help under way, to be told to the person; several where several procedures run.
    continue: help rests on a duty and goes on. anonymous: it goes on without saying who it is. stop: nobody is asked and nobody reads
    any more."""

    follows: tuple[str, ...] = ()


def signed(receipt: Receipt, key: Ed25519PrivateKey, said: Said | None = None) -> dict[str, str]:
    """Return the signed part of every receipt: the case and event, the times, and intake's signature.

    key: intake's own. said: the digest of the words that intake records; with it comes a second signature, so that a program of before
    still checks the first.
    """
    fields = {
        "case_id": receipt.case_id,
        "event_id": receipt.event_id,
        "received_at": when(receipt.received_at),
        "logged_by": when(receipt.received_at + PROMISE_S * SECOND_US),
    }
    if said is not None:
        fields["event_digest"] = said.digest
        fields["event_signature"] = b64encode(key.sign(event_statement(receipt.id, fields))).decode()
    return {**fields, "signature": b64encode(key.sign(statement(receipt.id, fields))).decode()}


def referral_receipt(receipt: Receipt, key: Ed25519PrivateKey, said: Said | None = None) -> ReferralReceipt:
    return ReferralReceipt(referral_id=receipt.id, file=LATER if receipt.later else "", **signed(receipt, key, said))


def act_receipt(receipt: Receipt, key: Ed25519PrivateKey, said: Said | None = None) -> ActReceipt:
    return ActReceipt(id=receipt.id, **signed(receipt, key, said))
