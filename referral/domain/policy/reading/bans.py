"""Read the bans of codes.yaml: the kinds of service that a procedure may name under `never`. A file of its own, because directory and
procedures both need it."""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.policy.procedure import Ban
from referral.domain.policy.reading.reader import Node
from referral.domain.policy.reading.vocabulary import BANS_BEFORE, TAGS, TRAITS


def read_bans(root: Node, codes: Mapping[str, tuple[str, ...]]) -> Mapping[str, Ban]:
    """Return the bans by name; those of before where codes.yaml has none."""
    lists = dict(root.items())
    if "ban" not in lists:
        return {name: Ban(name, tag, (frozenset({mark}),) if mark else ()) for name, (tag, mark) in BANS_BEFORE.items()}
    return {name: _ban(name, node, codes) for name, node in lists["ban"].items()}


def _ban(name: str, node: Node, codes: Mapping[str, tuple[str, ...]]) -> Ban:
    """Read one ban: the tag of the services that it is about and the circumstances in which it holds, or that it is about locking up."""
    get = node.fields((), ("tag", "when", "locked"))
    if "when" in get and "tag" not in get:
        get["when"].key_error("when says in which circumstances services with a tag are banned; tag is missing")
    groups = []
    for trait, value in get["when"].items():
        if trait not in TRAITS:
            value.key_error(f"{trait} is no circumstance; allowed: {', '.join(TRAITS)}")
            continue
        groups.append(frozenset(f"{trait}={word}" for word in value.words(codes.get(TRAITS[trait], ()), trait, least=1)))
    return Ban(
        name=name,
        tag=get["tag"].word(TAGS, "tag") if "tag" in get else "",
        when=tuple(groups),
        locked=get["locked"].yes(),
    )
