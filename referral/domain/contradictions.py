"""Find traits of one person that cannot both hold. HTTP and Kafka entry points refuse them: only the sender knows which of the two is
wrong, and a guess may take a child for an adult, whom nobody asks without consent.

Left out on purpose: a concern beside an age (the case goes to a desk), custody at any age (it happens, and must be reported), a child who
is far from home in its own municipality.
"""

from __future__ import annotations

from msgspec import Struct

from referral.domain.events import Traits

ADULT_FROM = 18
"""Years (Convention on the Rights of the Child, article 1)."""
INFANT_UNTIL = 5
"""Years: nobody up to this age is pregnant (P)."""


class Contradiction(Struct, frozen=True, kw_only=True):
    """Two fields of the traits, and the reason why their values exclude each other: in words, without the values."""

    one: str
    other: str
    why: str


def fits(age: str, band: str) -> bool:
    """Return True when somebody of this age can be in this band. An unknown band fits every age; an uncertain age is a child's (D)."""
    low, _, high = band.partition("-")
    if not (low.isdigit() and high.isdigit()):
        return True
    return int(high) >= ADULT_FROM if age == "adult" else int(low) < ADULT_FROM


def contradictions(traits: Traits) -> tuple[Contradiction, ...]:
    """Return every pair of traits that cannot both hold; empty when the traits are in order."""
    flags, high = set(traits.flags), traits.age_band.partition("-")[2]
    found = (
        (not fits(traits.age, traits.age_band), "age", "age_band", "nobody of this age is in this age band"),
        (
            traits.age == "adult" and "unaccompanied" in flags,
            "age",
            "flags",
            "one of the flags is a child's alone (CRC General Comment 6, 7)",
        ),
        (traits.origin == "domestic" and traits.asylum == "claimed", "origin", "asylum", "nobody claims asylum in their own country"),
        (
            traits.sex == "male" and "pregnant" in flags,
            "sex",
            "flags",
            "one of the flags excludes this word; where neither sex fits, send other",
        ),
        (
            high.isdigit() and int(high) <= INFANT_UNTIL and "pregnant" in flags,
            "age_band",
            "flags",
            "one of the flags excludes children this young",
        ),
    )
    return tuple(Contradiction(one=one, other=other, why=why) for wrong, one, other, why in found if wrong)
