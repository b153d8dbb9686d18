"""The child's way: every text on every page of it speaks to a child, in every language."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from jinja2 import Environment

from referral.runtime.i18n import ENDONYMS, Words
from services.intake import policy_view
from services.intake.pages import known, render
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
    *("receipt.send", "receipt.long", "refer.other", "refer.then", "refer.said.needed", "next.title"),
    *("known.yes", "known.no", "known.unknown"),
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
    typed = dict.fromkeys(form.TEXTS, "x") | {"who": "", "role": ""}  # a child is asked neither
    given = form.answers(typed | {"voice": "child", "danger": "yes", "found_in": "unknown", "said": "hit", "concern": "violence"})
    policy = shipped.compiled()

    def name(kind: str, code: str) -> str:
        return policy.names(kind, code, language)

    asked = [known.entry(LISTS.questions.each[id], LISTS, name, say) for id in LISTS.questions.child["hit"].asks]
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
        about = {"concerns": [], "bands": [(code, code) for code in LISTS.codes["age-band"]], "places": []}
        about |= {"child": [(word.id, word.names[language]) for word in LISTS.questions.child.values()], "known": asked, "marked": {}}
        about |= {"then": LISTS.questions.child["hit"].then[language], "answers": {"x": "x"}, "away": [], "kept_away": []}
        for errors in ({}, {field: say(key, most=1) for field, key in wrong.items()}):
            values = {"step": step, "number": number, "steps": 5, "first": number == 1, "errors": errors, "bad": bool(errors), "hidden": []}
            made.append(TEMPLATES.get_template("refer.html").render(shared | values | about | {"label": lambda kind, code: code}))
    for again in (False, True):
        made.append(
            TEMPLATES.get_template("sent.html").render(
                shared | {"again": again, "short": not again, "staff": False, "code": "x", "then": "x"}
            )
        )
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
    polite = {key for key in shown if f"{key}.child" not in everything and not key.startswith(("help.", "next."))}
    assert sorted(polite - TO_NOBODY) == []
    assert not {f"{key}.child" for key in TO_NOBODY} & everything.keys(), "a text that speaks to nobody needs no second form"


@pytest.mark.parametrize("language", ["sq", "sr-Latn"])
def test_no_page_mixes_two_ways_of_speaking(language: str) -> None:
    shown, _ = pages(language)
    assert POLITE.findall(re.sub(r"<[^>]*>", " ", shown)) == []


def test_a_child_finds_words_of_its_own() -> None:
    """It chose between names of procedures: a child who is hit found none of them."""
    words = LISTS.questions.child
    assert list(words) == ["hit", "touch", "made", "kept", "alone", "marry", "online", "away", "family", "police", "other"]
    assert all(word.names[language] and word.then[language] for word in words.values() for language in ENDONYMS)
    said = " ".join(text for word in words.values() for text in (word.names["en"], word.then["en"]))
    assert not re.search(r"nobody will know|everything will be fine|thank you", said, re.I)


def test_the_end_says_who_reads_it_and_whom_to_call() -> None:
    say = RENDERER.words["en"].voiced("child")
    assert say("sent.done") == "We have it"
    assert "Somebody whose work is to help will read it. If you are in danger now, call 192." in say("sent.means", number=192)
    shown, _ = pages("en")
    assert (
        "looking out for a child" not in shown
        and "A child needs help" not in shown
        and "the child is" not in shown
        and "You did right to tell." in shown
    )
