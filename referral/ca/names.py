"""Name the holder of a certificate: a plane, and a name in it that is written as a URI into the certificate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from referral.errors import Rejected

SCHEME = "referral"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST = 63
"""Characters of a name: a common name has 64 at most (RFC 5280, upper bounds). No dot, because OpenSSL takes a common name with a dot
for a host's."""


class Plane(StrEnum):
    """A kind of holder. Each plane has an issuing authority of its own, which can name nobody of another plane."""

    SERVICES = "services"
    AGENCIES = "agencies"
    OPERATORS = "operators"

    @property
    def word(self) -> str:
        """Return the word for one of them: the host part of its URIs, so that a name constraint can hold the plane to it."""
        return WORDS[self]

    @property
    def is_server(self) -> bool:
        """Return True if its certificates may be a server's, with hosts. The others are for clients alone."""
        return self is Plane.SERVICES


WORDS = {Plane.SERVICES: "service", Plane.AGENCIES: "agency", Plane.OPERATORS: "operator"}
PLANES = {word: plane for plane, word in WORDS.items()}


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """The holder of a certificate, for instance service/intake or agency/school-drita."""

    plane: Plane
    name: str

    def __str__(self) -> str:
        return f"{self.plane.word}/{self.name}"

    @property
    def uri(self) -> str:
        """Return the name as it stands in a certificate. It has an authority part: Go refuses a URI without one under a constraint."""
        return f"{SCHEME}://{self}"


def parse(text: str, where: str = "NAME") -> Name:
    """Read service/NAME, agency/NAME or operator/NAME, also as a URI. Rejected: another shape."""
    word, slash, name = text.removeprefix(f"{SCHEME}://").partition("/")
    if word not in PLANES or not slash or not NAME.fullmatch(name) or len(name) > LONGEST:
        hint = f"service/NAME, agency/NAME or operator/NAME; NAME has a to z, digits and single hyphens, at most {LONGEST}"
        raise Rejected("certificate-name", where, hint)
    return Name(PLANES[word], name)
