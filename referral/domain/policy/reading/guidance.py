"""Read the guidance: policy/guidance/<code>.<language>.md, the texts for the person who does a step, and guidance/sources.yaml.

A text has a strict small form, so that each section stands where a tired reader expects it. A bundle without any text was stored
before there was guidance, and is read without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from referral.domain.policy.directory import Names
from referral.domain.policy.guidance import HEADINGS, REACHES, WRITTEN, Advice, Guidance, Source
from referral.domain.policy.reading.code_lists import as_id
from referral.domain.policy.reading.numbers import Numbers, filled
from referral.domain.policy.reading.reader import MARKS, Reader, allowed
from referral.domain.policy.reviews import Review, State

FOLDER = "guidance/"
SOURCES = FOLDER + "sources.yaml"
MOST_CODES = 3
"""Texts of one step (ours, P): more than three screens of a phone nobody reads at night."""
MOST_LINES = 4
"""Lines of one section that one reader is shown (ours, P): as many as a person keeps in mind."""
LONGEST_LINE = 180
"""Characters of one line (ours, P): five lines on a screen of 375 px."""
LARGEST_TEXT = 4096
"""Bytes of one file (ours, P): five full sections need less. A hundred texts stay far below what a bundle may hold."""
_MARK = r"\[(?P<mark>[SDP])(?: (?P<source>[a-z0-9-]+)(?: (?P<place>[^\[\]]+))?)?\]"
_LINE = re.compile(rf"- (?:(?P<reach>system|phone): )?(?P<text>\S.*\S) {_MARK}")
_FORM = "a line is written `- Sit down beside the child. [P]`, or with [P source], or with [D source place]"
_VERSION = re.compile(r"version: ([1-9][0-9]{0,3})")
_NOT_YET = "not yet"
_READER = "native reader: "
"""Beginning of a third line in texts from before there was `reviews.yaml`: a day, or `not yet`."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Texts:
    """All guidance of a policy. texts: code → language → text."""

    texts: Mapping[str, Mapping[str, Guidance]]
    sources: Mapping[str, Source]


def is_text(path: str) -> bool:
    """Return True for a file of guidance that is no YAML."""
    return path.startswith(FOLDER) and path != SOURCES


def has_guidance(files: Mapping[str, bytes]) -> bool:
    """Return True when the bundle holds texts: then every step needs one."""
    return any(map(is_text, files))


def read_guidance(reader: Reader, titles: Mapping[str, Names], reviews: Mapping[str, Review], numbers: Numbers) -> Texts:
    """Return all texts and sources; errors are reported to the reader. titles: the codes of the list `guidance` with their names; reviews:
    path → who has read it; numbers: those that a line may name by a word."""
    if not has_guidance(reader.files):
        return Texts({}, {})
    sources = _sources(reader)
    texts: dict[str, dict[str, Guidance]] = {code: {} for code in titles}
    for path in sorted(filter(is_text, reader.files)):
        code, _, language = path.removeprefix(FOLDER).removesuffix(".md").rpartition(".")
        if not path.endswith(".md") or language not in WRITTEN:
            reader.error(path, 0, f"a text is named <code>.<language>.md, its language one of {', '.join(WRITTEN)}")
        elif code not in titles:
            reader.error(path, 0, f"guidance {code} is not known; {allowed(code, titles)}; add it to guidance in codes.yaml")
        else:
            text = _Text(reader, path, sources, reviews.get(path, Review()), numbers).read(code, language)
            if text.title != (name := titles[code].get(language, "")):
                reader.error(path, 1, f"the title is the code's name in codes.yaml: # {name}")
            texts[code][language] = text
    for code, written in texts.items():
        for language in WRITTEN:
            if language not in written:
                reader.error(f"{FOLDER}{code}.{language}.md", 0, "the file is missing; each code of guidance has a text in each language")
    return Texts(texts, sources)


def _sources(reader: Reader) -> dict[str, Source]:
    found = {}
    for id, node in reader.open(SOURCES).fields(("sources",))["sources"].items():
        get = node.fields(("title", "body", "year"))
        found[as_id(id, node)] = Source(id=id, title=get["title"].word(), body=get["body"].word(), year=get["year"].number(1900, 2100))
    return found


class _Text:
    """One file, line by line. Reading never raises: an error is added with its line."""

    def __init__(self, reader: Reader, path: str, sources: Mapping[str, Source], review: Review, numbers: Numbers) -> None:
        self.reader, self.path, self.sources, self.review, self.numbers = reader, path, sources, review, numbers

    def error(self, line: int, message: str) -> None:
        self.reader.error(self.path, line, message)

    def read(self, code: str, language: str) -> Guidance:
        """Return the text; empty where it cannot be read."""
        data = self.reader.files[self.path]
        if len(data) > LARGEST_TEXT:
            self.error(0, f"the file has {len(data)} bytes; at most {LARGEST_TEXT}: a text for three in the morning is short")
        try:
            lines = data.decode("utf-8").splitlines()
        except UnicodeDecodeError as wrong:
            self.error(data.count(b"\n", 0, wrong.start) + 1, "this is no text in UTF-8; save the file as UTF-8")
            lines = []
        title, version, third = (*lines[:3], "", "", "")[:3]
        if not title.startswith("# "):
            self.error(1, "the first line is the title, e.g. # First contact")
        if (counted := _VERSION.fullmatch(version)) is None:
            self.error(2, "the second line is the version, e.g. version: 1")
        day = third.removeprefix(_READER) if third.startswith(_READER) else _NOT_YET
        if day != _NOT_YET and not _DAY.fullmatch(day):
            self.error(3, f"leave this line out and use `referral policy review`; else it says {_READER}2026-12-01, or {_READER}{_NOT_YET}")
        return Guidance(
            code=code,
            language=language,
            title=title.removeprefix("# "),
            version=int(counted[1]) if counted else 1,
            review=self.review if self.review.state is not State.DRAFTED else Review(read="" if day == _NOT_YET else day),
            sections=self._sections(list(self._content(lines)), language),
        )

    def _content(self, lines: list[str]) -> Iterator[tuple[int, str]]:
        """Yield each line below the first two with its number; empty lines only divide, and so does the day of a native reader."""
        return ((n, line) for n, line in enumerate(lines, 1) if n > 2 and line.strip() and not (n == 3 and line.startswith(_READER)))

    def _sections(self, lines: list[tuple[int, str]], language: str) -> dict[str, tuple[Advice, ...]]:
        """Read the sections. Each stands once, in the order of HEADINGS."""
        known = {HEADINGS[section][language]: section for section in HEADINGS}
        found: dict[str, list[Advice]] = {}
        began: dict[str, int] = {}
        section = ""
        for number, line in lines:
            if line.startswith("## "):
                section = self._heading(number, line.removeprefix("## "), known, found)
                began[section] = number
            elif not section:
                self.error(number, f"a section begins with its heading: ## {next(iter(known))}")
            elif (advice := self._advice(number, line)) is not None:
                if advice.reach and section != "say":
                    self.error(number, f"{advice.reach}: stands only before a line of {HEADINGS['say'][language]}")
                found.setdefault(section, []).append(advice)
        for heading, name in known.items():
            shown = _shown(found.get(name, ()))
            if name not in began:
                self.error(0, f"the section ## {heading} is missing; the sections are: {', '.join(known)}")
            elif min(shown) < 1 or max(shown) > MOST_LINES:
                self.error(began[name], f"{heading} has {min(shown) and max(shown)} lines; 1 to {MOST_LINES} are expected")
        return {name: tuple(found.get(name, ())) for name in HEADINGS}

    def _heading(self, number: int, heading: str, known: Mapping[str, str], found: Mapping[str, object]) -> str:
        """Return the section of a heading; a section out of its order, or twice, is an error."""
        if heading not in known:
            self.error(number, f"section {heading} is not known; {allowed(heading, known)}")
            return heading
        order = list(HEADINGS)
        if found and order.index(known[heading]) <= max(order.index(name) for name in found if name in order):
            self.error(number, f"{heading} stands in the wrong place or twice; the order is: {', '.join(known)}")
        return known[heading]

    def _advice(self, number: int, line: str) -> Advice | None:
        match = _LINE.fullmatch(line)
        if match is None:
            self.error(number, f"{_FORM}; the marks: {', '.join(f'{mark} {says}' for mark, says in MARKS.items())}")
            return None
        mark, source = match["mark"], match["source"] or ""  # S: in texts from before its quotes were held against the page
        if (mark == "D" and not source) or (mark == "S" and source):
            self.error(number, "a mark D names its document, as in [D cpl-2019 26.4]; P may name the one to compare it with; S names none")
        elif source and source not in self.sources:
            self.error(number, f"source {source} is not known; {allowed(source, self.sources)}; add it to {SOURCES}")
        said = filled(match["text"], self.numbers, partial(self.error, number))
        if len(said) > LONGEST_LINE:
            self.error(number, f"the line has {len(said)} characters; at most {LONGEST_LINE}, so that a phone shows it whole")
        return Advice(said, mark, source, match["reach"] or "", match["place"] or "")


def _shown(lines: Sequence[Advice]) -> list[int]:
    """Return how many of these lines each kind of office is told."""
    return [sum(line.reach in ("", reach) for line in lines) for reach in REACHES]
