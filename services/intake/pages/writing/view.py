"""Views of the case file: the content of a section with labels, the list of sections with who wrote them, and the form of one section.
Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from referral.domain.policy.directory import Field, Section
from referral.runtime.i18n import Words
from services.intake.casefile import fields, notes
from services.intake.casefile.fields import UNKNOWN, YES_NO, Codes
from services.intake.casefile.sections import Writing
from services.intake.messages.timestamps import micros
from services.intake.pages import labels, relative_time
from services.intake.pages.labels import Name

SHOWN = 10
"""Versions of one section that the list shows (ours); the newest come first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A section in the list. writes: the person may write it. draft: when their draft was kept, in words. versions: (number, in words), the
    newest first. grows: each of them is an entry, and all are read together."""

    id: str
    title: str
    writes: bool
    draft: str
    versions: tuple[tuple[int, str], ...]
    more: int
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """One entry of a section that only grows. line: agency and time. struck: it holds no more. mine: the reader's agency may strike it."""

    number: int
    line: str
    struck: bool
    mine: bool
    content: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a form.

    options: (code, name) of a choice.
    theirs: what another person wrote meanwhile; shown is False where there is nothing to choose.
    taken: another person changed it, and this form has their text.
    """

    id: str
    type: str
    label: str
    hint: str
    most: int
    value: str
    error: str = ""
    options: tuple[tuple[str, str], ...] = ()
    clash: bool = False
    theirs: str = ""
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a section. since: the version with which it began. further: what it cannot hold, as it was sent."""

    section: str
    title: str
    since: int
    entries: tuple[Entry, ...]
    further: Mapping[str, Any] = field(default_factory=dict)
    last: str = ""
    draft: str = ""


def content(section: Section | None, stored: Any, name: Name, say: Words, codes: Codes) -> Any:
    """Return the content of a section for the page: labels for field names, names for codes, and below them what a form cannot hold, as it
    was sent."""
    if section is None or not section.fields or not isinstance(stored, Mapping):
        return labels.content("" if section is None else section.id, stored, name)
    texts = fields.entries(section, stored, codes)
    shown: dict[str, Any] = {
        _label(entry.names, say): _shown(entry, texts[entry.id], name, say) for entry in section.fields if texts[entry.id]
    }
    further = fields.further(section, stored, codes)
    return shown | ({say("write.further"): further} if further else {})


def recorded(stored: Mapping[str, Any] | None, name: Name, say: Words, now: int) -> dict[str, Any]:
    """Return texts that were recorded with decisions under the step and the time of each. stored: as `sections.recorded` keeps them."""
    shown: dict[str, Any] = {}
    for key, content in (stored or {}).items():
        at, _, step = key.partition(" ")
        label = f"{name('step', step)} · {relative_time.clock(say, micros(datetime.fromisoformat(at)), now)}"
        while label in shown:  # decided twice in one minute
            label += " ·"
        shown[label] = content
    return shown


def notes_of(
    entries: Iterable[notes.Entry], section: Section | None, agency: str, say: Words, name: Name, codes: Codes, now: int
) -> tuple[Note, ...]:
    """Return the entries of a section that only grows, the newest first. agency: the reader's own."""
    found = [
        Note(
            number=entry.version,
            line=f"{name('agency', entry.agency) if entry.agency else say('write.referrer')} · "
            f"{relative_time.clock(say, micros(datetime.fromisoformat(entry.at)), now)}",
            struck=entry.struck,
            mine=entry.agency == agency and not entry.struck,
            content=content(section, entry.content, name, say, codes),
        )
        for entry in entries
    ]
    return tuple(reversed(found))


def rows(
    sections: Sequence[str],
    writable: Collection[str],
    drafts: Mapping[str, int],
    history: Mapping[str, Sequence[Writing]],
    hidden: Collection[str],
    agency: str,
    say: Words,
    name: Name,
    now: int,
) -> list[Row]:
    """Return the list of the sections that the person may read.

    hidden: agencies that the reader may not learn of, because they referred the case.
    agency: the reader's own, of which logins are shown.
    """
    found = []
    for section in sections:
        writings = history.get(section, ())
        found.append(
            Row(
                id=section,
                title=name("section", section),
                writes=section in writable,
                draft=say("write.draft", time=relative_time.clock(say, drafts[section], now)) if section in drafts else "",
                versions=tuple((one.version, written(one, hidden, agency, say, name, now)) for one in writings[:SHOWN]),
                more=max(0, len(writings) - SHOWN),
                grows=section in notes.GROWS,
            )
        )
    return found


def written(writing: Writing, hidden: Collection[str], agency: str, say: Words, name: Name, now: int) -> str:
    """Return one line about a version: its number, its agency, in the reader's own agency the person, and the time."""
    who = say("write.referrer") if writing.agency in hidden and writing.agency != agency else name("agency", writing.agency)
    person = f" · {writing.login or say('sent.system')}" if writing.agency == agency else ""
    return f"{say('write.version', number=writing.version)} · {who}{person} · {relative_time.clock(say, writing.at, now)}"


def form(
    section: Section,
    values: Mapping[str, str],
    since: int,
    say: Words,
    name: Name,
    codes: Codes,
    *,
    errors: Mapping[str, str] | None = None,
    merged: fields.Merged | None = None,
    further: Mapping[str, Any] | None = None,
    last: str = "",
    draft: str = "",
) -> Form:
    """Return the form of a section. values: field → text. errors: as `fields.Parsed`. merged: with a version that came meanwhile."""
    clashes, taken = (merged.clashes, merged.taken) if merged else ({}, ())
    entries = tuple(
        Entry(
            id=one.id,
            type=one.type,
            label=_label(one.names, say),
            hint=_label(one.hints, say) if one.hints else "",
            most=one.most,
            value=values.get(one.id, ""),
            error=say(f"write.error.{errors[one.id]}", count=one.most) if errors and one.id in errors else "",
            options=_options(one, name, say, codes),
            clash=one.id in clashes,
            theirs=_shown(one, clashes.get(one.id, ""), name, say) or say("write.nothing"),
            taken=one.id in taken,
        )
        for one in section.fields
    )
    title = name("section", section.id)
    return Form(section=section.id, title=title, since=since, entries=entries, further=further or {}, last=last, draft=draft)


def _label(names: Mapping[str, str], say: Words) -> str:
    return names.get(say.language) or names["en"]


def _options(entry: Field, name: Name, say: Words, codes: Codes) -> tuple[tuple[str, str], ...]:
    if entry.type == "yes-no":
        return tuple((word, _yes_no(word, say)) for word in YES_NO)
    return tuple(sorted(((code, name(entry.of, code)) for code in codes.get(entry.of, ())), key=lambda pair: pair[1].casefold()))


def _yes_no(word: str, say: Words) -> str:
    return say("write.unknown") if word == UNKNOWN else say(word)


def _shown(entry: Field, text: str, name: Name, say: Words) -> str:
    """Return a text of the form as people read it."""
    if not text:
        return ""
    match entry.type:
        case "choice":
            return name(entry.of, text)
        case "yes-no":
            return _yes_no(text, say)
        case "date":
            return date.fromisoformat(text).strftime("%d.%m.%Y")
        case _:
            return text
