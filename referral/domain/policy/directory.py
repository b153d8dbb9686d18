"""Values of the directory: agencies and their services, municipalities, and the sections of the case file with their fields. Names in four
languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from referral.domain.events import Reach
from referral.domain.policy.form import Table

LANGUAGES = ("sq", "sr-Latn", "sr-Cyrl", "en")
Names = Mapping[str, str]


FIELD_TYPES = {"line": 200, "text": 5_000, "date": 0, "choice": 0, "yes-no": 0, "telephone": 30, "number": 0}
"""Types of a field of the case file, with the characters of an entry where the field sets no limit (ours); 0: it is not limited by them.
E.164 allows 15 digits of a telephone number; 30 leave room for spaces and an extension."""
MOST = 10_000
"""Characters of one field (ours): a few pages."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a section.

    type: a key of FIELD_TYPES.
    most: characters that an entry may have; 0 where the type has no such limit.
    of: the code list of a choice, else empty.
    """

    id: str
    type: str
    names: Names
    hints: Names
    most: int
    of: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the case file. personal: it can reveal who the person is. fields: those of its form; what systems send may have others.

    table: what the answers of its form point to; then each agency fills a form of its own, and all stand side by side.
    """

    id: str
    personal: bool
    names: Names
    fields: tuple[Field, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """Office hours of an agency. days: 0 is Monday; opens and closes: µs after local midnight. Closed on the holidays of the calendar."""

    days: tuple[int, ...]
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signing key of an agency. id: `name+8 hex digits`, the name that a signature gives it. public: 32 bytes of Ed25519."""

    id: str
    public: bytes


@dataclass(frozen=True, slots=True)
class Signing:
    """Signing rules of an agency. must: intake accepts records of its systems only with a signature. People in the inbox and desks on the
    telephone sign nothing. vouched: signatures by older keys of the agency over new ones."""

    must: bool = False
    keys: tuple[SigningKey, ...] = ()
    vouched: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency that answers offers.

    ladder: its rungs, lowest first.
    desk: it gets the cases that no rule can place.
    above: its supervising body, or empty.
    hours: its office hours; None is day and night.
    unverified: nobody vouches for what it refers, so that a desk confirms it first (the public page).
    telephone: of its office, E.164; empty where none is known, and always where people are kept safe (HOME).
    """

    id: str
    names: Names
    municipality: str
    reach: Reach
    ladder: tuple[str, ...]
    languages: tuple[str, ...]
    desk: bool
    above: str
    hours: Hours | None = None
    signing: Signing = Signing()
    unverified: bool = False
    telephone: str = ""


HOMES_BEFORE = frozenset(
    {
        "adult-shelter",
        "child-protection-home",
        "children-shelter",
        "children-shelter-with-protection",
        "emergency-foster",
        "foster-family",
        "institution",
        "ngo-shelter",
        "parent-child-shelter",
        "small-home",
        "state-secure-facility",
    }
)
"""The roles that are homes in a bundle of before version 5 of the rules, whose code list of roles has no word `home`."""
HOME, LOCKED, JUDGES, SLEEPS = "role.home", "role.locked", "role.judges", "role.sleeps"
OLD, GRAVE, FACT = "age-band.old", "decision.grave", "decision.fact"
"""Properties of codes, as the code lists name them. home: people are kept safe there, so that not even its municipality is exported, and
it has no telephone in the directory. locked: people are locked up there. judges: it decides as a court. sleeps: a person can sleep
there, though it is no home. old: still read, no longer offered. grave: it takes a child away, locks it up or sends it back, and nobody
decides it alone. fact: it states what somebody must have seen or heard, and no silence decides it."""


@dataclass(frozen=True, slots=True)
class Municipality:
    """One of the 38 municipalities.

    region: of the figures, and of services without a kind of area of their own.
    desk: an agency. coordinator: an agency, or empty where there is none.
    areas: kind → the area of this kind in which it lies, such as court-district → gjakove.
    """

    id: str
    names: Names
    region: str
    neighbours: tuple[str, ...]
    desk: str
    coordinator: str
    areas: Mapping[str, str] = field(default_factory=dict)

    @property
    def covers(self) -> tuple[str, ...]:
        """Return the cover words of all areas in which it lies, its region first."""
        return (f"region:{self.region}", *(f"{kind}:{area}" for kind, area in self.areas.items()))


@dataclass(frozen=True, slots=True)
class Service:
    """One service of an agency in an area.

    covers: municipality ids, `region:<id>`, `<kind>:<id>` for an area of a kind, or `country`.
    places: None where it has no capacity limit.
    ages: the youngest and the oldest, years.
    """

    id: str
    agency: str
    roles: frozenset[str]
    tags: frozenset[str]
    covers: frozenset[str]
    ages: tuple[int, int]
    sexes: frozenset[str]
    places: int | None


@lru_cache(256)
def years(age: str, band: str) -> tuple[int, int]:
    """Return the range of years that a case's age codes allow: `12-14` is (12, 14); unknown is 0 to 17 for a child, 18 to
    120 for an adult."""
    low, _, high = band.partition("-")
    if low.isdigit() and high.isdigit():
        return int(low), int(high)
    return (18, 120) if age == "adult" else (0, 17)
