"""Values of the guidance: short texts for the person who does a step, one for each code and language of policy/guidance/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from referral.domain.policy.reviews import Review

WRITTEN = ("sq", "sr-Latn", "en")
"""Languages in which a text is written. Serbian in Cyrillic is made from the Latin letter by letter, where a page is rendered."""
HEADINGS: Mapping[str, Mapping[str, str]] = {
    "do": {"sq": "Bëni tani", "sr-Latn": "Uradite odmah", "en": "Do now"},
    "never": {"sq": "Kurrë", "sr-Latn": "Nikada", "en": "Never"},
    "ask": {"sq": "Pyesni, dhe mos pyesni", "sr-Latn": "Pitajte, i ne pitajte", "en": "Ask, and do not ask"},
    "say": {"sq": "Thoni në telefon", "sr-Latn": "Recite telefonom", "en": "Say on the telephone"},
    "call": {"sq": "Telefononi", "sr-Latn": "Pozovite", "en": "Call"},
}
"""The sections of every text, in their order, each with its heading."""

REACHES = ("system", "phone")
"""Offices to which a line of *Say on the telephone* is said: those that use the system, and those that only a telephone reaches."""


@dataclass(frozen=True, slots=True)
class Source:
    """A public document that a line was read in. year: of its publication."""

    id: str
    title: str
    body: str
    year: int


@dataclass(frozen=True, slots=True)
class Advice:
    """One line. mark: D read in a public document, P our default, S stated by our source page (in older texts). source: id of the document
    that D was read in, or that P is to be compared with.

    reach: of REACHES, for a line to say to offices of that reach alone; empty: to every office. place: where in the document.
    """

    text: str
    mark: str
    source: str = ""
    reach: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Guidance:
    """One text. version: increased with every change of meaning. review: who has read it as it stands."""

    code: str
    language: str
    title: str
    version: int
    review: Review
    sections: Mapping[str, tuple[Advice, ...]]
