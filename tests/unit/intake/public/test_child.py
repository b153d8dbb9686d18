"""The child's way: every text on every page of it speaks to a child, in every language."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from jinja2 import Environment

from referral.runtime.i18n import ENDONYMS, Words
from services.intake import policy_view
from services.intake.pages import render
from services.intake.public import form, pages
from services.intake.public.pages import Number
from services.intake.public.receipt import NOTE, Said
from tests.harness import shipped

RENDERER = render.load(shipped.compiled, pages.HERE)
LISTS = policy_view.of(shipped.compiled(), 1)
TEMPLATES: Environment = RENDERER.templates
TO_NOBODY = {
    *("skip", "nav.language", "nav.change", "error.title", "public.leave", "public.pages"),
    *("refer.page", "refer.danger.ask", "refer.danger.short", "refer.danger.yes", "refer.danger.no", "refer.unsure", "refer.unknown"),
    *("refer.telephone", "refer.when.hint", "refer.next", "refer.back", "refer.send", "refer.long", "sent.look", "full.again"),
    *(
        "receipt.title",
        "receipt.code",
        "receipt.code.hint",
        "receipt.look",
        "receipt.unknown",
        "receipt.received",
        "receipt.received.means",
    ),
    *("receipt.send", "receipt.long"),
}
"""Texts that address nobody, or are a child's already: the same for every reader. The pages of help are a child's alone."""
POLITE = re.compile(
    r"\b(ju|juaj|tuaj\w*|jeni|keni|mund t’ju|lutemi \w+ni|shkruani|zgjidhni|telefononi|kontrolloni\w*|thoni|dërgojeni|lexojeni"
    r"|vas|vam|vama|vaš\w*|ste|možete|recite|izaberite|pozovite|proverite|napišite|pročitajte|pošaljite|dodajte|upišite)\b",
    re.I,
)
"""Forms with which an adult is addressed, in Albanian and Serbian."""


class Recorded(dict[str, str]):
    """The texts of one language, which remember the keys that were shown."""

    def __init__(self, texts: Any) -> None:
        super().__init__(texts)
        self.shown: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.shown.add(key)
        return super().__getitem__(key)


def pages(language: str) -> tuple[str, set[str]]:
    """Every page of the child's way in one language, and the keys of all texts on them."""
    voiced = RENDERER.words[language].voiced("child")
    texts = Recorded(voiced.texts)
    say: Words = replace(voiced, texts=texts)
    labels = {"concern": LISTS.codes["concern"], "age-band": LISTS.codes["age-band"]}

    def named(kind: str, unknown: str) -> list[tuple[str, str]]:
        return [(code, say(f"refer.{kind}.{code}") if kind == "concern" else code) for code in labels[kind] if code != "unknown"] + [
            ("unknown", say.first(f"refer.{kind}.unknown", unknown))
        ]

    typed = dict.fromkeys(form.TEXTS, "x") | {"who": "", "role": ""}  # a child is asked neither
    given = form.answers(typed | {"voice": "child", "danger": "yes", "found_in": "unknown", "concern": "unknown"})
    shared: dict[str, Any] = {
        "say": say,
        "voice": "child",
        "account": None,
        "drill": True,
        "endonyms": ENDONYMS,
        "sheet": render.SHEET,
        "numbers": [Number("192", "192", "x")],
        "given": given,
        "limits": form.TEXTS,
        "errors": {},
        "bad": False,
        "form": "x",
        "here": "/refer",
        "speak": "/refer/language",
        "leave": "x",
        "closed": False,
        "away": False,
        "staff": "",
        "relations": [],
    }
    made = [TEMPLATES.get_template("help.html").render(shared)]
    for number, step in enumerate(form.STEPS, 1):
        wrong = form.wrong(step, form.answers({"voice": "child"}), LISTS)
        about = {"concerns": named("concern", "refer.unsure"), "bands": named("age-band", "refer.unknown"), "places": []}
        for errors in ({}, {field: say(key, most=1) for field, key in wrong.items()}):
            values = {"step": step, "number": number, "steps": 5, "first": number == 1, "errors": errors, "bad": bool(errors), "hidden": []}
            made.append(TEMPLATES.get_template("refer.html").render(shared | values | about | {"label": lambda kind, code: code}))
    for again in (False, True):
        made.append(TEMPLATES.get_template("sent.html").render(shared | {"again": again, "short": not again, "staff": False, "code": "x"}))
    for values in ({}, {"closed": True}, {"away": True}):
        made.append(TEMPLATES.get_template("full.html").render(shared | values))
    for error in ("", "receipt.needed", "receipt.long"):
        for said in (None, *Said):
            for kept in ("", "receipt.kept", "receipt.full"):
                values = {"said": said, "error": error, "kept": kept, "most": NOTE, "code": "", "note": "x", "key": "x"}
                made.append(TEMPLATES.get_template("receipt.html").render(shared | values))
    return "\n".join(made), texts.shown


@pytest.mark.parametrize("language", ENDONYMS)
def test_every_text_on_a_childs_way_is_a_childs(language: str) -> None:
    everything = RENDERER.words[language].texts
    _, shown = pages(language)
    assert len(shown) > 80
    assert sorted(key for key in shown if f"{key}.child" not in everything and key not in TO_NOBODY and not key.startswith("help.")) == []
    assert not {f"{key}.child" for key in TO_NOBODY} & everything.keys(), "a text that speaks to nobody needs no second form"


@pytest.mark.parametrize("language", ["sq", "sr-Latn"])
def test_no_page_mixes_two_ways_of_speaking(language: str) -> None:
    shown, _ = pages(language)
    assert POLITE.findall(re.sub(r"<[^>]*>", " ", shown)) == []


def test_every_concern_has_a_childs_words() -> None:
    """A procedure that is added later shows the policy's name until somebody writes them."""
    for language in ENDONYMS:
        say = RENDERER.words[language].voiced("child")
        assert all(say.has(f"refer.concern.{code}") for code in LISTS.codes["concern"])
        assert not any(RENDERER.words[language].has(f"refer.concern.{code}") for code in LISTS.codes["concern"])


def test_the_end_says_who_reads_it_and_whom_to_call() -> None:
    say = RENDERER.words["en"].voiced("child")
    assert say("sent.done") == "We have it"
    assert "Somebody whose work is to help will read it. If you are in danger now, call 192." in say("sent.means", number=192)
    shown, _ = pages("en")
    assert "looking out for a child" not in shown and "A child needs help" not in shown and "the child is" not in shown
