"""What the pages show of the guidance: every step of every procedure in every language, each text whole."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from referral.cli.policy import review
from referral.domain.policy import compile
from referral.domain.policy.reading.reviews import digest
from referral.runtime import i18n
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest
from services.intake.pages import guidance, render
from tests.harness import shipped

POLICY = shipped.compiled()
ALL = i18n.load(render.WORDS)
TEMPLATES = render.load(lambda: POLICY).templates
LIMITS = ("arrive", "present", "complete", "decide", "hold")
STEPS = [(pathway.id, step.id) for pathway in POLICY.current for step in pathway.asking]


def page(language: str) -> Any:
    """The macros of guidance, as a page in a language imports them."""
    return TEMPLATES.get_template("guidance.html").make_module({"say": ALL[language]})


@pytest.mark.parametrize("language", sorted(ALL))
def test_every_step_shows_its_texts_whole(language: str) -> None:
    say = ALL[language]
    for pathway, step in STEPS:
        found = guidance.view(POLICY, 7, pathway, step, say)
        assert found is not None
        shown = str(page(language).help(found))
        assert shown.count("<details>") == len(found.texts) == len(POLICY.guiding(pathway, step))
        for text in found.texts:
            before, _, inside = shown.partition(f"<h3>{say.scripted(text.title)}</h3>")[2].partition("<details>")
            inside = inside.partition("</details>")[0]
            now = [say.scripted(line) for line in found.lines(text, "do")]
            more = [[say.scripted(line) for line in found.lines(text, section)] for section in ("never", "ask", "say", "call")]
            assert all(more) and all(line in inside for lines in more for line in lines)
            assert all(line in before for line in now) and not any(line in before for lines in more for line in lines)
            assert say("guidance.version", version=text.version, bundle=7) in inside
        assert all(say.scripted(line) in str(page(language).spoken(found)) for line in found.lines(found.texts[0], "say"))


def test_serbian_in_cyrillic_has_no_latin_letter() -> None:
    for pathway, step in STEPS:
        found = guidance.view(POLICY, 1, pathway, step, ALL["sr-Cyrl"])
        shown = re.sub(r'(?s)<ul class="quiet" lang="en">.*?</ul>|<[^>]+>', " ", str(page("sr-Cyrl").help(found)))
        assert shown.strip() and not re.search("[A-Za-zđžćčš]", shown)


def test_a_step_without_guidance_shows_nothing() -> None:
    assert guidance.view(POLICY, 1, "trafficking-child", "", ALL["en"]) is None
    assert guidance.view(replace(POLICY, guidance={}), 1, "trafficking-child", "police", ALL["en"]) is None
    assert not str(page("en").help(None)).strip() and not str(page("en").spoken(None)).strip()


def test_a_text_that_a_native_reader_has_read_no_longer_says_that_none_has() -> None:
    files = policy_digest.read(CHECKOUT / "policy")
    path = "guidance/health-check.sq.md"
    entry = {"of": digest(files[path]), "read": "2026-12-01"}
    read = compile({**files, "reviews.yaml": review.text({path: entry})})
    view, before = (guidance.view(policy, 1, "trafficking-child", "health", ALL["sq"]) for policy in (read, POLICY))
    unread = ALL["sq"]("guidance.unread")
    assert unread in str(page("sq").help(before)) and str(page("sq").help(view)).count(unread) < str(page("sq").help(before)).count(unread)


def test_the_name_of_an_office_is_written_as_the_office_writes_it() -> None:
    files = policy_digest.read(CHECKOUT / "policy")
    path = "guidance/health-check.sr-Latn.md"
    entry = {"of": digest(files[path]), "confirmed": "2026-12-01", "office": "Zyra e Shpikur"}
    confirmed = compile({**files, "reviews.yaml": review.text({path: entry})})
    shown = str(page("sr-Cyrl").help(guidance.view(confirmed, 1, "trafficking-child", "health", ALL["sr-Cyrl"])))
    assert ALL["sr-Cyrl"]("guidance.confirmed", office="Zyra e Shpikur", day="2026-12-01") in shown


PRESSED = re.compile(r"(?:[Pp]ress|[Ss]htypni|[Pp]ritisnite) [“„]([^“”]+)[“”]")


@pytest.mark.parametrize("language", ["en", "sq", "sr-Latn"])
def test_a_button_that_guidance_names_is_on_the_page(language: str) -> None:
    """In Albanian it said to press "The child has arrived": the button has other words since it was mended."""
    buttons = {text for key, text in ALL[language].texts.items() if key.startswith("word.")}
    files = policy_digest.read(CHECKOUT / "policy")
    named = [found for path, text in files.items() if path.endswith(f".{language}.md") for found in PRESSED.findall(text.decode())]
    assert named and set(named) <= buttons


@pytest.mark.parametrize("language", sorted(ALL))
def test_no_label_of_an_adults_procedure_calls_the_person_a_child(language: str) -> None:
    """A shelter for adults was told "the child has arrived", and its desk "the child has not arrived"."""
    child = {"en": "child", "sq": "fëmij", "sr-Latn": "det", "sr-Cyrl": "дет"}[language]
    labels = [POLICY.names("word", "ARRIVE", language), *(POLICY.names("about", f"{limit}-missed", language) for limit in LIMITS)]
    labels += [POLICY.names("limit", limit, language) for limit in LIMITS]
    assert not [label for label in (*labels, ALL[language].texts["once.short"]) if child in label.lower()]
