"""Read casefile.yaml: the sections of the case file, and the fields of each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from referral.domain.policy.directory import FIELD_TYPES, MOST, Field, Names, Section
from referral.domain.policy.reading.code_lists import as_id, names
from referral.domain.policy.reading.reader import Node, allowed

FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
FIELDS = 16
"""Fields of one section (ours): a form that fits on a few screens of a phone."""


def read_sections(root: Node, lists: Mapping[str, Mapping[str, Names]]) -> dict[str, Section]:
    """Return the sections by id. lists: the code lists whose codes have names, which a choice may offer."""
    return {name: _section(name, node, lists) for name, node in root.fields(("sections",))["sections"].items()}


def _section(name: str, node: Node, lists: Mapping[str, Mapping[str, Names]]) -> Section:
    get = node.fields(("personal", "names"), ("fields",))
    fields = tuple(_field(id, field, lists) for id, field in get["fields"].items())
    if len(fields) > FIELDS:
        get["fields"].key_error(f"{len(fields)} fields are more than a form holds; at most {FIELDS}")
    return Section(id=as_id(name, node), personal=get["personal"].yes(), names=names(get["names"]), fields=fields)


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
