"""Measure the weight of this tree: `python -m tools.weight [COMMIT [COMMIT]]`.

Without a commit the checkout as it is; with one, that commit; with two, before, after and ratio beside each other. Lines are counted after
`ruff format` at 100 columns without magic trailing commas, on a copy; a line that ruff cannot break counts as its share of 100 columns.
Statements are those of `ast`, docstrings left out.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools import source
from tools.source import PRODUCT, WIDTH, Tree

WORDS = Path(__file__).with_name("house_words.txt")
FOLDER_MOST = 22
"""Modules of a folder (CONTRIBUTING)."""
ENVIRONMENT = re.compile(r"REFERRAL_[A-Z]+(?:_[A-Z]+)*")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ENDS: Mapping[str, tuple[str, ...]] = {
    "YAML": (".yaml", ".yml"),
    "SQL": (".sql",),
    "templates, styles, pictures": (".html", ".css", ".svg", ".mako"),
    "Avro": (".avsc",),
    "shell and make": (".sh", "Makefile"),
    "Markdown": (".md",),
}
"""Kinds of text that are counted beside Python → ends of their files."""

Figures = dict[str, int | str]


def lines(text: str) -> int:
    """Return the lines of a text as if it were wrapped at WIDTH: a longer line counts as its share of WIDTH."""
    return round(sum(max(1, len(line) / WIDTH) for line in text.splitlines()))


def statements(tree: ast.AST) -> int:
    """Return the statements, docstrings left out."""
    return sum(isinstance(node, ast.stmt) - (source.doc(node) is not None) for node in ast.walk(tree))


def doc_lines(text: str, tree: ast.AST) -> int:
    """Return the lines of docstrings, those behind constants and fields too."""
    every, found = text.splitlines(), 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found += lines("\n".join(every[node.lineno - 1 : node.end_lineno]))
    return found


def importers(graph: Mapping[str, set[str]]) -> Counter[str]:
    """Return module → number of modules that import it."""
    return Counter(named for imported in graph.values() for named in imported)


def names(tree: ast.Module, path: str) -> Iterator[str]:
    """Yield each name that a module gives: its own, and those of classes, functions, parameters, variables and attributes."""
    yield path.removesuffix("/__init__.py").rpartition("/")[2].removesuffix(".py")
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def parts(name: str) -> Iterator[str]:
    """Yield the words of a name in snake or camel case, small."""
    return (part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))


def house_words(text: str) -> list[tuple[str, str, str, bool]]:
    """Return word, meaning, the field's noun, and whether it stays: a row each of house_words.txt."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line and not line.startswith("#")]
    return [(row[0], row[1], row[2], row[3:] == ["stays"]) for row in rows]


def used(words: Iterable[str], given: Iterable[str]) -> Counter[str]:
    """Return house word → how many names have it. `=word`: as the whole name, capitals as they stand; else as a part, or its plural."""
    whole = Counter(name.strip("_") for name in given)
    part = Counter[str]()
    for name, count in whole.items():
        for one in {word.removesuffix("s") for word in ("_".join(parts(name)), *parts(name))}:
            part[one] += count
    found = {word: whole[word[1:]] if word.startswith("=") else part[word.removesuffix("s")] for word in words}
    return Counter({word: count for word, count in found.items() if count})


def settings(trees: Mapping[str, ast.Module], tree: Tree) -> list[str]:
    """Return the environment variables that the product reads: those that it names, and those of its page of settings, if it has one.

    Events of schemas are no settings (`REFERRAL_…`).
    """
    texts = (node.value for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.Constant))
    named = {name for text in texts if isinstance(text, str) for name in ENVIRONMENT.findall(text)}
    found = named | set(re.findall(r"\bREFERRAL_[A-Z_]*[A-Z]\b", tree.get("docs/reference/settings.md", "")))
    events = {path.rpartition("/")[2].partition(".")[0].replace("-", "_").upper() for path in tree if path.endswith(".avsc")}
    return sorted(found - events)


def weigh(tree: Tree, words: list[tuple[str, str, str, bool]]) -> Figures:
    """Return every figure of a tree, in the order of the table."""
    ours = source.product(tree)
    trees = source.parsed(ours)
    graph = source.imports(source.parsed({p: t for p, t in tree.items() if p.startswith(PRODUCT) and p.endswith(".py")}))
    imported = importers(graph)
    nodes = [node for one in trees.values() for node in ast.walk(one)]
    folders = Counter(path.rpartition("/")[0] for path in ours if not path.endswith("/__init__.py"))
    longest = sorted(((lines(text), path) for path, text in ours.items()), reverse=True)
    said = used([word for word, *_ in words], [name for path, one in trees.items() for name in names(one, path)])
    stay = {word for word, *_, stays in words if stays}
    docs = sum(doc_lines(text, trees[path]) for path, text in ours.items())
    generated = {p: t for p, t in tree.items() if p.startswith(PRODUCT) and p.endswith(".py") and source.GENERATED.search(t)}
    made = [node for one in source.parsed(generated).values() for node in ast.walk(one)]
    read = settings(trees, tree)
    figures: Figures = {
        "lines": sum(map(lines, ours.values())),
        "  of them docstrings": docs,
        "  of them empty": sum(not line.strip() for text in ours.values() for line in text.splitlines()),
        "statements": sum(map(statements, trees.values())),
        "modules": len(ours),
        "  with exactly one importer": sum(imported[source.module(path)] == 1 for path in ours),
        "  with none (programs, commands)": sum(imported[source.module(path)] == 0 for path in ours),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
        "  with generated ones": sum(isinstance(node, ast.ClassDef) for node in (*nodes, *made)),
        "functions": sum(isinstance(node, FUNCTIONS) for node in nodes),
        "house words in use": len(said),
        "  of them to go": len(said.keys() - stay),
        "  names that have one to go": sum(count for word, count in said.items() if word not in stay),
        "settings (environment)": len(read),
        f"folders above {FOLDER_MOST} modules": sum(count > FOLDER_MOST for count in folders.values()),
        "largest folders": "\n".join(f"{count} {path}" for path, count in folders.most_common(5)),
        "longest module": f"{longest[0][0]} {longest[0][1]}" if longest else "none",
        "modules above 400 lines": sum(count > 400 for count, _ in longest),
        "import circles": len(source.circles({name: graph[name] & graph.keys() for name in graph})),
    }
    for path in sorted(path for path in ours if re.fullmatch(r"services/\w+/__main__\.py", path)):
        loaded = source.reachable(graph, source.module(path))
        figures[f"  modules behind {path.split('/')[1]}"] = len(loaded)
    figures["generated lines, left out"] = sum(map(lines, generated.values()))
    figures["migrations, left out (lines)"] = sum(
        lines(text) for path, text in tree.items() if path.startswith(PRODUCT) and source.MIGRATION.search(text)
    )
    return figures | _beside(tree)


def _beside(tree: Tree) -> Figures:
    """Return what is counted beside the product: tests, measurements, and texts that are no Python."""

    def python(folder: str) -> int:
        return sum(lines(text) for path, text in tree.items() if path.startswith(folder) and path.endswith(".py"))

    def other(ends: tuple[str, ...], *, tests: bool) -> int:
        return sum(len(text.splitlines()) for path, text in tree.items() if path.endswith(ends) and path.startswith("tests/") is tests)

    tests = [ast.parse(text) for path, text in tree.items() if path.startswith("tests/") and path.endswith(".py")]
    figures: Figures = {
        "tests, all lines": python("tests/"),
        "  of them harness": python("tests/harness/"),
        "  test functions": sum(isinstance(n, FUNCTIONS) and n.name.startswith("test_") for t in tests for n in ast.walk(t)),
        "bench, lines": python("bench/"),
        "tools, lines": python("tools/"),
    }
    for kind, ends in ENDS.items():
        figures[f"{kind}, lines"] = other(ends, tests=False)
    return figures | {"  YAML of tests": other(ENDS["YAML"], tests=True)}


def ratio(before: int | str, after: int | str) -> str:
    """Return after : before in per cent; empty for what is no number."""
    return f"{after / before:.0%}" if isinstance(before, int) and isinstance(after, int) and before else ""


def table(measured: Mapping[str, Figures]) -> Table:
    """Return the figures, a column for each tree; of two, with their ratio."""
    shown = Table("", *measured, *(["ratio"] if len(measured) == 2 else []))
    columns = list(measured.values())
    for name in dict.fromkeys(name for column in columns for name in column):
        cells = [column.get(name, 0) for column in columns]
        shown.add_row(name, *map(_cell, cells), *([ratio(cells[0], cells[1])] if len(cells) == 2 else []))
    return shown


def _cell(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def main() -> None:
    """Print the table, and the house words with how many names have them."""
    parser = argparse.ArgumentParser(prog="python -m tools.weight", description="Measure the weight of this tree.")
    parser.add_argument("commits", nargs="*", metavar="COMMIT", help="none: the checkout; two: before and after")
    commits: list[str | None] = parser.parse_args().commits or [None]
    words = house_words(WORDS.read_text("utf-8"))
    console = Console(width=140, highlight=False)
    console.print(table({commit or "checkout": weigh(source.read(commit), words) for commit in commits}))


if __name__ == "__main__":
    main()
