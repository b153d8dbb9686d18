"""Every file, module and test that a page names exists: a reader who follows a decision to its test finds it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.docs.test_docs import PAGES, ROOT

TOP = ("referral", "services", "tests", "bench", "tools", "policy", "schemas", "examples", "deploy", "docs")
NAMED = re.compile(rf"(?<![\w./<-])(?:(?:{'|'.join(TOP)})/[\w./<>*-]+|(?:{'|'.join(TOP[:5])})(?:\.[a-z_]\w*)+(?![\w-])|\w+\.py\b)")
"""A path from the root, a module with dots, or a file of Python that a page has named before with its folder."""
BLANK = re.compile(r"<\w+>|\b[A-Z]{2,}\b")
"""Part of a name that the reader fills in."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_exists(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    named = {name.rstrip(".") for span in re.findall(r"`([^`\n]+)`", text) for name in NAMED.findall(span)}
    assert sorted(name for name in named if not exists(name)) == []


def test_a_name_that_leads_nowhere_is_found() -> None:
    there = ("tests/web", "test_paths.py", "referral.domain.decide", "services/routing/capacity.held", "policy/pathways/<id>.yaml")
    gone = ("tests/webs", "no.py", "referral.domain.none", "services/routing/capacity.none", "policy/pathways/<id>.json")
    assert [exists(name) for name in (*there, *gone)] == [True] * len(there) + [False] * len(gone)


@cache
def exists(name: str) -> bool:
    """Whether a name leads somewhere: to a file or folder, to one of its kind where the reader fills in a part, to a name in a module."""
    if "/" not in name:
        if name.endswith(".py"):
            return any(next((ROOT / top).rglob(name), None) for top in TOP[:5])
        name = name.replace(".", "/")
        return any((ROOT / name).with_suffix(end).exists() for end in ("", ".py")) or _within(*name.rpartition("/")[::2])
    if next(ROOT.glob(BLANK.sub("*", name)), None) or (ROOT / f"{name}.py").exists():
        return True
    return _within(*name.rpartition(".")[::2])


def _within(module: str, word: str) -> bool:
    """Whether a module defines a word."""
    files = [path for path in (ROOT / f"{module}.py", ROOT / module / "__init__.py") if path.exists()]
    return any(re.search(rf"^(?:(?:async )?def|class) {word}\b|^{word}\b.*=", path.read_text("utf-8"), re.M) for path in files)
