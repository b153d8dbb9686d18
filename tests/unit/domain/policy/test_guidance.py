"""Guidance: every step of every procedure has a text in every language, and whatever is wrong in a text is an error with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from referral.cli.policy import policy_folder
from referral.domain.events import StepKind
from referral.domain.policy import Policy, PolicyErrors, compile
from referral.domain.policy.guidance import HEADINGS, WRITTEN
from referral.domain.policy.reading.guidance import LARGEST_TEXT, MOST_CODES, MOST_LINES
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

FILES = policy_digest.read(CHECKOUT / "policy")
SHIPPED = compile(FILES)
TEXT = "guidance/first-contact.en.md"
CHILD = "pathways/trafficking-child.yaml"
EMERGENCY = set(SHIPPED.numbers.values())
"""The only numbers that a text may name: public ones, each with its source."""


def errors(changed: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the errors of the shipped policy with these files in place of its own; None leaves one out."""
    files = {**FILES, **{path: text.encode() for path, text in changed.items() if text is not None}}
    with pytest.raises(PolicyErrors) as caught:
        compile({path: data for path, data in files.items() if path not in changed or changed[path] is not None})
    return caught.value.errors


def text(path: str = TEXT) -> str:
    return FILES[path].decode()


def test_every_step_has_guidance_in_every_language() -> None:
    for pathway in SHIPPED.current:
        for step in pathway.asking:
            assert 1 <= len(step.guidance) <= MOST_CODES, (pathway.id, step.id)
            assert SHIPPED.guiding(pathway.id, step.id) == step.guidance
            for code in step.guidance:
                assert set(SHIPPED.guidance[code]) == set(WRITTEN), code
                assert all(SHIPPED.guidance[code][language].sections[section] for language in WRITTEN for section in HEADINGS)
    bound = {code for pathway in SHIPPED.current for step in pathway.steps for code in step.guidance}
    assert bound == set(SHIPPED.guidance), "a text that no step shows"


def test_the_languages_of_a_text_have_the_same_lines_marks_and_sources() -> None:
    for code, written in SHIPPED.guidance.items():
        shapes = {
            tuple((section, advice.mark, advice.source) for section in HEADINGS for advice in one.sections[section])
            for one in written.values()
        }
        assert len(shapes) == 1, code
        assert len({one.version for one in written.values()}) == 1, code


def test_no_text_names_a_number_without_a_source_or_calls_a_locked_place_safe() -> None:
    for code, written in SHIPPED.guidance.items():
        for one in written.values():
            lines = [advice for section in HEADINGS for advice in one.sections[section]]
            for advice in lines:
                numbers = set(re.findall(r"\b(?:0800 \d{4} \d|\d{3,})\b", advice.text))
                assert numbers <= EMERGENCY and (not numbers or advice.mark == "D"), (code, advice)
            assert not re.search(r"objekt i sigurt|bezbedna ustanova|secure home", " ".join(advice.text for advice in lines)), code


def test_a_number_stands_in_the_code_list_alone_and_is_filled_in() -> None:
    """Another country changes four lines, not a hundred texts."""
    for path, written in FILES.items():
        if path.startswith("guidance/") and path.endswith(".md"):
            said = re.sub(r"\[[^\]\n]*\]$", "", written.decode(), flags=re.M)  # without the marks: an article has a number too
            assert not any(number in said for number in EMERGENCY), path
    other = FILES["codes.yaml"].replace(b'police: "192"', b'police: "999"')
    moved = compile({**FILES, "codes.yaml": other})
    said = [advice.text for advice in moved.guidance["first-contact"]["sq"].sections["call"]]
    assert said[0] == "Rrezik tani: policia 999, ose 112." and "999" in moved.questions.child["kept"].then["en"]


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("codes.yaml", 'police: "192"', 'police: "one nine two"', "a number is written"),
        (TEXT, "{police}", "{polcie}", "{polcie} is no number; did you mean police?"),
        ("questions.yaml", "{police}", "{polcie}", "{polcie} is no number; did you mean police?"),
        ("codes.yaml", 'police: {sq: "Policia e', 'polcie: {sq: "Policia e', "polcie is no number; did you mean police?"),
    ],
)
def test_a_word_that_is_no_number_is_an_error_with_its_line(path: str, before: str, after: str, expected: str) -> None:
    found = errors({path: text(path).replace(before, after, 1)})
    assert any(line.startswith(f"{path}:") and expected in line for line in found), found


def test_nobody_tells_an_office_without_the_system_that_it_is_in_the_system() -> None:
    for code, written in SHIPPED.guidance.items():
        for one in written.values():
            for advice in one.sections["say"]:
                assert advice.reach == "system" or not re.search(r"system|sistem|inbox|kuti|sanduč", advice.text), (code, advice)
    said = SHIPPED.guidance["first-contact"]["en"].sections["say"]
    assert [advice.reach for advice in said] == ["", "system", "phone", ""]
    assert "call your office’s own number" in said[2].text


def test_every_source_is_used() -> None:
    used = {
        advice.source
        for written in SHIPPED.guidance.values()
        for one in written.values()
        for lines in one.sections.values()
        for advice in lines
    }
    assert used - {""} == set(SHIPPED.sources)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.replace("# First contact", "First contact"), rf"{TEXT}:1:0: the first line is the title"),
        (
            lambda t: t.replace("# First contact", "# First talk"),
            rf"{TEXT}:1:0: the title is the code's name in codes.yaml: # First contact",
        ),
        (lambda t: t.replace("version: 2", "version: one"), rf"{TEXT}:2:0: the second line is the version"),
        (
            lambda t: t.replace("version: 2\n", "version: 2\nnative reader: somebody\n"),
            rf"{TEXT}:3:0: leave this line out and use `referral policy review`",
        ),
        (lambda t: t.replace("## Never", "## Ever"), rf"{TEXT}:10:0: section Ever is not known; did you mean Never\?"),
        (lambda t: t[: t.index("## Call")], rf"{TEXT}:0:0: the section ## Call is missing"),
        (lambda t: t.replace("## Ask, and do not ask", "## Never"), rf"{TEXT}:16:0: Never stands in the wrong place or twice"),
        (lambda t: t.replace(" [P]\n", "\n", 1), rf"{TEXT}:5:0: a line is written `- .*`, .*the marks: S "),
        (lambda t: t.replace("[P who-2003]", "[D]", 1), rf"{TEXT}:7:0: a mark D names its document"),
        (lambda t: t.replace("[P]", "[S who-2003]", 1), rf"{TEXT}:5:0: a mark D names its document"),
        (lambda t: t.replace("who-2003", "who-2030", 1), rf"{TEXT}:7:0: source who-2030 is not known; did you mean who-2003\?"),
        (
            lambda t: t.replace("- Say your name", "- " + "Say " * 40 + "your name"),
            rf"{TEXT}:5:0: the line has \d+ characters; at most 180",
        ),
        (lambda t: t.replace("## Never\n", "## Never\n" + "- No. [P]\n" * MOST_LINES), rf"{TEXT}:10:0: Never has 8 lines; 1 to 4"),
        (lambda t: re.sub(r"## Call\n.*", "## Call\n", t, flags=re.S), rf"{TEXT}:27:0: Call has 0 lines"),
        (lambda t: t.replace("## Never\n", "## Never\n- phone: No. [P]\n"), rf"{TEXT}:11:0: phone: stands only before a line of Say on"),
        (lambda t: re.sub(r"- “.*\n|- system: .*\n", "", t), rf"{TEXT}:\d+:0: Say on the telephone has 0 lines"),
        (lambda t: t + "\n" * LARGEST_TEXT, rf"{TEXT}:0:0: the file has \d+ bytes; at most 4096"),
        (lambda t: t.replace("## Do now\n", ""), rf"{TEXT}:4:0: a section begins with its heading: ## Do now"),
    ],
)
def test_what_is_wrong_in_a_text_is_an_error_with_its_line(change: object, expected: str) -> None:
    assert callable(change)
    found = errors({TEXT: change(text())})
    assert any(re.match(expected, line) for line in found), found


def test_a_text_that_is_missing_or_belongs_to_nothing_is_an_error() -> None:
    assert errors({TEXT: None}) == (f"{TEXT}:0:0: the file is missing; each code of guidance has a text in each language",)
    strange = errors({"guidance/first-kontact.en.md": text(), "guidance/first-contact.de.md": text(), "guidance/sources.md": text()})
    assert [line.split(";")[0] for line in strange] == [
        "guidance/first-contact.de.md:0:0: a text is named <code>.<language>.md, its language one of sq, sr-Latn, en",
        "guidance/first-kontact.en.md:0:0: guidance first-kontact is not known",
        "guidance/sources.md:0:0: a text is named <code>.<language>.md, its language one of sq, sr-Latn, en",
    ]
    assert "did you mean first-contact?" in strange[1]


def test_a_step_without_guidance_or_with_an_unknown_code_is_an_error() -> None:
    whole = FILES[CHILD].decode()
    at = whole[: whole.index("- id: health")].count("\n") + 1
    none = whole.replace("    guidance: [health-check]\n", "")
    assert errors({CHILD: none}) == (
        f"{CHILD}:{at}:5: this step has no guidance; name 1 to 3 texts for who does it: guidance: [first-contact]",
    )
    many = errors({CHILD: whole.replace("guidance: [health-check]", "guidance: [health-check, monitoring, case-plan, diversion]")})
    assert len(many) == 1 and "this step has 4 guidance" in many[0]
    unknown = errors({CHILD: whole.replace("guidance: [health-check]", "guidance: [health-chek]")})
    assert len(unknown) == 1 and "guidance health-chek is not known; did you mean health-check?" in unknown[0]
    assert not next(step for step in SHIPPED.current[0].steps if step.kind is StepKind.FEED).guidance, "nobody does a feed"


def test_a_bundle_from_before_guidance_is_still_read() -> None:
    old = {path: data for path, data in FILES.items() if not path.endswith(".md")}
    old[CHILD] = re.sub(rb"    guidance: .*\n", b"", old[CHILD])
    before = compile(old)
    assert not before.guidance and before.guiding("trafficking-child", "police") == ()
    after = compile(FILES, before)
    assert len(after.pinned) == len(before.pinned) + 1
    assert after.guiding("trafficking-child", "police")[0] == "first-contact", "running procedures get it too"


def test_the_newest_procedure_that_has_the_step_names_its_guidance() -> None:
    other = compile({**FILES, CHILD: FILES[CHILD].replace(b"guidance: [health-check]", b"guidance: [hearing-the-child]")}, SHIPPED)
    assert other.guiding("trafficking-child", "health") == ("hearing-the-child",)
    assert other.guiding("", "health") and other.guiding("", "") == () == other.guiding("trafficking-child", "school")
    gone = re.sub(rb"  - id: after-return.*?(?=  - id: plan)", b"", FILES[CHILD], flags=re.S).replace(b", after-return", b"")
    without: Policy = compile({**FILES, CHILD: gone}, SHIPPED)
    assert without.guiding("trafficking-child", "after-return") == ("assisted-return", "monitoring"), "a running track still has the step"


def test_guidance_decides_nothing() -> None:
    changed = compile({**FILES, TEXT: FILES[TEXT].replace(b"Speak calmly", b"Speak softly")})
    assert changed.directory == SHIPPED.directory, "no decision names another policy because a text was changed"
    assert [pathway.digest for pathway in changed.current] == [pathway.digest for pathway in SHIPPED.current]


def test_a_policy_without_any_guidance_is_read_but_never_put_in_force() -> None:
    old = {path: data for path, data in FILES.items() if not path.endswith(".md")}
    assert compile(old).current and policy_folder.check(old) == (
        None,
        ("guidance/:0:0: no text is here; each step needs guidance: add guidance/<code>.<language>.md, and guidance/sources.yaml",),
    )
    assert policy_folder.check(FILES)[1] == ()
