"""Write the tables of docs/architecture.md from the tree: `python -m tests.harness.architecture`.

A table stands behind each `<!-- modules: FOLDER -->`, up to the next empty line. A row is a file and the first sentence of its docstring.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
ROOTS = ("referral", "services")
GENERATED = ("referral/domain/events", "referral/wire/compiled")
MARK = re.compile(r"(<!-- modules: (\S+) -->\n)(?:\|.*\n)*")


def folders() -> list[str]:
    """Return every folder with modules that people write, in the order of their names."""
    found = {
        file.parent.relative_to(ROOT).as_posix() for root in ROOTS for file in (ROOT / root).rglob("*.py") if file.name != "__init__.py"
    }
    return sorted(name for name in found if name not in GENERATED and "/migrations" not in name)


def table(folder: str) -> str:
    """Return the rows of one folder."""
    return "".join(("| file | purpose |\n| --- | --- |\n", *rows(ROOT / folder)))


def rows(folder: Path) -> Iterator[str]:
    """Yield a row for each module. ValueError: one has no docstring."""
    for file in sorted(folder.glob("*.py")):
        if file.name == "__init__.py":
            continue
        said = ast.get_docstring(ast.parse(file.read_text("utf-8")))
        if not said:
            raise ValueError(f"{file.relative_to(ROOT)} has no docstring")
        yield f"| [{file.stem}](../{file.relative_to(ROOT).as_posix()}) | {first(said)} |\n"


def first(said: str) -> str:
    """Return the first sentence of a docstring, on one line."""
    line = " ".join(said.split("\n\n")[0].split())
    end = re.search(r"\.(?= [A-Z`0-9])", line)
    return (line[: end.end()] if end else line).replace("|", "\\|")


def page(text: str) -> str:
    """Return the page with its tables written anew."""
    return MARK.sub(lambda mark: mark[1] + table(mark[2]), text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
