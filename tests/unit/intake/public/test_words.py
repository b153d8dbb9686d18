"""Texts of the public door: every one that a page or template names."""

from __future__ import annotations

import ast
import re

import yaml

from services.intake.pages import render
from services.intake.public import pages

ALL = render.load(lambda: None, pages.HERE).words  # type: ignore[arg-type,return-value]
OWN = set(yaml.safe_load((pages.HERE / "words.yaml").read_text("utf-8"))["texts"])


def test_every_text_is_named_and_every_name_is_a_text() -> None:
    named = set()
    for path in (pages.HERE / "templates").glob("*.html"):
        named |= set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', path.read_text("utf-8")))
    for path in pages.HERE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in ALL["en"].texts:
                named.add(node.value)
    templates = {"known.html", "parts.html", "frame.html", "public.html", "call.html"}
    assert (
        sorted(
            named
            - set(ALL["en"].texts)
            - templates
            - {"need.child", "need.happened", "need.where", "need.note", "need.why_away", "away.agency.id"}
        )
        == []
    )
    form = re.compile(r"\.(needed|means)$|^refer\.[a-z]+$|^refer\.relation\.|^next\.|^receipt\.[a-z]+$|^public\.lost\.")
    built = {key for key in OWN if key.startswith(("refer.", "receipt.", "public.lost.", "next.")) and form.search(key)}
    built |= {key for key in OWN if key.removesuffix(".child").removesuffix(".adult") in ALL["en"].texts}
    assert sorted(OWN - named - built) == [], "no page shows these"
