"""What is generated is what the schemas say, and reads as if written by hand."""

from __future__ import annotations

import re
from pathlib import Path

from referral.wire.schema import generate
from tests.harness.wire_values import FOLDER

ROOT = Path(__file__).parents[3]
FILES = generate.render(FOLDER)


def test_nothing_generated_is_stale() -> None:
    assert generate.differences(ROOT, FILES) == ([], [])


def test_generated_python_has_two_blank_lines_before_a_class_or_function() -> None:
    for path, text in FILES.items():
        if path.endswith(".py"):
            assert "\n\n\n\n" not in text, path
            assert "\nclass " not in text.replace("\n\n\nclass ", ""), path
            assert text.endswith("\n")
            assert not text.endswith("\n\n")


def test_every_link_of_the_reference_leads_somewhere() -> None:
    events = FILES["docs/reference/events.md"]
    anchors = {line.lstrip("# ").replace(".", "") for line in events.splitlines() if line.startswith("### ")}
    links = re.findall(r"\(#([^)]+)\)", events) + re.findall(r"\(events\.md#([^)]+)\)", FILES["docs/reference/topics.md"])
    assert len(links) > 50
    assert set(links) <= anchors
