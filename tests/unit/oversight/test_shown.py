"""What the oversight pages make of releases, without a server: blocks, waiting, charts, names, files."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
import yaml

from referral.domain.events import FigureReleased, Mark, Unit
from referral.runtime import i18n as words
from referral.runtime.loop.sequence import Verdict
from referral.web import frame
from referral.wire.figure_release import Published
from services.oversight.disclosure import releases
from services.oversight.pages import downloads, naming, routes, sections, view
from services.oversight.pages.naming import Naming
from services.oversight.pages.view import Span
from services.oversight.release import Release
from tests.harness import made_releases, shipped

OVERSIGHT = Path(routes.__file__).parent
WORDS = words.load(OVERSIGHT / "words.yaml")
POLICY = shipped.compiled()
MEASURES = naming.load(made_releases.K)
SAY = Naming(WORDS["en"], POLICY, MEASURES.measures)
PARTS = frame.templates(OVERSIGHT / "templates").get_template("parts.html").module
YEAR = [Published(one.made, one.figures, 1) for one in made_releases.year(POLICY)]


def out(*releases: Release) -> list[Published]:
    return [Published(one.made, one.figures, 1) for one in releases]


def figures(row: sections.Row) -> list[FigureReleased]:
    """The figures that a release has."""
    return [one for one in row.figures if one is not None]


def test_a_correction_replaces_its_block_and_nothing_else() -> None:
    before, after = view.blocks(YEAR[:12]), view.blocks(YEAR)
    assert [(b.pathway, b.id) for b in before] == [(b.pathway, b.id) for b in after]
    [(old, new)] = [(b, a) for b, a in zip(before, after, strict=True) if b != a]
    assert (old.children, old.release, old.corrects) == (66, 12, None) and (new.children, new.release, new.corrects) == (84, 13, 12)
    assert view.corrected(YEAR) == {12: [13]}
    assert view.newest(after)["child-labour"] == new


def test_a_procedure_waits_until_its_months_are_told() -> None:
    def wait(number: int, first: str, last: str) -> Release:
        return made_releases.made(number, last, [made_releases.waiting(number, "disability", first, last)])

    told = made_releases.made(3, "2027-03", made_releases.Block(3, "disability", "2027-01", "2027-03", 12).figures)

    def waits(*releases: Release) -> list[str]:
        return [f"{figure.first}..{figure.last}" for figure in view.waiting(out(*releases))]

    one, two = wait(1, "2027-01", "2027-01"), wait(2, "2027-01", "2027-02")
    assert waits(one) == ["2027-01..2027-01"] and waits(one, two) == ["2027-01..2027-02"]
    assert waits(one, two, told) == [] and waits(one, two, told, wait(4, "2027-04", "2027-04")) == ["2027-04..2027-04"]


def test_rows_come_in_the_order_of_shown_shares_and_hidden_ones_in_that_of_the_alphabet() -> None:
    block = view.newest(view.blocks(YEAR))["child-labour"]
    tables = {table.id: table for table in sections.of_block(block, SAY)}
    assert [figures(row)[0].value for row in tables["late"].rows] == [42, 28]
    assert list(tables["late"].rest) == sorted(tables["late"].rest) and len(tables["late"].rest) == len(POLICY.agencies) - 2
    hidden = [one for table in tables.values() for row in table.rows for one in figures(row) if not sections.shown(one)]
    assert hidden and {SAY.value(one) for one in hidden} == {""}
    assert set(sections.of_all([block], {}, SAY)) >= set(sections.COUNTRY) - {"time", "waiting"}
    assert set(sections.COUNTRY) == set(sections.DEADLINES)


def test_what_is_hidden_throughout_is_one_line_and_no_wall_of_hatching() -> None:
    few = made_releases.block(POLICY, 1, "disability", "2027-01", "2027-01", 12)
    [block] = view.blocks(out(made_releases.made(1, "2027-01", few.figures)))
    of_all = sections.of_all([block, view.newest(view.blocks(YEAR))["child-labour"]], {}, SAY)
    assert [row.name for row in of_all["stage"].rows] == ["Worst forms of child labour"] and of_all["stage"].rest == ["Disability"]
    tables = {table.id: table for table in sections.of_block(block, SAY)}
    assert all(not table.rows and table.rest for id, table in tables.items() if id != "wait")
    assert "Prizren" in tables["where"].rest and tables["late"].open, "a list that names no agency says that the others are hidden too"


def test_bars_are_as_long_as_their_values_and_hidden_ones_all_alike() -> None:
    bar = PARTS.bar
    assert 'width="25.0%"' in bar(11, 44) and 'width="100.0%"' in bar(50, 44) and "%" in bar(3, 0)
    assert bar(None, 44) == bar(None, 7) and "hatch" in bar(None, 1)


def test_the_area_of_a_bar_over_time_is_its_value() -> None:
    drawn = PARTS.chart([Span(0, 1, 20, "20"), Span(1, 3, 20, "20"), Span(3, 4, None, "…")], ["a", "", "", "d"], 20.0, "<told>")
    sizes = [(float(w), float(h)) for w, h in re.findall(r'width="([\d.]+)" height="([\d.]+)" class="solid"', drawn)]
    assert sizes[0][1] == pytest.approx(2 * sizes[1][1]) and sizes[0][0] + 2 == pytest.approx((sizes[1][0] + 2) / 2)
    assert "&lt;told&gt;" in drawn and drawn.count("#hatch") == 1


def test_a_block_that_began_before_the_chart_is_cut() -> None:
    long = made_releases.Block(1, "disability", "2020-01", "2027-12", 96).figures
    drawn = view.over_time(view.blocks(out(made_releases.made(1, "2027-12", long))), [], SAY)
    assert drawn is not None
    [(spans, words)] = drawn.bars.values()
    xs = [float(x) for x in re.findall(r'<rect x="([-\d.]+)"', PARTS.chart(spans, drawn.ticks, drawn.highest, words))]
    assert xs == [5.0] and words == "Jan 2020 – Dec 2027: 96", "at the left end, one pixel in"
    assert view.over_time([], [], SAY) is None


@pytest.mark.parametrize(
    ("minutes", "told"), [(0, "0 min"), (45, "45 min"), (60, "1 h"), (150, "2 h 30 min"), (1600, "1 d 2 h"), (29_000, "20 d 3 h")]
)
def test_a_length_is_told_in_its_two_largest_units(minutes: int, told: str) -> None:
    assert SAY.length(minutes) == told


@pytest.mark.parametrize(
    ("measure", "group", "told"),
    [
        ("municipality", "prizren", "Prizren"),
        ("municipality", "region:peje", "Region of Pejë"),
        ("municipality", "atlantis-2", "atlantis 2"),
        ("sex-age", "female/12-14", "Female, 12-14"),
        ("sex-age", "age:unknown", "Age not known"),
        ("stage", "accepted", "Accepted"),
        ("stage", "new-stage", "new stage"),
        ("rung", "3+", "Three times or more"),
        ("full", "children-shelter", "Children’s shelter"),
        ("late.csw-prizren", "yes", "Yes"),
    ],
)
def test_groups_have_names_and_unknown_ones_their_code(measure: str, group: str, told: str) -> None:
    assert SAY.group(measure, group) == told


def test_no_field_is_a_formula_and_what_holds_commas_is_quoted() -> None:
    place = {"release": 1, "first": "2027-01", "last": "2027-01", "pathway": ""}
    evil = FigureReleased(**place, measure="=cmd|'/C'!A0", group='a,"b"', unit=Unit.CHILDREN, value=11, mark=Mark.SHOWN)
    [published] = out(made_releases.made(1, "2027-01", [evil]))
    text = downloads.figures_csv([published]).decode()
    assert """\n1,,2027-01,2027-01,,'=cmd|'/C'!A0,"a,""b\"\"",CHILDREN,11,SHOWN\r\n""" in text
    assert downloads.figures_csv([]) == (",".join(downloads.COLUMNS) + "\r\n").encode()
    assert downloads.safe("=1+1") == "'=1+1" and downloads.safe("1+1") == "1+1"


def test_every_text_is_there_in_four_languages_and_in_one_script_each() -> None:
    file = yaml.safe_load((OVERSIGHT / "words.yaml").read_text("utf-8"))
    same = {
        key for key, forms in file["texts"].items() if len(set(forms.values())) < 3 and not key.startswith(("month.", "short.", "date"))
    }
    assert same == set(), "these read the same in two languages: translated?"
    for key, text in WORDS["sr-Cyrl"].texts.items():
        bare = "".join(part for part, *_ in string.Formatter().parse(text))
        assert not re.search("[A-Za-zđžćčš]", bare.replace("SHA-256", "").replace("(СХА-256)", "")), (key, text)


def test_every_text_that_code_and_templates_name_exists() -> None:
    named = {f"section.{id}" for id in (*sections.COUNTRY, "people", "people.cross")} | {f"stage.{code}" for code in sections.STAGES}
    named |= {f"rung.{code}" for code in sections.RUNGS} | {f"wait.{code}" for code in sections.WAITS}
    for path in (*OVERSIGHT.glob("templates/*.html"), *frame.HERE.glob("templates/*.html")):
        named |= set(re.findall(r'say\("([^"]+)"[,)]', path.read_text("utf-8")))
    for path in OVERSIGHT.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
                named |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    assert len(named) > 60
    assert sorted(named - set(WORDS["en"].texts)) == []


def test_whatever_a_release_can_have_met_has_words_and_nothing_else_has() -> None:
    """Words are told where they are met: `_meet("clock-back", …)`, `counted["late"]`, what `_one` and rules return."""
    told = {str(Verdict.REPEAT.value), str(Verdict.FORK.value), *releases.CHILDREN, *releases.PUBLIC}
    for name in ("record_reader", "counting/projection", "counting/rules", "release_builder"):
        for node in ast.walk(ast.parse((OVERSIGHT.parent / f"{name}.py").read_text("utf-8"))):
            match node:
                case ast.Subscript(value=ast.Name(id="met" | "counted"), slice=where):
                    told |= _texts(where)
                case ast.Call(func=ast.Attribute(attr="_meet"), args=[word, *_]):
                    told |= _texts(word)
                case ast.FunctionDef(name="_one"):
                    told |= {word for each in ast.walk(node) if isinstance(each, ast.Return) for word in _texts(each)}
                case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id=first), *_])], value=words) if first.startswith("UNKNOWN"):
                    told |= _texts(words)
    assert {"gap", "clock-back", "late", "unreadable", "unknown-offer"} <= told
    assert {key.removeprefix("counted.") for key in WORDS["en"].texts if key.startswith("counted.")} == told - {""}


def _texts(node: ast.AST) -> set[str]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
