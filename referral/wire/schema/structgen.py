"""Turn schemas into `msgspec` structs: `referral/domain/events/`, written by `make generate`."""

from __future__ import annotations

from typing import Any

from referral.wire.schema.codegen import HEAD, SHARED, module_of
from referral.wire.schema.definition import Json, Schema, Schemas
from referral.wire.schema.lint import ENVELOPE

DEFAULTS = {"[]": " = ()", "False": " = False"}
"""JSON default of a field that is no union → its text in the struct."""
PRIMITIVE = {"string": "str", "int": "int", "long": "int", "boolean": "bool", "bytes": "bytes", "fixed": "bytes"}


def render(schemas: Schemas) -> dict[str, str]:
    """Return file name → text of the whole package: one module for each topic, one for what they share; each type in its newest version."""
    newest = [schema for stem, schema in sorted(schemas.newest().items()) if stem != ENVELOPE]
    home = {name: module_of(schema) for schema in newest for name in (schema.name, *(enum["name"] for _, enum in _enums(schema)))}
    modules = sorted(set(home.values()))
    files = {f"{name}.py": _Module(name, [s for s in newest if module_of(s) == name], home).text() for name in modules}
    imports = [f"from referral.domain.events.{module} import {name}\n" for module, name in sorted((m, n) for n, m in home.items())]
    events = sorted(s.name for s in newest if s.topic)
    table = "".join(f"    {name}.TYPE: {name},\n" for name in events)
    listed = "".join(f'    "{name}",\n' for name in sorted(["EVENTS", *home]))
    files["__init__.py"] = HEAD + "".join(imports) + f"\nEVENTS = {{\n{table}}}\n\n__all__ = [\n{listed}]\n"
    return files


def _enums(schema: Schema) -> list[tuple[str, Json]]:
    """Return the enums that a schema defines itself, each with the doc of its field."""
    enums = []
    for field in schema.definition["fields"]:
        kind = field["type"]
        while isinstance(kind, list) or (isinstance(kind, dict) and kind["type"] in ("array", "map")):
            kind = kind[1] if isinstance(kind, list) else kind.get("items", kind.get("values"))
        if isinstance(kind, dict) and kind["type"] == "enum":
            enums.append((kind.get("doc") or field["doc"], kind))
    return enums


class _Module:
    """One generated file: the structs of a topic and the enums that they define; shared structs are imported."""

    def __init__(self, name: str, schemas: list[Schema], home: dict[str, str]) -> None:
        self.name, self.schemas, self.home = name, schemas, home
        self.imports: set[str] = set()
        self.uses_mapping = False

    def text(self) -> str:
        bodies = [part for schema in self.schemas for part in (*(_enum(doc, kind) for doc, kind in _enums(schema)), self.struct(schema))]
        first = "from collections.abc import Mapping\n" if self.uses_mapping else ""
        first += "from enum import StrEnum\n" if any(_enums(schema) for schema in self.schemas) else ""
        first += "from typing import ClassVar\n" if any("ClassVar" in body for body in bodies) else ""
        ours = f"from referral.domain.events.{SHARED} import {', '.join(sorted(self.imports))}\n" if self.imports else ""
        imports = (first + "\n" if first else "") + ours + "from referral.domain.value import Value\n"
        return HEAD + imports + "".join(f"\n\n{body}\n" for body in bodies)

    def struct(self, schema: Schema) -> str:
        """Return the class of one schema."""
        definition = schema.definition
        ids = [f["name"] for f in definition["fields"] if "uuid" in str(f["type"]) and "record" not in str(f["type"])]
        body = [f"class {schema.name}(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):", f'    """{definition["doc"]}"""', ""]
        constants = [f'    TYPE: ClassVar[str] = "{schema.type}"', f'    TOPIC: ClassVar[str] = "{schema.topic}"'] if schema.topic else []
        if quoted := [f'"{name}"' for name in ids]:
            constants.append(f"    IDS: ClassVar[tuple[str, ...]] = ({', '.join(quoted)},)")
        fields = [self.field(field) for field in definition["fields"]]
        body += [*constants, *([""] if constants and fields else []), *fields]
        return "\n".join(body).rstrip()

    def field(self, field: Json) -> str:
        default = " = None" if isinstance(field["type"], list) else DEFAULTS.get(str(field.get("default")), "")
        return f'    {field["name"]}: {self.annotation(field["type"])}{default}\n    """{field["doc"]}"""'

    def annotation(self, kind: Any) -> str:
        """Return the Python type of a kind."""
        if isinstance(kind, list):
            return f"{self.annotation(kind[1])} | None"
        if isinstance(kind, str):
            return PRIMITIVE[kind]
        match kind["type"]:
            case "array":
                return f"tuple[{self.annotation(kind['items'])}, ...]"
            case "map":
                self.uses_mapping = True
                return f"Mapping[str, {self.annotation(kind['values'])}]"
            case "enum" | "record":
                if self.home[kind["name"]] != self.name:
                    self.imports.add(kind["name"])
                return str(kind["name"])
            case inner:
                return PRIMITIVE[inner]


def _enum(doc: str, kind: Json) -> str:
    return "\n".join([f"class {kind['name']}(StrEnum):", f'    """{doc}"""', "", *(f'    {s} = "{s}"' for s in kind["symbols"])])
