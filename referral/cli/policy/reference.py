"""Generate the pages of docs/reference that follow from the policy: `python -m referral.cli.policy.reference [--check]`.

It writes a page and a picture for each procedure, a page of the guidance, the page of rights, and the JSON Schema for editors. They are in
the repository, so that an expert can read and sign them.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from msgspec import structs

from referral.cli.policy.picture import picture, render
from referral.cli.policy.sheet import sheet
from referral.domain.authority import reading, words
from referral.domain.authority.matrix import Cell, Decision, Matrix
from referral.domain.authority.words import STATUS, About, Act, Kind, State, relations
from referral.domain.policy import Policy, PolicyErrors, compile, questions
from referral.domain.policy.guidance import HEADINGS, WRITTEN, Advice, Guidance
from referral.domain.policy.policy import RIGHTS
from referral.domain.policy.reading.json_schema import schema
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

REFERENCE = "docs/reference"
FOLDER, SCHEMA, GUIDANCE, KNOWN, AUTHORITY = (
    f"{REFERENCE}/{name}" for name in ("pathways", "pathway.schema.json", "guidance.md", "known.md", "authority.md")
)
NAMES = {"sq": "Shqip", "sr-Latn": "Srpski", "en": "English"}
Row = tuple[str, ...]


def pages(policy: Policy) -> dict[str, str]:
    """Return path below the project → text, for every file that follows from the procedures and the guidance."""
    text = json.dumps(schema(policy.codes), ensure_ascii=False, indent=1) + "\n"
    files = {SCHEMA: text, f"{FOLDER}/README.md": render("procedures.md", policy=policy)}
    if policy.guidance:
        files[GUIDANCE] = _guidance(policy)
    if policy.questions.each:
        files[KNOWN] = _known(policy)
    for pathway in policy.every:
        folder = "unverified" if pathway.unverified else "pathways"
        files[f"{FOLDER}/{pathway.id}.md"] = render("procedure.md", folder=folder, **structs.asdict(sheet(pathway, policy)))
        files[f"{FOLDER}/{pathway.id}.svg"] = picture(pathway, policy)
    return files


def _guidance(policy: Policy) -> str:
    """Return the page of the guidance: each step with its texts, each text with its versions, and the sources."""
    texts = [text for written in policy.guidance.values() for text in written.values()]
    english = {code: {line.source for line in _lines(written["en"])} for code, written in policy.guidance.items()}
    return render(
        "guidance.md",
        policy=policy,
        bound=[(pathway, step) for pathway in policy.every for step in pathway.asking],
        languages=WRITTEN,
        names=NAMES.values(),
        written=[NAMES[language] for language in WRITTEN],
        states=Counter(text.review.state for text in texts),
        total=sum(len(_lines(text)) for text in texts),
        lines=_lines,
        using={id: [code for code, sources in english.items() if id in sources] for id in policy.sources},
    )


@dataclass(frozen=True, slots=True)
class Known:
    """One fact: its mark, the questions that say it, the pages that ask them, and the places of procedures that test it."""

    mark: str
    asked: tuple[str, ...]
    pages: tuple[str, ...]
    opens: tuple[str, ...]


def known(policy: Policy) -> tuple[Known, ...]:
    """Return every fact that a procedure in force tests, by its mark, with the pages that can say it."""
    tested: dict[str, list[str]] = {}
    for pathway in policy.every:
        for mark, where in questions.conditions(pathway):
            tested.setdefault(mark, []).append(f"{policy.names('pathway', pathway.id, 'en')}: `{where}`")
    found = []
    for mark in sorted(tested):
        asking = _asking(policy, mark)
        asked = dict.fromkeys(words for words, _ in asking)
        pages = dict.fromkeys(page for _, pages in asking for page in pages)
        found.append(Known(mark, tuple(asked), tuple(pages), tuple(tested[mark])))
    return tuple(found)


def _asking(policy: Policy, mark: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return (words, pages) of all that sets a mark."""
    about, trait = policy.questions, mark.partition("=")[0]
    found: list[tuple[str, tuple[str, ...]]] = [("the form itself", ("all",))] if trait in (*questions.BY_FORM, "consent") else []
    for id, one in about.each.items():
        if mark in one.marks or f"{trait}=" in one.marks:
            public = [policy.names("concern", concern, "en") for concern, ids in about.public.items() if id in ids]
            child = [word.names["en"] for word in about.child.values() if id in word.asks]
            staff = any(id in ids for _, ids in about.staff)
            pages = (*(f"all, of “{name}”" for name in public), *(f"child's own, after “{name}”" for name in child))
            found.append((one.names["en"], (*pages, "staff") if staff else pages))
    found += [(word.names["en"], ("child's own",)) for word in about.child.values() if mark.removeprefix("flags=") in word.flags]
    for concern, flags in about.implies.items():
        if mark.removeprefix("flags=") in flags:
            found.append((f"“{policy.names('concern', concern, 'en')}” says it", ("all",)))
    return found


def _known(policy: Policy) -> str:
    """Return the page of what is known."""
    return render("known.md", rows=known(policy), unread=questions.unread(policy.questions, policy.every))


def _lines(text: Guidance) -> list[Advice]:
    return [line for section in HEADINGS for line in text.sections[section]]


def authority_page(matrix: Matrix) -> str:
    """Return the page on which somebody signs who may do what."""
    rules = matrix.rules.values()
    return render(
        "authority.md",
        of=words,
        of_case=[(kind, ("act", "case", *relations(kind)), rows) for kind in Kind if (rows := list(_of_case(matrix, kind)))],
        of_none=[_of_none(matrix, rule.act, rule.by) for rule in rules if rule.about is About.NOTHING],
        acts=[(f"`{rule.act}`", rule.means) for rule in rules],
    )


def _of_case(matrix: Matrix, kind: Kind) -> Iterator[Row]:
    """Yield the rows of one kind of person: states of the case with the same answers share one."""
    for rule in matrix.rules.values() if kind is not Kind.STRANGER else ():
        if rule.about is About.NOTHING or kind not in rule.by:
            continue
        alike: dict[Row, list[State]] = {}
        for state in State:
            signs = tuple(sign(matrix.cells[Cell(rule.act, kind, relation, state)]) for relation in relations(kind))
            alike.setdefault(signs, []).append(state)
        allowed = [(f"`{rule.act}`", ", ".join(states), *signs) for signs, states in alike.items() if set(signs) != {"·"}]
        yield from allowed or [(f"`{rule.act}`", "any", *next(iter(alike)))]


def _of_none(matrix: Matrix, act: Act, by: Iterable[Kind]) -> Row:
    found = {kind: matrix.cells[Cell(act, kind)] for kind in by}
    who = [f"{kind}{_with(one)}" for kind, one in found.items() if one.allows]
    return f"`{act}`", ", ".join(who), ", ".join(f"{kind}: {sign(one)}" for kind, one in found.items() if not one.allows)


def sign(decision: Decision) -> str:
    """Return the sign of one cell."""
    if decision.allows:
        return f"yes{_with(decision)}"
    return {STATUS["unknown"]: "·", STATUS["sign-in"]: "sign in"}.get(STATUS[decision.refusal], "no")


def _with(decision: Decision) -> str:
    return f" ({', '.join(decision.needs)})" if decision.needs else ""


def stale(files: Mapping[str, str]) -> list[str]:
    """Return the paths that differ from the policy, are missing, or belong to no procedure any more."""
    there = {path.relative_to(CHECKOUT).as_posix(): path for path in (CHECKOUT / FOLDER).glob("*.*")}
    changed = [path for path, text in files.items() if not (CHECKOUT / path).exists() or (CHECKOUT / path).read_text("utf-8") != text]
    return sorted({*changed, *(set(there) - set(files))})


def main(arguments: list[str]) -> int:
    """Write or check the pages.

    Return 0 if every page matches the policy; 1 if not, or if the policy has errors (stderr names the remedy).
    """
    try:
        read = policy_digest.read(CHECKOUT / "policy")
        files = pages(compile(read)) | {AUTHORITY: authority_page(reading.read(read[RIGHTS]))}
    except PolicyErrors as error:
        sys.stderr.write(f"{error}\n")
        return 1
    outdated = stale(files)
    if "--check" in arguments:
        if outdated:
            sys.stderr.write(f"stale: {', '.join(outdated)}: run `make generate`\n")
        return 1 if outdated else 0
    for path in outdated:
        target = CHECKOUT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in files:
            target.write_text(files[path], "utf-8")
        else:
            target.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
