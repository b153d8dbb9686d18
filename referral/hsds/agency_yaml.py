"""Write and read the file of one agency in `policy/directory` in one fixed form, so that files can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""A loader that returns every value as the text in the file."""
LISTS = ("roles", "covers", "tags", "ages", "sexes")


def facts(data: bytes) -> dict[str, Any]:
    """Return the content of a valid file, every value as text; `comment`: the lines before the first key, without their `# `."""
    lines = data.decode("utf-8").splitlines()
    head = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    found: dict[str, Any] = yaml.load(data, Loader=LOADER)  # noqa: S506 - a base loader builds only text, lists and mappings
    return {"comment": "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:head]), **found}


def text_of(agency: Mapping[str, Any]) -> bytes:
    """Return the file of an agency, from facts."""
    lines = [f"# {line}" for line in str(agency.get("comment", "")).splitlines()]
    lines.append(f"agency: {agency['agency']}")
    lines.append("names: {" + ", ".join(f"{language}: {_quoted(name)}" for language, name in agency["names"].items()) + "}")
    lines.append(f"municipality: {agency.get('municipality') or 'null'}")
    lines.append(f"reach: {agency['reach']}")
    if telephone := agency.get("telephone"):
        lines.append(f"telephone: {_quoted(telephone)}")
    lines += [f"{name}: {_list(agency[name])}" for name in ("languages", "ladder")]
    if hours := agency.get("hours"):
        lines.append(f'hours: {{days: {_list(hours["days"])}, from: "{hours["from"]}", to: "{hours["to"]}"}}')
    if agency.get("desk") == "true":
        lines.append("desk: true")
    if above := agency.get("above"):
        lines.append(f"above: {above}")
    if agency.get("unverified") == "true":
        lines.append("unverified: true")
    if signing := agency.get("signing"):
        lines.append(f"signing: {{must: {signing.get('must', 'false')}, keys: {_list([_quoted(key) for key in signing['keys']])}}}")
    lines.append("services:" if agency["services"] else "services: []")
    lines += [f"  - {{{_service(service)}}}" for service in agency["services"]]
    return ("\n".join(lines) + "\n").encode()


def keeping_keys(new: bytes, old: bytes | None) -> bytes:
    """Return a new file of an agency with the signing keys of the old one: HSDS has no field for them."""
    signing = facts(old).get("signing") if old is not None else None
    return text_of({**facts(new), "signing": signing}) if signing else new


def holds(agency: Mapping[str, Any]) -> bool:
    """Return True when a file can hold exactly these facts: False where a value contains characters with another meaning in YAML."""
    try:
        again = facts(text_of(agency))
    except (yaml.YAMLError, UnicodeError, TypeError, ValueError):
        return False
    return _plain(again) == _plain(agency)


def _plain(agency: Mapping[str, Any]) -> dict[str, Any]:
    services = [{name: value for name, value in service.items() if value} for service in agency["services"]]
    filled = {name: value for name, value in agency.items() if value and not (name == "municipality" and value == "null")}
    return {**filled, "services": services}


def _service(service: Mapping[str, Any]) -> str:
    parts = [f"id: {service['id']}", *(f"{name}: {_list(service[name])}" for name in LISTS if service.get(name))]
    if "places" in service:
        parts.append(f"places: {service['places']}")
    return ", ".join(parts)


def _list(words: Sequence[str]) -> str:
    return f"[{', '.join(words)}]"


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
