"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Traits
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[Traits, int]:
    """traits.v1"""
    f_concern = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_age = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_age_band = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_sex = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_found_in = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_home = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_urgency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_origin = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_asylum = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    if d[i]:
        f_languages, i = avro.codes(d, i)
    else:
        f_languages = ()
        i += 1
    if d[i]:
        f_flags, i = avro.codes(d, i)
    else:
        f_flags = ()
        i += 1
    return Traits(concern=f_concern, age=f_age, age_band=f_age_band, sex=f_sex, found_in=f_found_in, home=f_home, urgency=f_urgency, origin=f_origin, asylum=f_asylum, languages=f_languages, flags=f_flags), i


def write(x: Traits) -> bytes:
    """traits.v1"""
    return b"".join((
        avro.CODES[x.concern],
        avro.CODES[x.age],
        avro.CODES[x.age_band],
        avro.CODES[x.sex],
        avro.CODES[x.found_in],
        avro.CODES[x.home],
        avro.CODES[x.urgency],
        avro.CODES[x.origin],
        avro.CODES[x.asylum],
        avro.codes_bytes(x.languages),
        avro.codes_bytes(x.flags),
    ))
