"""Write the page of the guidance, docs/reference/guidance.md: each step with its texts, each text with its versions, and the sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from referral.domain.policy import Policy
from referral.domain.policy.guidance import HEADINGS, WRITTEN, Guidance

PAGE = "docs/reference/guidance.md"
_FILES = "../../policy/guidance"
_ENDONYMS = {"sq": "Shqip", "sr-Latn": "Srpski", "en": "English"}


def page(policy: Policy, made: str) -> str:
    """Return the Markdown page. made: the first line, which says that it is generated."""
    bound = [step for pathway in policy.current for step in pathway.asking]
    lines = [line for written in policy.guidance.values() for text in written.values() for line in _lines(text)]
    unread = sum(not text.read for written in policy.guidance.values() for text in written.values())
    return "\n".join(
        [
            made,
            "",
            "# The guidance",
            "",
            f"{len(bound)} steps in {len(policy.current)} procedures, each with 1 to 3 of {len(policy.guidance)} texts; each text in",
            f"{', '.join(_ENDONYMS.values())} (Serbian in Cyrillic is made from the Latin letter by letter).",
            f"{unread} of the {len(policy.guidance) * len(WRITTEN)} files were not yet read by a native reader.",
            "",
            "Each line has its mark: **S** stated by the source page, **D** read in a public document (below), **P** our default,",
            "never law. A domain expert should confirm each P.",
            "",
            *_table(("procedure", "step", *(_ENDONYMS[language] for language in WRITTEN)), _steps(policy)),
            "",
            "## Texts",
            "",
            *_table(("text", *_ENDONYMS.values(), "S", "D", "P"), _texts(policy)),
            "",
            f"All lines in all languages: {len(lines)}.",
            "",
            "## Sources",
            "",
            *_table(("id", "document", "body", "year", "texts"), _sources(policy)),
            "",
        ]
    )


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> list[str]:
    titles = tuple(head)
    return [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def _steps(policy: Policy) -> Iterator[tuple[str, ...]]:
    for pathway in policy.current:
        for step in pathway.asking:
            texts = (", ".join(policy.guidance[code][language].title for code in step.guidance) for language in WRITTEN)
            yield policy.names("pathway", pathway.id, "en"), f"{policy.names('step', step.id, 'en')} (`{step.id}`)", *texts


def _texts(policy: Policy) -> Iterator[tuple[str, ...]]:
    for code, written in policy.guidance.items():
        marks = [mark for mark, _ in _lines(written["en"])]
        versions = (f"[version {written[language].version}]({_FILES}/{code}.{language}.md)" for language in WRITTEN)
        yield f"`{code}`", *versions, *(str(marks.count(mark)) for mark in "SDP")


def _sources(policy: Policy) -> Iterator[tuple[str, ...]]:
    for source in policy.sources.values():
        using = [code for code, written in policy.guidance.items() if any(id == source.id for _, id in _lines(written["en"]))]
        yield f"`{source.id}`", source.title, source.body, str(source.year), ", ".join(using)


def _lines(text: Guidance) -> list[tuple[str, str]]:
    """Return the mark and the source of each line."""
    return [(advice.mark, advice.source) for section in HEADINGS for advice in text.sections[section]]
