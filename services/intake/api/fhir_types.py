"""FHIR R4 types of a case: only the few types and elements that we fill, spelled as FHIR spells them. Pure."""

from __future__ import annotations

from msgspec import Struct, field

MEDIA = "application/fhir+json"
SYSTEM = "urn:referral:"
"""Start of our code and identifier systems: urn:referral:code:<list of policy/codes.yaml>, urn:referral:id:<what>."""


class Element(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """FHIR has no null and no empty list: what is not there is left out."""


class Coding(Element, frozen=True, kw_only=True, omit_defaults=True):
    """One code of one system."""

    system: str
    code: str


class Meta(Element, frozen=True, kw_only=True, omit_defaults=True):
    """security: HTEST of HL7's v3-ActReason marks an exercise, as FHIR marks test data."""

    security: tuple[Coding, ...]


class CodeableConcept(Element, frozen=True, kw_only=True, omit_defaults=True):
    """A code; its words are in the policy, in four languages."""

    coding: tuple[Coding, ...]


class Identifier(Element, frozen=True, kw_only=True, omit_defaults=True):
    """An opaque id of ours."""

    system: str
    value: str


class Reference(Element, frozen=True, kw_only=True, omit_defaults=True):
    """reference: another entry of the bundle. identifier: somebody who is not in it, by opaque id. type: of what kind."""

    reference: str | None = None
    type: str | None = None
    identifier: Identifier | None = None


class Period(Element, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 3339, UTC."""

    start: str | None = None
    end: str | None = None


class Restriction(Element, frozen=True, kw_only=True, omit_defaults=True):
    """period.end: the next limit."""

    period: Period


class ServiceRequest(Element, frozen=True, kw_only=True, omit_defaults=True, tag_field="resourceType", tag="ServiceRequest"):
    """The case: what is asked for one person. identifier: the case, and your own referrals of it. subject: nobody but an opaque id."""

    id: str
    identifier: tuple[Identifier, ...]
    status: str
    intent: str
    subject: Reference
    authoredOn: str | None = None
    meta: Meta | None = None


class Task(Element, frozen=True, kw_only=True, omit_defaults=True, tag_field="resourceType", tag="Task"):
    """One offer. businessStatus: our own status word. groupIdentifier: its track. restriction: its next limit. owner: the service asked."""

    id: str
    identifier: tuple[Identifier, ...]
    basedOn: tuple[Reference, ...]
    groupIdentifier: Identifier
    status: str
    businessStatus: CodeableConcept
    intent: str
    code: CodeableConcept
    focus: Reference
    for_: Reference = field(name="for")
    authoredOn: str
    performerType: tuple[CodeableConcept, ...]
    owner: Reference
    executionPeriod: Period
    priority: str | None = None
    statusReason: CodeableConcept | None = None
    restriction: Restriction | None = None
    meta: Meta | None = None


class Entry(Element, frozen=True, kw_only=True, omit_defaults=True):
    """fullUrl: urn:uuid: and the resource's id."""

    fullUrl: str
    resource: ServiceRequest | Task


class Bundle(Element, frozen=True, kw_only=True, omit_defaults=True, tag_field="resourceType", tag="Bundle"):
    """FHIR R4, type collection: one ServiceRequest for the case, then a Task for each offer that your agency may see."""

    type: str
    entry: tuple[Entry, ...]
    meta: Meta | None = None
