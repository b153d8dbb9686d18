"""Texts of the pages of exercises: every one that code and templates name exists."""

from __future__ import annotations

import ast
import re

from referral.exercise import stories
from services.intake.pages import render
from services.intake.pages.agency import routes as agency
from services.intake.pages.exercise import routes

ALL = render.load(lambda: None, routes.HERE, agency.HERE).words  # type: ignore[arg-type,return-value]


def test_every_text_that_code_and_templates_name_exists() -> None:
    named = {f"error.{reason}" for reason in ("night", "running", "here", "anywhere")}
    named |= {f"report.limit.{state}" for state in ("late", "met", "missed", "runs")}
    named |= {f"count.{word}" for word in ("asked", "answered", "late", "declined", "ignored", "read")}
    for path in (routes.HERE / "templates").glob("*.html"):
        named |= set(re.findall(r'say\("([^"]+)"[,)]', path.read_text("utf-8")))
    for path in routes.HERE.glob("*.py"):
        source = path.read_text("utf-8")
        named |= set(re.findall(r'"(error\.[a-z-]+)"', source))
        named |= {f"done.{word}" for word in re.findall(r'asking\.sent\(.*"([a-z-]+)"\)', source)}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and "say" in (getattr(node.func, "id", ""), getattr(node.func, "attr", "")):
                named |= {str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    assert len(named) > 60
    assert sorted(named - set(ALL["en"].texts)) == []


def test_every_text_of_these_pages_is_used() -> None:
    used = "".join(path.read_text("utf-8") for path in (*routes.HERE.glob("*.py"), *(routes.HERE / "templates").glob("*.html")))
    states = {f"report.limit.{state}" for state in ("late", "met", "missed", "runs")}
    own = {key for key in ALL["en"].texts if key.split(".")[0] in ("exercise", "start", "nights", "report", "over")} - states
    assert sorted(key for key in own if f'"{key}"' not in used and f"'{key}'" not in used) == []


def test_the_stories_are_written_in_every_language() -> None:
    for name, story in stories.stories().items():
        for texts in (story.title, story.hint):
            assert len(set(texts.values())) == 3, name
