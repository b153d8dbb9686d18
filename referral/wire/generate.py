"""Write `referral/domain/events/` from `schemas/avro`: `python -m referral.wire.generate [--check]`."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from typing import Any

from referral.wire.schema import Schema, Schemas, load

ROOT = Path(__file__).parents[2]
HEAD = '"""GENERATED from schemas/avro by `make generate`. Do not edit."""\n\nfrom __future__ import annotations\n\n'
PRIMITIVE = {"string": "str", "int": "int", "long": "int", "boolean": "bool", "bytes": "bytes", "double": "float", "null": "None"}


def latest(schemas: Schemas) -> dict[str, Schema]:
    """The newest version of each stem: what the program writes."""
    newest: dict[str, Schema] = {}
    for schema in schemas.by_type.values():
        if schema.stem not in newest or newest[schema.stem].version < schema.version:
            newest[schema.stem] = schema
    return newest


class Module:
    """One generated file: the structs and enums that a schema defines itself; shared ones are imported."""

    def __init__(self, schema: Schema, home: dict[str, str]) -> None:
        self.schema, self.home = schema, home
        self.imports: set[str] = set()
        self.enums: list[str] = []
        self.uses_mapping = False

    def annotation(self, kind: Any) -> str:
        if isinstance(kind, list):
            return f"{self.annotation(kind[1])} | None"
        if isinstance(kind, str):
            return PRIMITIVE.get(kind) or self.reference(kind.rpartition(".")[2])
        match kind["type"]:
            case "array":
                return f"tuple[{self.annotation(kind['items'])}, ...]"
            case "map":
                self.uses_mapping = True
                return f"Mapping[str, {self.annotation(kind['values'])}]"
            case "fixed":
                return "bytes"
            case "enum":
                return self.enum(kind)
            case "record":
                return self.reference(kind["name"])
            case inner:
                return self.annotation(inner)

    def reference(self, name: str) -> str:
        if self.home[name] != module_of(self.schema.stem):
            self.imports.add(name)
        return name

    def enum(self, kind: dict[str, Any]) -> str:
        if self.home[kind["name"]] == module_of(self.schema.stem):
            lines = [f"class {kind['name']}(StrEnum):", f'    """{kind.get("doc") or kind["name"]}"""', ""]
            self.enums.append("\n".join([*lines, *(f'    {s} = "{s}"' for s in kind["symbols"])]))
        return self.reference(kind["name"])

    def text(self) -> str:
        definition, schema = self.schema.definition, self.schema
        rows = []
        for field in definition["fields"]:
            name = field["name"] + ("_" if keyword.iskeyword(field["name"]) else "")
            default = " = None" if isinstance(field["type"], list) else ""
            rows.append(f"    {name}: {self.annotation(field['type'])}{default}\n" + f'    """{field["doc"]}"""')
        body = [f"class {schema.name}(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):"]
        body += [f'    """{definition["doc"]}"""', ""]
        if schema.topic:
            body += [f'    TYPE: ClassVar[str] = "{schema.type}"', f'    TOPIC: ClassVar[str] = "{schema.topic}"']
        parts = [HEAD]
        if self.uses_mapping:
            parts.append("from collections.abc import Mapping\n")
        if self.enums:
            parts.append("from enum import StrEnum\n")
        if schema.topic:
            parts.append("from typing import ClassVar\n")
        parts.append("\nfrom msgspec import Struct\n")
        parts += [f"\nfrom referral.domain.events.{self.home[name]} import {name}" for name in sorted(self.imports)]
        return "".join(parts) + "".join("\n\n\n" + e for e in self.enums) + "\n\n\n" + "\n".join([*body, *rows]) + "\n"


def module_of(stem: str) -> str:
    return stem.replace("-", "_")


def homes(newest: dict[str, Schema]) -> dict[str, str]:
    """Type name → the module that defines it; an enum lives where it is written, in a shared file before an event's."""
    home = {schema.name: module_of(stem) for stem, schema in newest.items()}
    for stem, schema in sorted(newest.items(), key=lambda item: item[1].topic is not None):
        for name in re.findall(r"'type': 'enum', 'name': '(\w+)'", str(schema.definition)):
            home.setdefault(name, module_of(stem))
    return home


def render(schemas: Schemas) -> dict[str, str]:
    """File name → text of the whole package."""
    newest = latest(schemas)
    home = homes(newest)
    files = {f"{module_of(stem)}.py": Module(schema, home).text() for stem, schema in newest.items() if stem != "sealed"}
    names = sorted((module, name) for name, module in home.items() if module != "sealed")
    lines = [f"from referral.domain.events.{module} import {name}\n" for module, name in names]
    events = sorted(s.name for s in newest.values() if s.topic)
    table = "".join(f"    {name}.TYPE: {name},\n" for name in events)
    listed = "".join(f'    "{name}",\n' for name in sorted(["EVENTS", *(name for _, name in names)]))
    files["__init__.py"] = HEAD + "".join(lines) + f"\nEVENTS = {{\n{table}}}\n\n__all__ = [\n{listed}]\n"
    return files


def main(arguments: list[str]) -> int:
    folder = ROOT / "referral" / "domain" / "events"
    files = render(load(ROOT / "schemas" / "avro"))
    stale = [n for n, text in files.items() if not (folder / n).exists() or (folder / n).read_text("utf-8") != text]
    gone = [p for p in folder.glob("*.py") if p.name not in files]
    if "--check" in arguments:
        if stale or gone:
            sys.stderr.write(f"referral/domain/events is stale ({', '.join([*stale, *(p.name for p in gone)])}): run `make generate`\n")
        return 1 if stale or gone else 0
    for path in gone:
        path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
