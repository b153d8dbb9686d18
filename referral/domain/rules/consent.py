"""Read the person's consent: whether a procedure may go on, which agencies are barred, and which sections an offer may show."""

from __future__ import annotations

from referral.domain.events import Consent, ConsentState
from referral.domain.policy.directory import Service
from referral.domain.policy.procedure import Marks, Pathway, Step
from referral.domain.rules.conditions import consent_mark
from referral.domain.rules.context import DecisionContext

GIVEN = "consent=given"
NOT_YET = frozenset({"consent=unknown", "consent=not-asked"})
"""Marks of consent that nobody has asked for, or nobody can state: a desk finds out."""
MISSING = "consent-missing"
"""A desk task: obtain the consent."""


def agrees(pathway: Pathway, marks: Marks) -> bool:
    """Return True when every step of a procedure may go on: it needs no consent, or has it."""
    return not pathway.consent.needed or GIVEN in marks


def is_withdrawn(pathway: Pathway, marks: Marks) -> bool:
    """Return True when the person has refused or withdrawn consent, or it has expired."""
    return not agrees(pathway, marks) and NOT_YET.isdisjoint(marks)


def is_barred(pathway: Pathway, step: Step, consent: Consent | None, service: Service) -> bool:
    """Return True when the person consented, but not to this agency."""
    if consent is None or not consent.recipients or step.without_consent or not pathway.consent.needed:
        return False
    return consent.state is ConsentState.GIVEN and service.agency not in consent.recipients


def shown(d: DecisionContext, pathway: Pathway, step: Step, sections: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sections that an offer may name: those in the scope of the consent, and without consent none that reveals who the person
    is. One that the policy in force no longer names may reveal it."""
    if not pathway.consent.needed:
        return sections
    consent = d.case.consent
    if consent_mark(consent, d.facts.now) != GIVEN:
        anonymous = pathway.consent.on_withdrawal == "anonymous"
        return tuple(s for s in sections if s in d.policy.sections and not d.policy.sections[s].personal) if anonymous else sections
    if consent is None or not consent.scope or step.without_consent:
        return sections
    return tuple(section for section in sections if section in consent.scope)
