"""Turn schemas and topics into `docs/reference/`, written by `make generate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from referral.wire.schema.definition import Schema, Schemas
from referral.wire.topics import Topic

SINCE = {
    "rung-reached.v1": "Since version 5 of the rules: a message to this rung has arrived, and a third of the limit is over.",
    "case-raised.v1": "Since version 5 of the rules: a person of oversight has opened it.",
}
"""Type → how a released schema, whose own text nobody edits any more, is used now (docs/decisions/0021, 0086)."""
MARK = "<!-- GENERATED from schemas/avro by `make generate`. Do not edit. -->\n\n"
WORDS = {"long": "number", "int": "number", "boolean": "true or false", "bytes": "bytes", "fixed": "bytes"}


def render(schemas: Schemas, topics: Mapping[str, Topic]) -> dict[str, str]:
    """Return file name → text."""
    return {"events.md": _events(schemas, topics), "topics.md": _topics(schemas, topics)}


def _topics(schemas: Schemas, topics: Mapping[str, Topic]) -> str:
    rows = [
        "| topic | written by | read by | read without a key by | length seen by | key | partitions | body | holds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, card in topics.items():
        body = "sealed" if card.sealed else "clear"
        who = " | ".join(", ".join(names) for names in (card.writers, card.readers, card.blind, card.ends))
        rows.append(f"| `{name}` | {who} | {card.key} | {card.partitions} | {body} | {card.holds} |")
    settings = ["| topic | setting | value |", "|---|---|---|"]
    settings += [f"| `{name}` | `{key}` | `{value}` |" for name, card in topics.items() for key, value in card.config.items()]
    events = []
    for name in topics:
        types = sorted(s.type for s in schemas.newest().values() if s.topic == (topics[name].bodies_of or name))
        if types:
            events.append(f"* `{name}`: " + ", ".join(f"[{t}](events.md#{_anchor(t)})" for t in types))
    return MARK + "\n".join(["# Topics", "", *rows, "", "## What travels where", "", *events, "", "## Broker settings", "", *settings, ""])


def _events(schemas: Schemas, topics: Mapping[str, Topic]) -> str:
    newest = schemas.newest().values()
    link = {schema.name: f"[{schema.name}](#{_anchor(schema.type)})" for schema in newest}
    lines = [
        "# Events",
        "",
        "A string is an id (a UUID in lower case) or a word of a named code list: at most 63 visible ASCII characters.",
        "Times are microseconds since 1970 in UTC. An example of every event is in `examples/events/`.",
        "",
    ]
    for name in topics:
        travelling = [s for s in newest if s.topic == name]
        if travelling:
            lines += [f"## `{name}`", ""]
            for schema in travelling:
                lines += _section(schema, link)
    lines += ["## Shared types", ""]
    for schema in newest:
        if not schema.topic:
            lines += _section(schema, link)
    return MARK + "\n".join(lines)


def _section(schema: Schema, link: Mapping[str, str]) -> list[str]:
    head = [f"### {schema.type}", "", " ".join(filter(None, (str(schema.definition["doc"]), SINCE.get(schema.type)))), ""]
    facts = [f"`{schema.name}` · fingerprint `{schema.fingerprint & 0xFFFFFFFFFFFFFFFF:016x}` · `schemas/avro/{schema.path.name}`", ""]
    if not schema.definition["fields"]:
        return [*head, *facts, "No fields.", ""]
    rows = ["| field | kind | meaning |", "|---|---|---|"]
    rows += [f"| `{f['name']}` | {_kind(f['type'], link)} | {f['doc']} |" for f in schema.definition["fields"]]
    return [*head, *facts, *rows, ""]


def _kind(kind: Any, link: Mapping[str, str]) -> str:
    """Return the name of a kind in plain words."""
    if isinstance(kind, list):
        return f"{_kind(kind[1], link)}, or null"
    if isinstance(kind, str):
        return WORDS[kind]
    match kind["type"]:
        case "string":
            return f"code: {kind['code']}" if "code" in kind else "id"
        case "long" if "logicalType" in kind:
            return "time"
        case "array":
            return f"list of {_kind(kind['items'], link)}"
        case "map":
            return f"{kind['code']} → {_kind(kind['values'], link)}"
        case "enum":
            return " · ".join(kind["symbols"])
        case "record":
            return link[kind["name"]]
        case inner:
            return f"{WORDS[inner]} ({kind['holds']})" if "holds" in kind else WORDS[inner]


def _anchor(type_: str) -> str:
    return type_.replace(".", "")
