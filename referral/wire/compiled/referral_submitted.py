"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Door, ReferralSubmitted
from referral.wire import avro
from referral.wire.compiled import claim
from referral.wire.compiled import consent
from referral.wire.compiled import signed
from referral.wire.compiled import traits

Door_V1 = {0: Door.UNKNOWN, 2: Door.HTTP, 4: Door.KAFKA, 6: Door.WEB, 8: Door.SYSTEM}
Door_BYTES = {Door.UNKNOWN: b"\x00", Door.HTTP: b"\x02", Door.KAFKA: b"\x04", Door.WEB: b"\x06", Door.SYSTEM: b"\x08"}


def read_v1(d: bytes, i: int) -> tuple[ReferralSubmitted, int]:
    """referral-submitted.v1"""
    f_referral_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_door = Door_V1[d[i]]
    i += 1
    f_opens = avro.BOOLEANS[d[i]]
    i += 1
    f_traits, i = traits.read_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = consent.read_v1(d, i)
    if d[i]:
        f_sections, i = avro.codes(d, i)
    else:
        f_sections = ()
        i += 1
    if d[i]:
        f_excludes, i = avro.codes(d, i)
    else:
        f_excludes = ()
        i += 1
    f_received_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_claim = None
    if n:
        if n != 2:
            avro.fail("union")
        f_claim, i = claim.read_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = signed.read_v1(d, i)
    return ReferralSubmitted(referral_id=f_referral_id, agency=f_agency, door=f_door, opens=f_opens, traits=f_traits, consent=f_consent, sections=f_sections, excludes=f_excludes, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write(x: ReferralSubmitted) -> bytes:
    """referral-submitted.v1"""
    return b"".join((
        avro.ident_bytes(x.referral_id),
        avro.CODES[x.agency],
        Door_BYTES[x.door],
        avro.BOOLEAN_BYTES[x.opens],
        traits.write(x.traits),
        b"\x00" if (v_consent := x.consent) is None else b"\x02" + consent.write(v_consent),
        avro.codes_bytes(x.sections),
        avro.codes_bytes(x.excludes),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + claim.write(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + signed.write(v_signed),
    ))
