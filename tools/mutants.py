"""Draw mutants of what a promise rests on, and run tests against one: `python -m tools.mutants`.

    python -m tools.mutants --seed N --count 300      # print a draw; --write stores it in tools/mutants.tsv
    python -m tools.mutants --list                    # where the checkout has each stored mutant: here, moved, renamed, gone
    python -m tools.mutants --run K… -- tests/unit/…  # run these pytest words on each in a copy: killed or survived

A mutant is named by its function, kind, the text of its statement and a number among equals, never by a file or line, and a draw takes the
names whose hash with the seed is smallest, the same number of each area: code that moves keeps its mutants. `renamed` means: the one
statement of the same shape, in a function or module of the same name.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path

from tools import source
from tools.source import ROOT

STORED = Path(__file__).with_name("mutants.tsv")
SEED, COUNT = 37, 300
AREAS = (
    "referral/domain/",
    "referral/runtime/loop/",
    "referral/wire/",
    "services/intake/casefile/",
    "services/oversight/disclosure/",
    "services/notifier/",
)
CODECS = "referral/wire/compiled"
"""Made from the schemas, and in no commit."""
LONGEST_S = 900
"""Seconds (that of pytest's own timeout) after which a run counts as killed: the mutant hangs."""
SWAPPED: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: (r"==", "!="),
    ast.NotEq: (r"!=", "=="),
    ast.Lt: (r"<", "<="),
    ast.LtE: (r"<=", "<"),
    ast.Gt: (r">", ">="),
    ast.GtE: (r">=", ">"),
    ast.Is: (r"\bis\b", "is not"),
    ast.IsNot: (r"\bis\s+not\b", "is"),
    ast.In: (r"\bin\b", "not in"),
    ast.NotIn: (r"\bnot\s+in\b", "in"),
}
TOKENS = ("compare", "and", "constant", "constant+1", "constant-1")
"""Kinds whose name says what is replaced; of the others the statement says it."""
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Named:
    """A mutant by name. place: of the file where it was drawn. function: qualified; empty at the top of a module. statement: the first line
    of it, as `ast` writes it. shape: a hash of the statement without its names. number: among equals of the function."""

    place: str
    function: str
    kind: str
    change: str
    number: int
    shape: str
    statement: str

    @property
    def name(self) -> tuple[str, ...]:
        """Return what does not change when the function moves to another file."""
        return (self.function, self.kind, self.change, str(self.number), self.statement)


@dataclass(frozen=True)
class Mutant:
    """A mutant of a file as it is now. start, end: bytes of the text that `instead` replaces."""

    named: Named
    start: int
    end: int
    instead: str

    def apply(self, text: str) -> str:
        """Return the text of the file, mutated."""
        data = text.encode()
        return (data[: self.start] + self.instead.encode() + data[self.end :]).decode()


Edit = tuple[str, int, int, str]
"""Kind of a mutant, first and last byte of what it replaces, and what stands there instead."""


class Text:
    """A module's text with the bytes of its nodes."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.begins = [0]
        for line in self.data.splitlines(keepends=True):
            self.begins.append(self.begins[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return the first byte of a node and the one behind its last."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.begins[node.lineno - 1] + node.col_offset, self.begins[node.end_lineno - 1] + node.end_col_offset

    def of(self, start: int, end: int) -> str:
        """Return the text between two bytes."""
        return self.data[start:end].decode()


def edits(node: ast.AST, text: Text) -> Iterator[Edit]:
    """Yield each change of one node alone."""
    match node:
        case ast.Compare():
            sides = [node.left, *node.comparators]
            for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
                pattern, instead = SWAPPED[type(op)]
                yield from _between(text, left, right, pattern, "compare", instead)
        case ast.BoolOp():
            old, new = (r"\band\b", "or") if isinstance(node.op, ast.And) else (r"\bor\b", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from _between(text, left, right, old, "and", new)
        case ast.UnaryOp(op=ast.Not()):
            yield "not", *text.span(node), f"({text.of(*text.span(node.operand))})"
        case ast.Constant(value=bool() as value):
            yield "constant", *text.span(node), str(not value)
        case ast.Constant(value=int() as value):
            yield "constant+1", *text.span(node), str(value + 1)
            yield "constant-1", *text.span(node), f"({value - 1})" if value < 1 else str(value - 1)
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            yield "remove", *text.span(node), "pass"
        case ast.If() | ast.IfExp():
            yield "swap", *text.span(node.test), f"(not ({text.of(*text.span(node.test))}))"
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return", *text.span(value), "None"


def _between(text: Text, left: ast.expr, right: ast.expr, pattern: str, kind: str, instead: str) -> Iterator[Edit]:
    """Yield the change of the operator that stands between two expressions. None where a comment stands there too."""
    start, end = text.span(left)[1], text.span(right)[0]
    between = text.of(start, end)
    found = list(re.finditer(pattern, between))
    if len(found) == 1 and "#" not in between:
        at = start + len(between[: found[0].start()].encode())
        yield kind, at, at + len(found[0][0].encode()), instead


def mutants(place: str, content: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its text."""
    text, equal = Text(content), Counter[tuple[str, ...]]()
    for node, function, statement in _nodes(ast.parse(content), "", None):
        for kind, start, end, instead in edits(node, text):
            first = header(statement) if statement is not None else ""
            change = f"{text.of(start, end)} → {instead}" if kind in TOKENS else ""
            key = (function, kind, change, first)
            yield Mutant(Named(place, function, kind, change, equal[key], shape(statement), first), start, end, instead)
            equal[key] += 1


def _nodes(node: ast.AST, function: str, statement: ast.stmt | None) -> Iterator[tuple[ast.AST, str, ast.stmt | None]]:
    """Yield each node with its function and statement. None of annotations, decorators, f-strings (Python 3.11 does not say where their
    parts stand), docstrings, and tests of what is true for a type checker or a program alone."""
    skipped = {id(source.doc(node))}
    if isinstance(node, ast.stmt):
        statement = node
    yield node, function, statement
    inner = f"{function}.{node.name}".lstrip(".") if isinstance(node, SCOPES) else function
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "keywords" if isinstance(node, ast.ClassDef) else ""):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr) or id(child) in skipped or _is_for_tools(child):
                continue
            yield from _nodes(child, inner if field == "body" else function, statement)


def _is_for_tools(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).startswith(("TYPE_CHECKING", "__name__"))


def header(statement: ast.stmt) -> str:
    """Return the first line of a statement as `ast` writes it: the same however it is formatted."""
    if isinstance(statement, ast.Try):
        return "try:"
    alone = copy.copy(statement)
    for name in {"body", "orelse", "finalbody", "handlers", "decorator_list"}.intersection(statement._fields):
        setattr(alone, name, [ast.Pass()] if name == "body" else [])
    return ast.unparse(alone).split("\n")[0]


def shape(statement: ast.stmt | None) -> str:
    """Return a hash of a statement's first line without the names in it."""
    blank = re.sub(r"\b[A-Za-z_]\w*\b", "n", header(statement)) if statement is not None else ""
    return hashlib.sha256(blank.encode()).hexdigest()[:12]


def everything(tree: Mapping[str, str], areas: Iterable[str]) -> list[Mutant]:
    """Return every mutant of these folders, generated modules and migrations left out."""
    chosen = tuple(areas)
    return [one for path, text in tree.items() if path.startswith(chosen) and source.written(path, text) for one in mutants(path, text)]


def draw(tree: Mapping[str, str], seed: int, count: int) -> list[Mutant]:
    """Return `count` mutants that parse, the same number of each area, as the hash of seed and name orders them."""
    drawn = list[Mutant]()
    for at, area in enumerate(AREAS):
        share = count // len(AREAS) + (at < count % len(AREAS))
        ordered = sorted(everything(tree, [area]), key=lambda one: _rank(seed, one.named))
        drawn += islice((one for one in ordered if _parses(one, tree[one.named.place])), share)
    return drawn


def _rank(seed: int, named: Named) -> str:
    return hashlib.sha256(repr((seed, *named.name)).encode()).hexdigest()


def _parses(one: Mutant, text: str) -> bool:
    try:
        return ast.dump(ast.parse(one.apply(text))) != ast.dump(ast.parse(text))
    except SyntaxError:
        return False


class Finder:
    """Find stored mutants in a tree that has changed."""

    def __init__(self, tree: Mapping[str, str]) -> None:
        self._by: dict[tuple[str, ...], list[Mutant]] = defaultdict(list)
        for one in everything(tree, source.PRODUCT):
            for key in _keys(one.named):
                self._by[key].append(one)

    def find(self, named: Named) -> tuple[str, Mutant | None]:
        """Return how it was found (here, moved, renamed, gone) and the mutant. Of several that fit, none: a person decides."""
        for how, key in zip(("here", "moved", "moved", "renamed", "renamed"), _keys(named), strict=True):
            found = self._by.get(key, [])
            if len(found) == 1:
                return how, found[0]
        return "gone", None


def _keys(named: Named) -> list[tuple[str, ...]]:
    """Return what a mutant may be known by, the surest first."""
    last, stem = named.function.rpartition(".")[2], named.place.rpartition("/")[2]
    return [
        ("here", named.place, *named.name),
        ("moved", *named.name),
        ("moved alone", *named.name[1:]),
        ("function", last, named.kind, str(named.number), named.shape),
        ("module", stem, named.kind, str(named.number), named.shape),
    ]


def store(drawn: Iterable[Named], seed: int) -> str:
    """Return the lines of the file."""
    rows = ["\t".join(map(str, astuple(named))) for named in drawn]
    return "\n".join([f"# drawn by `python -m tools.mutants --seed {seed} --count {len(rows)} --write`; numbers begin with 1", *rows, ""])


def stored(text: str) -> list[Named]:
    """Return the mutants of the file, in its order."""
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return [Named(place, function, kind, change, int(number), shape, said) for place, function, kind, change, number, shape, said in rows]


def run(chosen: Iterable[tuple[int, Mutant]], words: list[str]) -> Iterator[str]:
    """Apply each mutant in a copy of the checkout, run pytest there, and yield its line. The words must pass without a mutant: `intact`."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        source.copy_checkout(place)
        shutil.copytree(ROOT / CODECS, place / CODECS, ignore=shutil.ignore_patterns("__pycache__"))
        (place / ".venv").symlink_to(ROOT / ".venv")
        yield f"intact\t{_verdict(place, words)}"
        for number, one in chosen:
            file = place / one.named.place
            text = file.read_text("utf-8")
            file.write_text(one.apply(text), "utf-8")
            yield f"{number}\t{_verdict(place, words)}\t{one.named.place}\t{'	'.join(one.named.name)}"
            file.write_text(text, "utf-8")


def _verdict(place: Path, words: list[str]) -> str:
    """Return killed or survived, the seconds, and the test that failed. Nothing is compiled to disk: a changed file of the same size within
    a second would be taken for the old one."""
    environment = os.environ | {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words]
    began = time.monotonic()
    try:
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        return f"killed\t{LONGEST_S}\thung"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    verdict = {0: "survived", 4: "unusable", 5: "unusable"}.get(done.returncode, "killed")
    return f"{verdict}\t{time.monotonic() - began:.1f}\t{failed[1] if failed else ''}"


def main() -> None:
    """Draw, list or run."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description="Draw mutants, and run tests against them.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--write", action="store_true", help="store the draw")
    parser.add_argument("--list", action="store_true", help="where the checkout has each stored mutant")
    parser.add_argument("--run", type=int, nargs="+", metavar="K", help="numbers of the list; pytest words behind --")
    parser.add_argument("words", nargs="*", help="for pytest")
    given = parser.parse_args()
    tree = source.texts(ROOT)
    if not (given.list or given.run):
        drawn = [one.named for one in draw(tree, given.seed, given.count)]
        if given.write:
            STORED.write_text(store(drawn, given.seed), "utf-8")
        print("\n".join(f"{at}\t{named.place}\t{'	'.join(named.name)}" for at, named in enumerate(drawn, 1)))
        return
    finder = Finder(tree)
    known = {at: (named, *finder.find(named)) for at, named in enumerate(stored(STORED.read_text("utf-8")), 1)}
    if given.list:
        for at, (named, how, one) in known.items():
            print(f"{at}\t{how}\t{one.named.place if one else named.place}\t{'	'.join(named.name)}")
        print(", ".join(f"{count} {how}" for how, count in Counter(how for _, how, _ in known.values()).items()), file=sys.stderr)
        return
    for line in run([(at, one) for at in given.run if (one := known[at][2])], given.words):
        print(line, flush=True)


if __name__ == "__main__":
    main()
