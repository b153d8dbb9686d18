"""The page for authors is right: it has every word of the language, and every example on it compiles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from referral.domain.policy import compile
from referral.domain.policy.guidance import HEADINGS
from referral.domain.policy.reading import vocabulary as words
from referral.wire import policy_digest
from tests.stories import teller
from tests.stories.teller import POLICY

PAGE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text("utf-8")
FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
CHILD = "pathways/trafficking-child.yaml"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
ROWS = [match for match in re.findall(r"^\|(.*)\| `([a-z_]+: [^`]*)`[^|]*\|$", PAGE, re.M) if "…" not in match[1]]
EXAMPLES = [yaml.safe_load("{" + example + "}") for _, example in ROWS]
FORM = {"ask": "health-house", "within": {"accept": "2 h P", "complete": "24 h P", "hold": "4 h P"}}


def compiled(changed: dict[str, Any]) -> None:
    """The procedure for trafficked children, with what an example says in place of what it says itself."""
    text = yaml.safe_load(FILES[CHILD])
    named = {name: text["words"].get(name, {}) | more for name, more in changed.get("words", {}).items()}
    text |= changed | {"words": text["words"] | named}
    steps = {step["id"]: step for step in [*yaml.safe_load(FILES[CHILD])["steps"], *changed.get("steps", [])]}
    text["steps"] = list(steps.values())
    compile({**FILES, CHILD: yaml.safe_dump(text, allow_unicode=True, sort_keys=False).encode()})


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0].strip("- ") for block in BLOCKS])
def test_a_block_compiles(block: str) -> None:
    said = yaml.safe_load(block)
    if isinstance(said, list):
        compiled({"steps": said})
    elif "pathway" in said:
        compile({**FILES, f"pathways/{said['pathway']}.yaml": block.encode()})
    elif "agency" in said:
        compile({**FILES, f"directory/{said['agency']}.yaml": block.encode()})
    elif "ban" in said:
        codes = yaml.safe_load(FILES["codes.yaml"])
        assert said["ban"].items() <= codes["ban"].items()
    elif any(isinstance(section, dict) and "personal" in section for section in said.values()):
        whole = yaml.safe_load(FILES["casefile.yaml"])
        whole["sections"] |= said
        compile({**FILES, "casefile.yaml": yaml.safe_dump(whole, allow_unicode=True, sort_keys=False).encode()})
    else:
        compiled(said)


STEPS = [said for said in EXAMPLES if set(said) <= set(words.STEP)]


@pytest.mark.parametrize("said", [said for said in EXAMPLES if said not in STEPS], ids=lambda said: next(iter(said)))
def test_an_example_of_the_whole_compiles(said: dict[str, Any]) -> None:
    compiled(said)


def test_every_example_of_a_step_compiles() -> None:
    """In one procedure with a step for each, so that one reading tells all that is wrong."""
    four = dict.fromkeys(("sq", "sr-Latn", "sr-Cyrl", "en"), "Example")
    steps = [{"id": f"example-{n}", **FORM, **said} for n, said in enumerate(STEPS)]
    compiled({"words": {"step": {step["id"]: four for step in steps}}, "steps": steps})


def test_the_example_of_guidance_compiles() -> None:
    [example] = re.findall(r"^```md\n(.*?)^```", PAGE, re.M | re.S)
    whole = policy_digest.read(POLICY)
    said = compile({**whole, "guidance/first-contact.en.md": example.encode()}).guidance["first-contact"]["en"]
    assert said.version == 2 and len(said.sections["do"]) == 2
    for headings in zip(*(HEADINGS[section].values() for section in HEADINGS), strict=True):
        assert " · ".join(headings) in PAGE or all(f"## {heading}\n" in example for heading in headings)


def test_there_are_examples_to_run() -> None:
    assert len(BLOCKS) >= 8 and len(ROWS) >= 50
    shown = {word for said in EXAMPLES for word in said}
    assert shown >= set(words.STEP), "every word of a step has an example"
    looked_at = " ".join(example for _, example in ROWS)
    assert all(re.search(rf"\b{circumstance}: \[", looked_at) for circumstance in (*words.TRAITS, "consent"))


def test_every_word_of_the_language_is_on_the_page() -> None:
    kinds = {word for kind in words.KINDS.values() for word in kind} - {"every"}
    states = {state for kind in words.STATES.values() for state in kind}
    listed = (words.PATHWAY, words.STEP, kinds, states, words.TRAITS, words.CONSENT, words.WITHDRAWAL, words.AREAS, words.LIMITS)
    more = (words.SILENCE, words.MISSED, words.TAGS, teller.policy().codes["ban"], words.OWN_LISTS)
    missing = [
        word
        for table in (*listed, *more)
        for word in table
        if not re.search(rf"`[^`\n]*(?<![\w-]){re.escape(word)}(?![\w-])[^`\n]*`", PAGE)
    ]
    assert not [word for word in missing if not any(word in block for block in BLOCKS)]
