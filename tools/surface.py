"""List everything that a user sees: `python -m tools.surface [--json FILE]`.

One line each, sorted, so that `diff` of two lists shows what went: commands with their options and exit codes, routes, fields of the
agencies' API, forms of pages, topics, events, metrics, alerts, codes of errors and findings, words of the policy, settings. Most comes from
the product's own tables. By reading the source: error codes (first argument of a refusal), exit codes of commands, forms (templates).
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import yaml
from prometheus_client import REGISTRY, CollectorRegistry

import services.intake.__main__
import services.oversight.__main__
import services.routing.__main__  # noqa: F401 (each declares its metrics)
from referral.cli import app
from referral.cli.admin.doctor import result as doctor
from referral.cli.commands import Group, Named
from referral.domain.authority import words as authority_words
from referral.proof.security import Alarm as SecurityAlarm
from referral.proof.verify.report import LAYERS
from referral.runtime import authority, http_server
from referral.wire import security_event, topics
from referral.wire.schema.load import load
from services.audit.__main__ import ALARMS  # noqa: F401
from services.intake.api import openapi
from services.intake.api import routes as agencies
from services.notifier import metrics as notifier
from services.watchman import metrics as watchman  # noqa: F401
from services.watchman.alarms import Alarm
from tools import source, weight
from tools.source import ROOT

REFUSALS = ("Rejected", "Malformed", "Unproven")
"""Exceptions whose first argument is a code for programs."""


def commands(group: Group = app.app, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield each command, and each of its arguments and options."""
    for name, one in group.commands.items():
        path = (*words, name)
        if isinstance(one, Group):
            yield from commands(one, path)
            continue
        assert isinstance(one, Named)
        yield " ".join(path)
        for parameter in one.load().params:
            if parameter.name != "help":
                spelt = "/".join([*parameter.opts, *parameter.secondary_opts])
                yield f"{' '.join(path)} {spelt if spelt.startswith('-') else spelt.upper()}{' (needed)' if parameter.required else ''}"


def routes() -> Iterator[str]:
    """Yield service, method, path and acts of each route; and the paths that stand in the source of a server beside the services."""
    for service in authority.DOORS:
        for route, acts in authority.acts(service).items():
            yield f"{service} {route} ({', '.join(sorted(acts))})"
    trees = source.parsed(source.product(source.texts(ROOT)))
    for path, tree in trees.items():
        if path.startswith("referral/"):
            yield from (f"{path.split('/')[1]} {first}" for first in firsts(tree, ("Route",)) if first.startswith("/"))
    yield from ("every-service GET /healthz", "every-service GET /readyz", f"every-service GET {http_server.METRICS}")


def api() -> Iterator[str]:
    """Yield each operation of the agencies' API, and each field of its bodies and answers."""
    document = openapi.document(agencies.operations(cast(Any, None)), agencies.VERSION)
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            yield f"{one['operationId']}: {method.upper()} {path}"
            yield from (
                f"{one['operationId']} takes {given['in']} {given['name']}" for given in one.get("parameters", ()) if "name" in given
            )
    for name, schema in document["components"]["schemas"].items():
        yield from (f"{name}.{field}" for field in schema.get("properties", ()))


class Forms(HTMLParser):
    """Collect the forms of one template: method, action and names of fields. A field outside of each form belongs to the template."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, set[str]]] = []
        self._fields: set[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a form, or add a field to it."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = set()
            self.found.append((f"{given.get('method', 'get').upper()} {given.get('action', '')}".strip(), self._fields))
        elif "name" in given and tag in ("input", "select", "textarea", "button") and self._fields is not None:
            self._fields.add(given["name"])

    def handle_endtag(self, tag: str) -> None:
        """End a form."""
        if tag == "form":
            self._fields = None


def forms() -> Iterator[str]:
    """Yield each form of each template with its fields. Jinja stands as {…}; what a macro adds stands at the macro's own template."""
    for path, text in source.texts(ROOT).items():
        if path.endswith(".html") and path.startswith(source.PRODUCT):
            parser = Forms()
            parser.feed(re.sub(r"\{\{.*?\}\}", "{}", re.sub(r"\{[%#].*?[%#]\}", "", text, flags=re.S), flags=re.S))
            page = Path(path).stem
            yield f"{page}"
            for action, fields in parser.found:
                yield f"{page}: {action} ({', '.join(sorted(fields))})"


def metrics() -> Iterator[str]:
    """Yield each metric, as Prometheus names it, with its labels."""
    registry = CollectorRegistry()
    notifier.Figures(registry)
    found: dict[str, Any] = {name: one for names in (REGISTRY, registry) for name, one in names._names_to_collectors.items()}
    for name, one in found.items():
        if name.startswith("referral_") and hasattr(one, "_labelnames") and not name.endswith(("_created", "_sum", "_count")):
            yield f"{name}{{{','.join(sorted(one._labelnames))}}}"
    yield doctor.METRIC


def alerts() -> Iterator[str]:
    """Yield each rule with its severity, alarms of the watchman and of security, checks of doctor, and kinds of security events."""
    rules = yaml.safe_load((ROOT / "deploy/monitoring/rules.yaml").read_text("utf-8"))
    yield from (f"rule {rule['alert']} ({rule['labels']['severity']})" for group in rules["groups"] for rule in group["rules"])
    yield from (f"watchman {alarm}" for alarm in Alarm)
    yield from (f"security {alarm}" for alarm in SecurityAlarm)
    yield from (f"security event {kind}" for kind in security_event.Kind)
    yield from (f"doctor {name}" for name in doctor.NAMES)


def errors() -> Iterator[str]:
    """Yield each code with which something is refused, as the source gives it."""
    for tree in source.parsed(source.product(source.texts(ROOT))).values():
        yield from firsts(tree, REFUSALS)


def firsts(tree: ast.Module, names: Iterable[str]) -> Iterator[str]:
    """Yield the first argument of each call of these: a text, or a constant of the same module; {} for what only a run knows."""
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] in names:
            first = node.args[0]
            for part in (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,):
                value = constants.get(part.id) if isinstance(part, ast.Name) else part.value if isinstance(part, ast.Constant) else None
                if isinstance(part, ast.JoinedStr):
                    value = "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in part.values)
                if isinstance(value, str):
                    yield value


def policy() -> Iterator[str]:
    """Yield each word of a procedure file (its JSON Schema), each code list, and the words of policy/authority.yaml."""
    schema = json.loads((ROOT / "docs/reference/pathway.schema.json").read_text("utf-8"))
    yield from policy_words(schema)
    yield from (f"code list {name}" for name in yaml.safe_load((ROOT / "policy/codes.yaml").read_text("utf-8")))
    for kind in (authority_words.Act, authority_words.Kind, authority_words.Relation):
        yield from (f"{kind.__name__.lower()} {word}" for word in kind)


def policy_words(node: Any) -> Iterator[str]:
    """Yield the properties and the words of closed lists that a JSON Schema has. Codes of the policy's own lists are data and no words."""
    if isinstance(node, dict):
        yield from (f"key {name}" for name in node.get("properties", ()))
        yield from (f"word {word}" for word in (*node.get("enum", ()), *([node["const"]] if "const" in node else [])))
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from policy_words(inner)


def exits() -> Iterator[str]:
    """Yield each exit code that the program's `run` has, and the codes that the help of a command names."""
    yield from (f"{name} {value}" for name, value in vars(app).items() if name.isupper() and isinstance(value, int))
    for path, text in _helps(app.app):
        for said in re.findall(r"Exit (.+)", text):
            yield from (f"{path}: {code}" for code in re.findall(r"\b\d\b", said))


def _helps(group: Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for name, one in group.commands.items():
        if isinstance(one, Group):
            yield from _helps(one, (*words, name))
        elif isinstance(one, Named):
            yield " ".join((*words, name)), " ".join((one.load().help or "").split("\n"))


def events() -> Iterator[str]:
    """Yield each schema in each version, with its topic."""
    yield from (f"{one.type} ({one.topic or 'shared'})" for one in load(ROOT / "schemas/avro").by_type.values())


def settings() -> list[str]:
    """Return the environment variables that the product reads."""
    tree = source.texts(ROOT)
    return weight.settings(source.parsed(source.product(tree)), tree)


KINDS: Mapping[str, Callable[[], Iterable[str]]] = {
    "command": commands,
    "exit": exits,
    "route": routes,
    "api": api,
    "page": forms,
    "topic": lambda: topics.load(ROOT / "schemas/avro/topics.yaml"),
    "event": events,
    "metric": metrics,
    "alert": alerts,
    "error": errors,
    "finding": lambda: (f"{code} ({layer})" for layer, codes in LAYERS.items() for code in codes),
    "policy": policy,
    "setting": settings,
}


def surface() -> dict[str, list[str]]:
    """Return kind → its lines, sorted, each once."""
    return {kind: sorted(set(listed())) for kind, listed in KINDS.items()}


def main() -> None:
    """Print the list, or store it and print how much there is of each kind."""
    parser = argparse.ArgumentParser(prog="python -m tools.surface", description="List everything that a user sees.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it there, and print the number of lines of each kind")
    file = parser.parse_args().json
    found = surface()
    if file is not None:
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for kind, listed in found.items():
        print(f"{kind} {len(listed)}" if file is not None else "\n".join(f"{kind} {line}" for line in listed))


if __name__ == "__main__":
    main()
