"""Generate docs/reference/authority.md, the page on which somebody signs who may do what, from policy/authority.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from referral.domain.authority.matrix import Cell, Decision, Matrix, Rule
from referral.domain.authority.words import STATUS, About, Kind, Need, Relation, State, relations

PAGE = "docs/reference/authority.md"
MADE = "<!-- GENERATED from policy/authority.yaml by `make generate`. Do not edit. -->"
TOP = """
# Who may do what

Every act of every door, who may do it, and how everybody else is answered: for the data-protection officer who signs it, and for whoever
asks later what held. The table is `policy/authority.yaml`. Every bundle of the policy has it, so the log has what was declared at any time.
What holds is the table of the program's version ([0042](../decisions/0042-authority.md)): who changes the policy changes no right here.

* An agency may stand to a case in several ways. What one of them allows is allowed. Whom the case keeps away stands in no other way.
* The table says who may. Which offer, task or section it is, the doors look up besides: an agency can name its own alone.
* Consent decides for each section of the case file; the procedure says which step reads and writes which: [who sees what](need-to-know.md).
* A conflict (409) is no refusal: the right is there, and the case is not ready for it, for instance because it is held.
* A service does not start with a route that has no act here.
"""
KINDS: Mapping[Kind, str] = {
    Kind.SYSTEM: "an agency's system, by its token",
    Kind.STAFF: "a person of an agency, signed in",
    Kind.HEAD: "the same, who is a head there",
    Kind.COORDINATOR: "the same, at the agency that coordinates a municipality",
    Kind.DESK: "the same, who works its desk",
    Kind.OVERSIGHT: "the same, at oversight's desk",
    Kind.AUDITOR: "an auditor, by token or visit",
    Kind.COMMITTEE: "the Committee or the Adviser, by token or visit",
    Kind.OPERATOR: "an operator at the command line",
    Kind.SERVICE: "a service of this line, or one that it is connected to, by a secret that only it has",
    Kind.STRANGER: "everybody else; everything that a stranger may, all others may",
}
RELATIONS: Mapping[Relation, str] = {
    Relation.SENDER: "has referred the child",
    Relation.WITHDRAWN: "has taken its referral back",
    Relation.HOLDER: "has a step that waits, is taken or is held",
    Relation.TELEPHONED: "the same, and its desk telephones it",
    Relation.DECLINED: "has declined, and routing has not answered yet",
    Relation.HELD: "had a step, which is over",
    Relation.DESK_NOW: "the case stands at this desk",
    Relation.DESK_TASK: "another desk, with an open task of the case",
    Relation.DESK_BEFORE: "a desk whose tasks of the case are all settled",
    Relation.EXCLUDED: "its agency is kept away, and was asked; from reading, if it has accepted a step by law, by two parties (0071)",
    Relation.EXCLUDED_UNASKED: "its agency is kept away, and was never asked",
    Relation.EXCLUDED_PERSON: "this person is kept away, not the agency",
    Relation.EXCLUDED_SENDER: "its agency is kept away, and did nothing but refer the child: sees the case at rest (0080)",
    Relation.NONE: "none of these",
}
STATES: Mapping[State, str] = {
    State.OPEN: "runs",
    State.CLOSED: "is closed",
    State.SEALED: "is closed, and what was written until then is never read again",
    State.ASKED: "is closed, and a person has asked for its erasure",
    State.ERASING: "a second person has approved; keys and rows go once the log says so",
    State.ERASED: "keys and rows are gone",
}
NEEDS: Mapping[Need, str] = {
    Need.RECORD: "the log has it before it takes effect",
    Need.NOTICE: "others of the case are told",
    Need.SECOND_PARTY: "where a duty to the child would end by it, a second agency or a desk says so too",
    Need.SECOND_PERSON: "two persons, each with an own account",
}
SIGNS: Mapping[str, str] = {
    "yes": "allowed; beside it what it needs",
    "·": "refused like a thing that does not exist (404): nobody learns that it does",
    "no": "refused with the reason (403)",
    "sign in": "refused to who is not known (401; a browser is led to the page for signing in)",
}
FOR_SIGNATURE = """## Signed

| | |
|---|---|
| The table of the bundle with the digest | |
| was read and holds, with these exceptions | |
| name, office, date, signature | |
"""


def page(matrix: Matrix) -> str:
    """Return the page."""
    lines = [MADE, *TOP.split("\n"), "## The words", ""]
    for head, words in (("who", KINDS), ("how they stand to the case", RELATIONS), ("the case", STATES), ("with", NEEDS), ("sign", SIGNS)):
        lines += [*_table((head, "meaning"), ((f"`{word}`", text) for word, text in words.items())), ""]
    lines += [
        "## Acts of one case",
        "",
        "In a state of the case without a line everybody is answered as for a thing that does not exist.",
        "",
    ]
    rules = matrix.rules.values()
    for kind in Kind:
        of_case = [rule for rule in rules if rule.about is not About.NOTHING and kind in rule.by]
        if of_case and kind is not Kind.STRANGER:
            lines += [f"### {KINDS[kind]} (`{kind}`)", "", *_of_case(matrix, kind, of_case), ""]
    lines += ["A stranger is told to sign in, whatever the case and whether or not it exists.", "", "## Acts of no one case", ""]
    lines += [*_of_none(matrix, [rule for rule in rules if rule.about is About.NOTHING]), "", "## What each act is", ""]
    lines += [*_table(("act", "meaning"), ((f"`{rule.act}`", rule.means) for rule in rules)), "", FOR_SIGNATURE]
    return "\n".join(lines)


def _of_case(matrix: Matrix, kind: Kind, rules: Sequence[Rule]) -> Iterator[str]:
    columns = relations(kind)
    rows = []
    for rule in rules:
        alike: dict[tuple[str, ...], list[State]] = {}
        for state in State:
            signs = tuple(sign(matrix.cells[Cell(rule.act, kind, relation, state)]) for relation in columns)
            alike.setdefault(signs, []).append(state)
        rows += [(f"`{rule.act}`", ", ".join(states), *signs) for signs, states in alike.items() if set(signs) != {"·"}]
        if len(alike) == 1 and set(next(iter(alike))) == {"·"}:
            rows.append((f"`{rule.act}`", "any", *next(iter(alike))))
    yield from _table(("act", "case", *columns), rows)


def _of_none(matrix: Matrix, rules: Sequence[Rule]) -> Iterator[str]:
    rows = []
    for rule in rules:
        found = {kind: matrix.cells[Cell(rule.act, kind)] for kind in rule.by}
        who = [f"{kind}{_with(one)}" for kind, one in found.items() if one.allows]
        others = [f"{kind}: {sign(one)}" for kind, one in found.items() if not one.allows]
        rows.append((f"`{rule.act}`", ", ".join(who), ", ".join(others)))
    yield from _table(("act", "allowed", "refused"), rows)


def sign(decision: Decision) -> str:
    """Return the sign of one cell."""
    if decision.allows:
        return f"yes{_with(decision)}"
    return {STATUS["unknown"]: "·", STATUS["sign-in"]: "sign in"}.get(STATUS[decision.refusal], "no")


def _with(decision: Decision) -> str:
    return f" ({', '.join(decision.needs)})" if decision.needs else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
