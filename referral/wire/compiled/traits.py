"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Traits
from referral.wire import atoms


def read_v1(d: bytes, i: int) -> tuple[Traits, int]:
    """traits.v1"""
    f_concern = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_age = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_age_band = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_sex = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_found_in = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_home = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_urgency = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_origin = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_asylum = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    if d[i]:
        f_languages, i = atoms.codes(d, i)
    else:
        f_languages = ()
        i += 1
    if d[i]:
        f_flags, i = atoms.codes(d, i)
    else:
        f_flags = ()
        i += 1
    return Traits(concern=f_concern, age=f_age, age_band=f_age_band, sex=f_sex, found_in=f_found_in, home=f_home, urgency=f_urgency, origin=f_origin, asylum=f_asylum, languages=f_languages, flags=f_flags), i


def write(x: Traits) -> bytes:
    """traits.v1"""
    return b"".join((
        atoms.CODES[x.concern],
        atoms.CODES[x.age],
        atoms.CODES[x.age_band],
        atoms.CODES[x.sex],
        atoms.CODES[x.found_in],
        atoms.CODES[x.home],
        atoms.CODES[x.urgency],
        atoms.CODES[x.origin],
        atoms.CODES[x.asylum],
        atoms.codes_bytes(x.languages),
        atoms.codes_bytes(x.flags),
    ))
