"""Read the code lists: codes.yaml, and the codes that a procedure adds under `words`. Also checks the form of ids and names."""

from __future__ import annotations

import re

from referral.domain.policy.directory import LANGUAGES, Names
from referral.domain.policy.reading.reader import Node
from referral.domain.policy.reading.vocabulary import OWN_LISTS, PROPERTIES

ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)?")
CODE = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")
NEEDED = ("about", "decision", "language", "need", "pathway", "reason", "role", "rung", "sex", "step", "basis", "feed", "rule")
"""Code lists that the reader of procedures and agencies requires."""
Codes = dict[str, tuple[str, ...]]
Labels = dict[str, dict[str, Names]]
Properties = dict[str, frozenset[str]]
"""Codes with a property, by code list and property: `role.home`."""
BARE = ("ban", "number")
"""Code lists that have rules and no names, and the telephone numbers."""


def names(node: Node, beside: tuple[str, ...] = ()) -> Names:
    """Read a name in each of the four languages. beside: other words that may stand there."""
    return {language: value.word() for language, value in node.fields(LANGUAGES, beside).items() if language in LANGUAGES}


def id_of(node: Node) -> str:
    """Read a word as the id of a thing of the policy."""
    return as_id(node.word(), node)


def as_id(value: str, node: Node) -> str:
    """Check the id of a thing of the policy; errors are reported at the node."""
    if not ID.fullmatch(value):
        node.error(f"{value or 'nothing'} is not a valid id; allowed: small letters, digits and - as in csw-prizren")
    return value


def code_lists(root: Node) -> tuple[Codes, Labels]:
    """Read all code lists. A list is either a list of bare codes, which only programs see, or a mapping from each code to its names (of a
    ban: to its rule, which bans.py reads; of a number: to itself, which numbers.py reads)."""
    codes: Codes = {}
    labels: Labels = {}
    for name, node in root.items():
        if node.is_list():
            codes[name] = node.words()
        elif name in BARE:
            codes[name] = tuple(code for code, _ in node.items())
        else:
            labels[name] = {code: names(value, PROPERTIES.get(name, ())) for code, value in node.items()}
            codes[name] = tuple(labels[name])
        if not codes[name]:
            node.error(f"{name} is empty")
    for name in NEEDED:
        if name not in codes:
            root.error(f"list {name} is missing")
    return codes, labels


def properties(lists: Node) -> Properties:
    """Read which codes have which property: of codes.yaml, or of the `words` of a procedure."""
    found: Properties = {}
    for name, node in lists.items():
        for word in PROPERTIES.get(name, ()) if node.is_table() else ():
            said = {code: dict(value.items()) for code, value in node.items()}
            found[f"{name}.{word}"] = frozenset(code for code, words in said.items() if word in words and words[word].yes())
    return found


def own_words(root: Node, codes: Codes, labels: Labels) -> None:
    """Add the codes that a procedure adds under `words`; from then on they are codes like all others."""
    for name, node in (item for key, value in root.items() if key == "words" for item in value.items()):
        if name not in OWN_LISTS:
            node.key_error(f"words may name codes of {', '.join(OWN_LISTS)}, not of {name}")
            continue
        for code, value in node.items():
            if code in codes.get(name, ()):
                value.key_error(f"{name} {code} has its names already, in codes.yaml or another procedure; leave it out here")
            elif not CODE.fullmatch(code):
                value.key_error(f"{code or 'nothing'} is not a valid code; allowed: letters, digits, - and _ as in home-visit")
            else:
                labels.setdefault(name, {})[code] = names(value, PROPERTIES.get(name, ()))
                codes[name] = (*codes.get(name, ()), code)
