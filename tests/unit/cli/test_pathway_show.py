"""A procedure as an expert reads it: everything that runs is on the sheet, and the picture is whole and legible."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from referral.cli import run
from referral.cli.policy.picture import WIDTH, edges, picture, rows
from referral.cli.policy.sheet import sheet
from referral.domain.events import StepKind
from referral.domain.policy.procedure import Pathway
from tests.stories import teller

SHIPPED = teller.policy()
SVG = "{http://www.w3.org/2000/svg}"
every = pytest.mark.parametrize("pathway", SHIPPED.every, ids=lambda pathway: pathway.id)


@every
def test_the_sheet_says_all_that_runs(pathway: Pathway) -> None:
    found = sheet(pathway, SHIPPED)
    assert [step.id for step in found.steps] == [step.id for step in pathway.steps] and found.digest == pathway.digest
    for step, said in zip(pathway.steps, found.steps, strict=True):
        text = "\n".join(f"{label}: {words}" for label, words in said.rows)
        limits = [*step.limits.values(), *step.at, *([step.then_every] if step.then_every else [])]
        assert all(str(limit) in text and limit.source in "SDP" for limit in limits), step.id
        own = [rule for rule in step.seats if rule.holder is None]
        roles = {role for rule in own for role in (*rule.roles, *rule.last_resort)}
        if step.placement is not None:
            roles |= {*step.placement.until_known, *(role for known in step.placement.roles.values() for role in known)}
        named = {
            "role": roles,
            "decision": {*step.codes, *([step.on_disagreement] if step.on_disagreement in step.codes else [])},
            "section": {section for rule in step.seats for section in rule.shows},
            "basis": step.basis,
            "guidance": step.guidance,
            "need": step.needs,
        }
        for kind, codes in named.items():
            assert all(SHIPPED.names(kind, code, "en") in text for code in codes), (step.id, kind)
        marks = {*step.after, *step.at_once, *step.again, *step.unless, *step.until, *(mark for group in step.when for mark in group)}
        for mark in marks:
            about = mark.partition(".")[0]
            assert "=" in mark or SHIPPED.names("step", about, "en") in text, (step.id, mark)


@every
def test_the_picture_has_every_step_once_in_a_row_below_what_it_waits_for(pathway: Pathway) -> None:
    root = ElementTree.fromstring(picture(pathway, SHIPPED))
    asked = [step for step in pathway.steps if step.kind is not StepKind.FEED]
    boxes = sorted(_boxes(root))
    assert len(boxes) == len(asked)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for n, (x, y, right, low) in enumerate(boxes):
        assert x >= 0 and y >= 0 and right <= width and low <= height
        assert not any(x < r and a < right and y < b and c < low for a, c, r, b in boxes[n + 1 :]), "two boxes overlap"
    level = rows(pathway, edges(pathway))
    for step in asked:
        if not step.at_once:
            assert all(level[mark.partition(".")[0]] < level[step.id] for mark in step.after), step.id


def _boxes(root: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    found = []
    for shape in root.iter():
        if not shape.get("class", "").startswith("box"):
            continue
        if shape.tag == f"{SVG}rect":
            x, y, wide, high = (float(shape.attrib[name]) for name in ("x", "y", "width", "height"))
            found.append((x, y, x + wide, y + high))
        else:
            points = [tuple(map(float, point.split(","))) for point in shape.attrib["points"].split()]
            found.append((*map(min, zip(*points, strict=True)), *map(max, zip(*points, strict=True))))
    return found


@every
def test_the_picture_is_told_to_who_cannot_see_it_and_needs_no_colour(pathway: Pathway) -> None:
    text = picture(pathway, SHIPPED)
    root = ElementTree.fromstring(text)
    assert root.attrib["role"] == "img" and root.attrib["aria-labelledby"] == "title desc"
    assert root.findtext(f"{SVG}title") == SHIPPED.names("pathway", pathway.id, "en")
    told = root.findtext(f"{SVG}desc") or ""
    assert all(SHIPPED.names("step", step.id, "en") in told for step in pathway.asking)
    assert set(re.findall(r"(?:fill|stroke)[:=]\"?([^;\"}]+)", text)) <= {"#000", "#fff", "none"}
    longest = max(
        len(node.text or "") for node in root.iter(f"{SVG}text") if node.get("class") in ("small", "name") and _inside(node, root)
    )
    assert longest * 6.4 <= WIDTH + 20


def _inside(node: ElementTree.Element, root: ElementTree.Element) -> bool:
    """Whether a line of text stands in a box, not below the picture."""
    x, y = float(node.attrib["x"]), float(node.attrib["y"])
    return any(a <= x <= c and b <= y <= d for a, b, c, d in _boxes(root))


def test_the_command_prints_the_sheet_and_writes_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "child.svg"
    assert run(["policy", "show", "trafficking-child", "--svg", str(target)]) == 0
    said = capsys.readouterr().out
    assert "Police, trafficking section" in said and "15 min P" in said and "SHA-256" in said
    ElementTree.parse(target)
    assert run(["policy", "show", "trafficking-child", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["id"] == "police"
    assert run(["policy", "show", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(SHIPPED.every)


def test_what_cannot_be_shown_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "show", "trafficking-chlid"]) == 2
    assert "did you mean trafficking-child?" in capsys.readouterr().err
    assert run(["policy", "show", "--svg", str(tmp_path / "all.svg")]) == 2
    assert run(["policy", "show", "--policy", str(tmp_path / "nowhere")]) == 2
    (tmp_path / "codes.yaml").write_text("a: [")
    capsys.readouterr()
    assert run(["policy", "show", "--policy", str(tmp_path)]) == 1
    assert "codes.yaml:2:1: this is no YAML" in capsys.readouterr().err
