"""The style sheet of the inbox has no left and no right: a page that is read from the other side is laid out from there."""

from __future__ import annotations

import re

import pytest

from services.intake.pages import render

BLOCK = re.compile(r"\{([^{}]*)\}")
PHYSICAL = re.compile(
    r"(?:^|[;\s])((?:(?:margin|padding|border|scroll-margin|scroll-padding)-)?(?:left|right|top|bottom)(?:-\w+)?\s*:"
    r"|(?:text-align|float|clear)\s*:\s*(?:left|right)"
    r"|(?:margin|padding|inset|border-width|border-color|border-style)\s*:(?:\s+[^\s;]+){4}\s*(?=;|$))"
)
"""A side by its place on the screen, as a property or a value, and a shorthand that gives each side its own value."""


def physical(sheet: str) -> list[str]:
    return [found for block in BLOCK.findall(sheet) for found in PHYSICAL.findall(block.strip())]


def test_every_property_is_logical() -> None:
    assert physical(render.STATIC.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "written",
    ["margin-left: 0", "left: 1rem;", "color: red; border-top: 0", "text-align: right;", "padding: 0 1rem 0 0", "border-left-width: 1px"],
)
def test_a_physical_one_is_found(written: str) -> None:
    assert physical(f"p {{ {written} }}")


@pytest.mark.parametrize(
    "written", ["margin-inline-start: 0", "text-align: start;", "padding: 0 1rem 2rem", "vertical-align: top;", "inset: 0;"]
)
def test_a_logical_one_is_not(written: str) -> None:
    assert physical(f"p {{ {written} }}") == []
