"""Each mark of the policy holds: S quotes the source page, D names a document that was read, and the place (docs/policy.md, "Marks")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from tests.harness.source_page import FILE, HEX, LONGEST, TOGETHER, digests, is_on_page, words

ROOT = Path(__file__).parents[3]
PAGE = FILE.read_text("ascii").split()
MARK = re.compile(r"(?<![\w’'./-])[SDP](?![\w’'/-])")
QUOTED = re.compile(r'S "([^"]+)"')
NAMED = re.compile(r"D \(([^()]+)\)")
LIMIT = re.compile(r"\b[1-9][0-9]* (?:min|h|days|working days) ([SDP])\b")
LINE = re.compile(r"- .* \[([SDP])(?: ([a-z0-9-]+)(?: ([^\[\]]+))?)?\]")
RANGE = re.compile(r"\b(\d+)(?:-(\d+))?\b")


@dataclass(frozen=True, slots=True)
class Document:
    """One row of the table of documents. ids: in the guidance. read: as the table says it. articles: those that were read; None: all."""

    key: str
    ids: tuple[str, ...]
    read: str
    articles: frozenset[int] | None

    def lacks(self, place: str) -> str:
        """Return what is wrong with a place in this document, or nothing."""
        if not place:
            return "" if self.read.startswith("the page") else f"{self.key} without a place"
        if self.articles is None:
            return ""
        unread = set(_articles(re.sub(r"(\d)\.[\d.]+", r"\1", place))) - self.articles
        return f"{self.key} {place}: article {min(unread)} was not read" if unread else ""


def _articles(said: str) -> Iterator[int]:
    for first, last in RANGE.findall(said):
        yield from range(int(first), int(last or first) + 1)


def documents() -> list[Document]:
    """Return the rows of the table in docs/policy.md."""
    page = (ROOT / "docs" / "policy.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z]+)` \|((?: `[a-z0-9-]+`)*) +\|.*\| ([^|]+) \|$", page, re.M)
    return [
        Document(key, tuple(re.findall(r"[\w-]+", ids)), read, frozenset(_articles(read)) if read.startswith("articles ") else None)
        for key, ids, read in rows
    ]


KEYS = {document.key: document for document in documents()}
IDS = {id: document for document in documents() for id in document.ids}


def parts(line: str) -> tuple[str, str]:
    """Return a line of YAML before its comment, and its comment."""
    for at in (match.start() for match in re.finditer(r"(?:^|(?<=\s))#", line)):
        if line.count('"', 0, at) % 2 == 0:
            return line[:at], line[at + 1 :]
    return line, ""


def wrong_in_yaml(line: str) -> list[str]:
    """Return what is wrong with the marks of a line of YAML."""
    code, comment = parts(line)
    unquoted = re.sub(r'"[^"]*"', lambda quote: " " * len(quote[0]), comment)
    found = [problem for mark in MARK.finditer(unquoted) for problem in _wrong_mark(mark[0], comment[mark.start() :])]
    for mark in LIMIT.findall(code):
        if mark != "P" and not {"S": QUOTED, "D": NAMED}[mark].search(comment):
            found.append(f"a limit with mark {mark}, and no {mark} in the comment of its line")
    return found


def _wrong_mark(mark: str, rest: str) -> Iterator[str]:
    if mark == "S":
        if (quote := QUOTED.match(rest)) is None:
            yield "S without a quote"
        elif not TOGETHER <= len(words(quote[1])) <= LONGEST:
            yield f"S quotes {len(words(quote[1]))} words; {TOGETHER} to {LONGEST} are expected"
        elif not is_on_page(quote[1], PAGE):
            yield "S quotes what is not on the page"
    elif mark == "D":
        named = NAMED.match(rest)
        for one in named[1].split(";") if named else ():
            key, _, place = one.strip().partition(" ")
            if problem := KEYS[key].lacks(place) if key in KEYS else f"D names {key}, which docs/policy.md does not":
                yield problem
        if named is None:
            yield "D without document and place"


def wrong_in_guidance(line: str) -> list[str]:
    """Return what is wrong with the mark of a line of guidance; nothing for a line that has none."""
    if (match := LINE.fullmatch(line)) is None:
        return ["a line without a mark"] if line.startswith("- ") else []
    mark, id, place = match.groups("")
    if mark == "S":
        return ["S has no room for its quote here"]
    if mark == "D":
        problem = IDS[id].lacks(place) if id in IDS else f"D names {id}, which docs/policy.md does not"
        return [problem] if problem else []
    return []


def test_every_mark_of_the_policy_holds() -> None:
    found, seen = [], 0
    for path in sorted((ROOT / "policy").rglob("*.*")):
        check = {".yaml": wrong_in_yaml, ".md": wrong_in_guidance}[path.suffix]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            seen += 1
            found += [f"{path.relative_to(ROOT)}:{number}: {problem}" for problem in check(line)]
    assert seen > 5000
    assert found == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ask: iom  # S", "S without a quote"),
        ("ask: iom  # P. S: they are asked", "S without a quote"),
        ('ask: iom  # S "shelter providers"', "S quotes 2 words; 3 to 12 are expected"),
        (
            'ask: iom  # S "one two three four five six seven eight nine ten eleven twelve thirteen"',
            "S quotes 13 words; 3 to 12 are expected",
        ),
        ('ask: iom  # S "IOM and the shelter providers"', "S quotes what is not on the page"),
        ('ask: iom  # S "IOM and shelter Judges and Prosecutors"', "S quotes what is not on the page"),
        ('ask: social-worker  # S "Labour and Social Workers"', "S quotes what is not on the page"),
        ("needs: [reason]  # D", "D without document and place"),
        ("needs: [reason]  # P, D", "D without document and place"),
        ("needs: [reason]  # D, CPL 27.4", "D without document and place"),
        ("needs: [reason]  # D (CPL)", "CPL without a place"),
        ("needs: [reason]  # D (JJC 3.2; CPL)", "CPL without a place"),
        ("needs: [reason]  # D (LAW 26)", "D names LAW, which docs/policy.md does not"),
        ("needs: [reason]  # D (JJC 58-61)", ""),
        ("needs: [reason]  # D (JJC 23-26)", "JJC 23-26: article 24 was not read"),
        ("within: {decide: 24 h D}", "a limit with mark D, and no D in the comment of its line"),
        ("within: {decide: 24 h D}  # P", "a limit with mark D, and no D in the comment of its line"),
        ("within: {decide: 24 h S}", "a limit with mark S, and no S in the comment of its line"),
        ("within: {decide: 24 h D}  # D (JJC 60)", ""),
        ('ask: iom  # P. S "IOM and shelter providers"', ""),
        ('name: "Call # S"  # D (KPC; CPL 26.4), P', ""),
        ("- {area: country, vitamin: D}", ""),
    ],
)
def test_a_mark_that_says_too_little_or_too_much_is_found(line: str, problem: str) -> None:
    assert wrong_in_yaml(line) == [problem] * bool(problem)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("- Sit down. [S]", "S has no room for its quote here"),
        ("- Sit down.", "a line without a mark"),
        ("- Sit down. [D cpl-2019]", "CPL without a place"),
        ("- Sit down. [D cpc-2022 200]", "CPC 200: article 200 was not read"),
        ("- Sit down. [D who-2003 4]", "D names who-2003, which docs/policy.md does not"),
        ("- Call 192. [D ame-2019]", ""),
        ("- Sit down. [D cpl-2019 31.3-31.4, 32]", ""),
        ("- Sit down. [P who-2003]", ""),
        ("## Do now", ""),
    ],
)
def test_a_mark_of_a_line_of_guidance_that_says_too_little_is_found(line: str, problem: str) -> None:
    assert wrong_in_guidance(line) == [problem] * bool(problem)


def test_the_digests_are_those_of_a_page_and_the_page_is_not_here() -> None:
    """Nobody quotes more than twelve words in a row, in the policy or on a page, with or without a mark."""
    assert len(PAGE) > 500 and all(re.fullmatch(rf"[0-9a-f]{{{HEX}}}", digest) for digest in PAGE)
    known = set(PAGE)
    for path in chain((ROOT / "policy").rglob("*.*"), (ROOT / "docs").rglob("*.md"), ROOT.glob("*.md")):
        longest = 0
        for digest in digests(path.read_text("utf-8")):
            longest = longest + 1 if digest in known else 0
            assert longest + TOGETHER - 1 <= LONGEST, path


def test_every_document_is_named_by_a_mark() -> None:
    text = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "policy").rglob("*.*")))
    comments = " ".join(parts(line)[1] for line in text.splitlines())
    named = {one.strip().partition(" ")[0] for inside in NAMED.findall(comments) for one in inside.split(";")}
    assert sorted(KEYS) == sorted(named | {IDS[id].key for id in re.findall(r"\[D ([a-z0-9-]+)", text)})
