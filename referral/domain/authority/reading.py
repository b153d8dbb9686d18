"""Read policy/authority.yaml strictly: a word that is not known, a cell without a row and a cell with two are errors with their line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from referral.domain.authority.matrix import Cell, Decision, Matrix, Rule
from referral.domain.authority.words import STATUS, About, Act, Kind, Need, Relation, State
from referral.domain.policy.policy import RIGHTS
from referral.domain.policy.reading.reader import Node, Reader, allowed

W = TypeVar("W", bound=StrEnum)
ANY, ALLOW, DENY, WITH = "any", "allow", "deny", "with"
NAMED = 5
"""Cells without a row that one error names (ours): they mostly miss together."""
Sets = Mapping[str, tuple[str, ...]]


class Words(NamedTuple):
    """The table's own words. sets: name → relations or states. says: name → text for who is refused."""

    sets: Sets
    says: Mapping[str, str]


def read(data: bytes) -> Matrix:
    """Return the table of a file. Raises PolicyErrors with everything that is wrong in it."""
    reader = Reader({RIGHTS: data})
    top = reader.open(RIGHTS).fields(("sets", "says", "acts"))
    words = Words(_sets(top["sets"]), {name: text.word(what="text") for name, text in top["says"].items()})
    acts = dict(top["acts"].items())
    rules: dict[Act, Rule] = {}
    cells: dict[Cell, Decision] = {}
    for name, node in acts.items():
        if name in tuple(Act):
            _act(Act(name), node, acts, words, rules, cells)
        else:
            node.key_error(f"act {name} is not known; {allowed(name, Act)}")
    if missing := [act for act in Act if act not in rules]:
        top["acts"].error(f"acts without rows: {', '.join(missing)}")
    reader.finish()
    return Matrix(rules, cells)


def _sets(node: Node) -> Sets:
    """Return name → relations or states. A name is none of their words."""
    found: dict[str, tuple[str, ...]] = {}
    for name, words in node.items():
        if name in (*Relation, *State, *Kind, ANY):
            words.key_error(f"{name} is a word of its own; a set needs another name")
        found[name] = words.words((*Relation, *State), "relation or state", least=1)
    return found


def _act(act: Act, node: Node, acts: Mapping[str, Node], words: Words, rules: dict[Act, Rule], cells: dict[Cell, Decision]) -> None:
    """Read one act. `like` names another act with the same rows, which has rows of its own."""
    own = node.fields(("means",), ("about", "by", "rows", "like"))
    get = own
    if own["like"].there():
        with_rows = [name for name, other in acts.items() if not other.has("like")]
        like = own["like"].word(with_rows, "act with rows")
        if extra := [word for word in ("about", "by", "rows") if word in own]:
            own[extra[0]].key_error("an act that is like another has no rows of its own")
        get = acts[like].fields(("means", "about", "by", "rows")) if like in with_rows else own
    elif missing := [word for word in ("about", "by", "rows") if word not in own]:
        node.key_error(f"{missing[0]} is missing")
    about = get["about"].word(About, "thing")
    by = tuple(Kind(kind) for kind in get["by"].words(Kind, "kind", least=1) if kind in tuple(Kind))
    rule = rules[act] = Rule(act, About(about) if about in tuple(About) else About.NOTHING, own["means"].word(what="text"), by)
    owned = _rows(rule, get["rows"], words, cells)
    if unowned := [cell for cell in rule.cells() if cell not in owned]:
        more = f" and {len(unowned) - NAMED} more" if len(unowned) > NAMED else ""
        node.key_error(f"cells without a row: {', '.join(_said(cell) for cell in unowned[:NAMED])}{more}")


def _rows(rule: Rule, rows: Node, words: Words, cells: dict[Cell, Decision]) -> dict[Cell, int]:
    """Read the rows of one act into `cells`; return cell → line of its row."""
    there, owned, of_case = frozenset(rule.cells()), dict[Cell, int](), rule.about is not About.NOTHING
    for row in rows.each():
        told = row.fields(("then", *(("is", "in") if of_case else ())), ("who", "says"))
        who = _expanded(told["who"], rule.by, {}, "kind of `by`") if told["who"].there() else rule.by
        stands = _expanded(told["is"], tuple(Relation), words.sets, "relation") if of_case else (None,)
        states = _expanded(told["in"], tuple(State), words.sets, "state") if of_case else (None,)
        decision = _decision(told["then"], told["says"], words.says)
        ours = [cell for kind in who for one in stands for state in states if (cell := Cell(rule.act, kind, one, state)) in there]
        if not ours:
            row.error("this row has no cell: nobody of this kind can stand so to a case")
        for cell in ours:
            if cell in owned:
                row.error(f"{_said(cell)} stands in line {owned[cell]} too")
            owned.setdefault(cell, row.line)
            cells[cell] = decision
    return owned


def _expanded(node: Node, words: Iterable[W], sets: Sets, what: str) -> tuple[W, ...]:
    """Return the words of a list, sets expanded; `any` is all of them. Every word once."""
    known = {str(word): word for word in words}
    if node.there() and not node.is_list():
        return tuple(known.values()) if node.word((ANY,), what) == ANY else ()
    found: list[W] = []
    for item in node.each():
        name = item.word((*known, *(one for one, of in sets.items() if set(of) <= known.keys())), what)
        for word in sets.get(name, (name,)):
            if word in known and known[word] in found:
                item.error(f"{what} {word} stands here twice")
            elif word in known:
                found.append(known[word])
    return tuple(found)


def _decision(then: Node, says: Node, texts: Mapping[str, str]) -> Decision:
    """Return a decision: `allow`, `allow with record notice`, or `deny unknown`. A refusal that admits the thing says what to do."""
    verb, *rest = then.word().split() or [""]
    text = texts.get(says.word(texts, "text of `says`"), "") if says.there() else ""
    if verb == ALLOW and (not rest or (rest[0] == WITH and len(rest) > 1)):
        if unknown := [word for word in rest[1:] if word not in tuple(Need)]:
            then.error(f"need {unknown[0]} is not known; {allowed(unknown[0], Need)}")
        if says.there():
            says.key_error("an allowed act says nothing")
        return Decision(needs=tuple(Need(word) for word in rest[1:] if word in tuple(Need)))
    if verb == DENY and len(rest) == 1:
        if rest[0] not in STATUS:
            then.error(f"refusal {rest[0]} is not known; {allowed(rest[0], STATUS)}")
        elif (STATUS[rest[0]] == STATUS["not-yours"]) != bool(text):
            then.error("says: what to do; a refusal with 403 needs it, no other has it")
        return Decision(rest[0], says=text)
    then.error("a decision is `allow`, `allow with NEED …` or `deny REFUSAL`")
    return Decision("unknown")


def _said(cell: Cell) -> str:
    return " · ".join(word for word in cell[1:] if word)
