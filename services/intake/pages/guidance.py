"""Find the guidance of a step: the texts that the page shows to the person who does it (`guidance.html`). Pure.

The texts and their binding to steps are those of the newest policy bundle, for running procedures too (docs/decisions/0032-guidance.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from referral.domain.policy import Policy
from referral.domain.policy.guidance import HEADINGS, WRITTEN, Guidance, Source
from referral.runtime.i18n import Words


@dataclass(frozen=True, slots=True)
class StepGuidance:
    """The texts of a step. bundle: number of the policy's bundle. reach: one of REACHES, of the office to which the reader speaks on the
    telephone."""

    texts: tuple[Guidance, ...]
    sources: Mapping[str, Source]
    bundle: int
    reach: str

    def heading(self, text: Guidance, section: str) -> str:
        return HEADINGS[section][text.language]

    def lines(self, text: Guidance, section: str) -> list[str]:
        """Return the lines of a section that are for the office."""
        return [advice.text for advice in text.sections[section] if advice.reach in ("", self.reach)]

    def documents(self, text: Guidance) -> list[tuple[Source, str]]:
        """Return the public documents that a text names, each with the places in it."""
        places: dict[str, dict[str, None]] = {}
        for advice in (advice for lines in text.sections.values() for advice in lines if advice.source):
            places.setdefault(advice.source, {}).update({advice.place: None} if advice.place else {})
        return [(self.sources[id], ", ".join(found)) for id, found in places.items()]


def view(policy: Policy, bundle: int, pathway: str, step: str, say: Words, reach: str = "system") -> StepGuidance | None:
    """Return the guidance of a step in the reader's language; None where the policy has none. Cyrillic is made from Latin."""
    language = say.language if say.language in WRITTEN else "sr-Latn"
    texts = tuple(policy.guidance[code][language] for code in policy.guiding(pathway, step))
    return StepGuidance(texts, policy.sources, bundle, reach) if texts else None
