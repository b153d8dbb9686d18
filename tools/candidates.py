"""List what is cheapest to merge: `python -m tools.candidates [--count N]`.

First the modules with exactly one importer, the smallest first, where both together stay within 400 lines at 100 columns; a module that
a table names too (`module:function`) is left out. Then functions
whose bodies are equal but for names and texts, the largest first: candidates, of which some are alike by chance.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

from tools import source, weight

MOST_LINES = 400
"""Of a module (CONTRIBUTING)."""
LEAST_STATEMENTS = 5
"""Of a function that is compared (ours): smaller ones are alike by chance."""


def merges(tree: Mapping[str, str]) -> Iterator[tuple[int, str, int, str]]:
    """Yield lines and path of a module with one importer, and lines and path of that, the smallest module first."""
    ours = source.product(tree)
    graph = source.imports(source.parsed(ours))
    size = {path: weight.lines(text) for path, text in ours.items()}
    paths = {source.module(path): path for path in ours}
    whole = "".join(ours.values())
    by = defaultdict(list)
    for name, imported in graph.items():
        for one in imported:
            by[one].append(name)
    for lines, path in sorted((size[path], path) for path in ours):
        users = by[source.module(path)]
        if len(users) == 1 and f'"{source.module(path)}:' not in whole and lines + size[paths[users[0]]] <= MOST_LINES:
            yield lines, path, size[paths[users[0]]], paths[users[0]]


def twins(tree: Mapping[str, str]) -> list[tuple[int, list[str]]]:
    """Return statements and places of functions whose bodies differ in names and texts alone, the largest first."""
    found = defaultdict(list)
    for path, one in source.parsed(source.product(tree)).items():
        for node in ast.walk(one):
            if isinstance(node, weight.FUNCTIONS) and (count := weight.statements(node) - 1) >= LEAST_STATEMENTS:
                found[count, shape(node)].append(f"{path}:{node.lineno} {node.name}")
    return sorted(((count, places) for (count, _), places in found.items() if len(places) > 1), reverse=True)


def shape(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the body of a function without names and texts."""
    said = source.doc(node)
    return " ".join(_words(statement) for statement in node.body if statement is not said)


def _words(node: ast.AST) -> str:
    inner = " ".join(_words(child) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr_context))
    return f"({type(node).__name__} {inner})"


def main() -> None:
    """Print both lists."""
    parser = argparse.ArgumentParser(prog="python -m tools.candidates", description="List what is cheapest to merge.")
    parser.add_argument("--count", type=int, default=60)
    tree = source.read(None)
    count = parser.parse_args().count
    for lines, path, more, into in list(merges(tree))[:count]:
        apart = "" if path.rpartition("/")[0] == into.rpartition("/")[0] else " (another folder)"
        print(f"{lines:4} {path} → {more} {into}{apart}")
    for size, places in twins(tree)[:count]:
        print(f"{size:4} statements: {'; '.join(places)}")


if __name__ == "__main__":
    main()
