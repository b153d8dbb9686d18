"""View of the guidance of a step: the texts that the page shows to the person who does it. Pure.

The texts and their binding to steps are those of the newest policy bundle, for running procedures too (docs/decisions/0032-guidance.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from referral.domain.policy import Policy
from referral.domain.policy.guidance import HEADINGS, WRITTEN, Guidance, Source
from referral.runtime import i18n
from referral.runtime.i18n import Words

_FOLDED = ("never", "ask", "say", "call")


@dataclass(frozen=True, slots=True)
class Part:
    """One section of a text."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """One text. do: what to do now, always open. more: the other sections. read_in: the public documents, in English."""

    title: str
    do: Part
    more: tuple[Part, ...]
    more_label: str
    read_in: tuple[str, ...]
    version: str
    unread: str


@dataclass(frozen=True, slots=True)
class GuidanceView:
    """The values that the page shows. spoken: what to say on the telephone, word for word, of the first text."""

    texts: tuple[Text, ...]
    spoken: Part


def view(policy: Policy, bundle: int, pathway: str, step: str, say: Words, reach: str = "system") -> GuidanceView | None:
    """Return the guidance of a step in the reader's language; None where the policy has none.

    bundle: number of the policy's bundle. reach: one of REACHES, of the office to which the reader speaks on the telephone.
    """
    texts = [policy.guidance[code][written(say.language)] for code in policy.guiding(pathway, step)]
    if not texts:
        return None
    return GuidanceView(
        texts=tuple(_text(text, policy, bundle, say, reach) for text in texts),
        spoken=_part(texts[0], "say", say, reach),
    )


def written(language: str) -> str:
    """Return the language in which a text for this language is written: Serbian in Cyrillic is made from the Latin."""
    return language if language in WRITTEN else "sr-Latn"


def _text(text: Guidance, policy: Policy, bundle: int, say: Words, reach: str) -> Text:
    title = _script(text.title, say)
    documents = dict.fromkeys(advice.source for lines in text.sections.values() for advice in lines if advice.source)
    return Text(
        title=title,
        do=_part(text, "do", say, reach),
        more=tuple(_part(text, section, say, reach) for section in _FOLDED),
        more_label=say("guidance.more", title=title),
        read_in=tuple(_named(policy.sources[id]) for id in documents),
        version=say("guidance.version", version=text.version, bundle=bundle),
        unread="" if text.read else say("guidance.unread"),
    )


def _part(text: Guidance, section: str, say: Words, reach: str) -> Part:
    lines = (advice.text for advice in text.sections[section] if advice.reach in ("", reach))
    return Part(_script(HEADINGS[section][text.language], say), tuple(_script(line, say) for line in lines))


def _script(text: str, say: Words) -> str:
    return i18n.cyrillic(text) if say.language == "sr-Cyrl" else text


def _named(source: Source) -> str:
    return f"{source.title}. {source.body}, {source.year}"
