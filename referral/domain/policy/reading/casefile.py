"""Read casefile.yaml: the sections of the case file, and the fields of each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from referral.domain.policy.directory import FIELD_TYPES, MOST, Field, Names, Section
from referral.domain.policy.form import NO, NOT_ASKED, NOT_KNOWN, YES, Line, Table
from referral.domain.policy.reading.code_lists import as_id, names
from referral.domain.policy.reading.reader import Node, allowed

FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
FIELDS = 24
"""Fields of one section (ours): a form that fits on a few screens of a phone."""


def read_sections(root: Node, lists: Mapping[str, Mapping[str, Names]]) -> dict[str, Section]:
    """Return the sections by id. lists: the code lists whose codes have names, which a choice may offer."""
    return {name: _section(name, node, lists) for name, node in root.fields(("sections",))["sections"].items()}


def _section(name: str, node: Node, lists: Mapping[str, Mapping[str, Names]]) -> Section:
    get = node.fields(("personal", "names"), ("fields", "points_to"))
    fields = tuple(_field(id, field, lists) for id, field in get["fields"].items())
    if len(fields) > FIELDS:
        get["fields"].key_error(f"{len(fields)} fields are more than a form holds; at most {FIELDS}")
    table = _table(get["points_to"], fields, lists) if "points_to" in get else None
    return Section(id=as_id(name, node), personal=get["personal"].yes(), names=names(get["names"]), fields=fields, table=table)


COUNTS = ("red_yes", "other_yes", "red_open", "other_open")


def _table(node: Node, fields: tuple[Field, ...], lists: Mapping[str, Mapping[str, Names]]) -> Table | None:
    """Return what the answers of a form point to; None, and errors, where an item is read by no line, or one that nobody knows points to
    the lightest level."""
    get = node.fields(("levels", "red", "lines"), ("yes_at",))
    items = tuple(one.id for one in fields)
    levels = get["levels"].words(lists.get("decision", {}), "decision", least=2)
    red = get["red"].words(items, "field", least=1)
    bands = lists.get("age-band", {})
    yes_at = {id: frozenset(ages.words(bands, "age band", least=1)) for id, ages in get["yes_at"].items()}
    for id, ages in get["yes_at"].items():
        if id not in items:
            ages.key_error(f"{id} is no field of this form")
    lines = tuple(_line(one, levels, items) for one in get["lines"].each())
    table = Table(levels, items, frozenset(red), lines, yes_at)
    if any(one.type != "yes-no" for one in fields):
        node.key_error("a form that points to something has fields of the type yes-no alone")
    if not lines or not lines[-1].is_last or any(line.is_last for line in lines[:-1]):
        get["lines"].key_error("the last line, and no other, says nothing but its level: every answer must point to something")
        return None
    ranks = [levels.index(line.level) for line in lines if line.level in levels]
    if len(ranks) != len(lines) or ranks != sorted(ranks, reverse=True) or {*ranks} != {*range(len(levels))}:
        get["lines"].key_error("the lines lead from the gravest level to the lightest, and to each one")
        return None
    _read(node, table)
    return table


def _line(node: Node, levels: tuple[str, ...], items: tuple[str, ...]) -> Line:
    get = node.fields(("level",), ("one_yes", *COUNTS, "until_asked"))
    counts = {name: get[name].number(1, len(items)) for name in COUNTS if name in get}
    yes = frozenset(get["one_yes"].words(items, "field", least=1)) if "one_yes" in get else frozenset[str]()
    return Line(level=get["level"].word(levels, "level"), yes=yes, until_asked=get["until_asked"].yes(), **counts)


def _read(node: Node, table: Table) -> None:
    """Report an item that changes nothing when it alone is yes, and a red one that may be open at the lightest level. More of the same
    never makes it lighter, so no other combination needs a look."""
    calm = dict.fromkeys(table.items, NO)
    for item in table.items:
        if table.points_to([{**calm, item: YES}], "").level == table.levels[0]:
            node.key_error(f"{item} is read by no line: if it alone is yes, the form points to {table.levels[0]}")
        for answer in (NOT_KNOWN, NOT_ASKED) if item in table.red else ():
            if table.points_to([{**calm, item: answer}], "").level == table.levels[0]:
                node.key_error(f"{item} is red, and points to {table.levels[0]} while nobody knows it")


def _field(id: str, node: Node, lists: Mapping[str, Mapping[str, Names]]) -> Field:
    get = node.fields(("type", "names"), ("of", "most", "hints"))
    type = get["type"].word(FIELD_TYPES, "type")
    if not FIELD.fullmatch(id):
        node.key_error(f"{id or 'nothing'} is not a valid field; allowed: small letters, digits and _ as in safe_way")
    if (type == "choice") != ("of" in get):
        node.error("of: the code list that a choice offers; a choice needs it, no other type has it")
    elif "of" in get:
        get["of"].word(lists, "code list with names")
    if "most" in get and not FIELD_TYPES.get(type):
        get["most"].key_error(f"most limits characters; {type} has none; {allowed(type, (t for t, most in FIELD_TYPES.items() if most))}")
    most = get["most"].number(1, MOST) if "most" in get else FIELD_TYPES.get(type, 0)
    return Field(
        id=id, type=type, names=names(get["names"]), hints=names(get["hints"]) if "hints" in get else {}, most=most, of=get["of"].word()
    )
