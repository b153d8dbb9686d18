"""Tables and fields of Open Referral HSDS 3 (tabular JSON) that the directory uses: kept, refused, and our codes in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

NAMESPACE = uuid.UUID("6ba7b814-9dad-11d1-80b4-00c04fd430c8")
"""Namespace of the ids of all rows: the same agency has the same id in every export."""
SCHEME, AREA = "referral", "urn:referral:area:"
"""SCHEME names our ids and codes; AREA and a word of `covers` is the uri of a service area."""
KEPT: Mapping[str, tuple[str, ...]] = {
    "organization": ("id", "name", "description", "parent_organization_id"),
    "organization_identifier": ("id", "organization_id", "identifier_scheme", "identifier_type", "identifier"),
    "service": ("id", "organization_id", "name", "alternate_name", "status", "minimum_age", "maximum_age"),
    "phone": ("id", "organization_id", "number"),
    "service_area": ("id", "service_id", "name", "uri"),
    "schedule": ("id", "service_id", "freq", "byday", "opens_at", "closes_at", "description"),
    "service_capacity": ("id", "service_id", "unit_id", "available", "maximum", "updated"),
    "unit": ("id", "name"),
    "language": ("id", "service_id", "name", "code", "note"),
    "attribute": ("id", "link_id", "link_entity", "link_type", "taxonomy_term_id", "value"),
    "taxonomy": ("id", "name", "description"),
    "taxonomy_term": ("id", "code", "name", "description", "taxonomy_id"),
}
"""Tables in the order of the export, and the fields of each; tests compare them with the published schema."""
NUMBERS = ("minimum_age", "maximum_age", "available", "maximum")
OPTIONAL = ("parent_organization_id", "minimum_age", "maximum_age", "value")
PERSONS: Mapping[str, str] = {
    "address": "no address is ever stored",
    "location": "no location is ever stored",
    "service_at_location": "no location is ever stored",
    "accessibility": "it describes a location, and none is ever stored",
    "contact": "no person is ever stored; `referral duty show` lists the shifts",
    "email": "no e-mail address is ever stored in the directory",
    "assurer_email": "no e-mail address is ever stored in the directory",
    "website": "no address is ever stored, also none of the web",
    "url": "no address is ever stored, also none of the web",
    "logo": "no address is ever stored, also none of the web",
    "extent": "no shape on a map is ever stored",
}
"""Tables and fields that may contain a location or a person, and the text of the fault about each."""
DAYS: Mapping[str, str] = {"mon": "MO", "tue": "TU", "wed": "WE", "thu": "TH", "fri": "FR", "sat": "SA", "sun": "SU"}
KINDS: Mapping[str, tuple[str, ...]] = {
    "organization": ("name", "municipality", "reach", "language", "ladder", "hours", "desk", "unverified"),
    "service": ("role", "tag", "sex"),
}
"""Kinds of attributes (their link_type), by the table that they link to."""


def row_id(*parts: str) -> str:
    """Return the id of a row, from its table and the words that name it there."""
    return str(uuid.uuid5(NAMESPACE, ":".join(parts)))


def iso(language: str) -> str:
    """Return the ISO 639 code of one of our language codes; `mis` is ISO's word for a language without a code."""
    return "mis" if language == "other" else language.partition("-")[0]
