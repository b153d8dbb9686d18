"""Render the pages: the only module that makes HTML, from templates, translated texts and the policy's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from starlette.responses import HTMLResponse

from referral.domain.case_number import case_number
from referral.domain.durations import SECOND_US
from referral.domain.policy import Policy
from referral.runtime import i18n as words
from referral.runtime.i18n import Name, Words
from referral.web import frame, static_file
from services.intake.accounts import rules
from services.intake.messages.timestamps import micros
from services.intake.pages import offer, relative_time
from services.intake.pages.agency import week
from services.intake.pages.exercise import report
from services.intake.pages.forms import WRITTEN, Carried, Fields
from services.intake.pages.session import Visit
from services.intake.pages.writing import content

HERE = Path(__file__).parent
FOLDER = HERE / "templates"
STATIC, SHEET = HERE / "static" / "inbox.css", "/static/inbox.css"
"""The style sheet of all pages, and its path."""
WORDS = HERE / "words" / "inbox.yaml"
MORE = tuple(HERE / "words" / f"{part}.yaml" for part in ("writing", "agency", "exercise"))
"""Files with further texts: one for each larger part of the pages."""
LEFT_OPEN_S = rules.IDLE_US // SECOND_US + 5
"""Seconds after which a page that was left open closes itself: the session has ended by rest, unless another page was used."""
_ENTRY = re.compile(r'<textarea|<input type="(?!hidden|radio|checkbox)')
"""A field into which somebody may be writing. A page with one stays open, and its form is kept when the session has ended."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """The renderer of all pages. policy: returns the compiled policy in force, for names; raises Unavailable where there is none yet.

    beside: further values of each page. sheet: address of the style sheet.
    """

    policy: Callable[[], Policy]
    words: Mapping[str, Words]
    templates: Environment
    beside: Callable[[Renderer, Visit], Mapping[str, object]] = lambda _, __: {}
    sheet: str = SHEET

    def say(self, visit: Visit) -> Words:
        """Return the texts in the reader's language."""
        return self.words[visit.language]

    def name(self, visit: Visit) -> Name:
        """Return the policy's names in the reader's language; a code that the policy does not name is shown with spaces for hyphens."""
        policy = self.policy()
        language = visit.language

        def name(kind: str, code: str) -> str:
            label = policy.names(kind, code, language)
            named = label != code or code in policy.labels.get(kind, {})  # an age band's name may be its code: 12-14
            return label if named else code.replace("-", " ").replace("_", " ")

        return name

    def page(self, template: str, visit: Visit, *, here: str = "/inbox", status: int = 200, **values: object) -> HTMLResponse:
        """Return a page. here: the path to return to after a change of language."""
        say = self.say(visit)
        shared = {
            "say": say,
            "name": self.name(visit) if visit.account else None,
            "account": visit.account,
            "form": visit.form,
            "here": here,
            "speak": "/language",
            "bad": status >= 400,
            "back": "nav.back" if here != "/inbox" and visit.account else "",
            "endonyms": words.ENDONYMS,
            "sheet": self.sheet,
            "now": visit.now,
            "asof": relative_time.clock(say, visit.now, visit.now),
        }
        text = self.templates.get_template(template).render({**shared, **self.beside(self, visit), **values})
        closes = visit.account is not None and not _ENTRY.search(text)
        return HTMLResponse(text, status, {"Refresh": f"{LEFT_OPEN_S}; url=/closed?to={here}"} if closes else None)

    def message(self, visit: Visit, status: int, **values: object) -> HTMLResponse:
        """Return a page that explains an error in plain words: 403, 404, 405, 408, 413, 500 or 503."""
        say = self.say(visit)
        heading, explanation = say(f"page.{status}.title"), say(f"page.{status}", **values)
        return self.page("message.html", visit, status=status, heading=heading, text=explanation, refused=status)

    def ended(self, visit: Visit, to: str, form: Fields, carried: Carried) -> HTMLResponse:
        """Return the page for a session that ended while the person was writing: nothing was sent. The page shows the texts; where the form
        can be carried over, it asks to sign in, and sends it afterwards."""
        kept = [written for field, written in form.items() if field.startswith(WRITTEN) and written.strip()]
        return self.page("ended.html", visit, status=403, to=to, kept=kept, draft=False, carried=carried.hidden)


def load(policy: Callable[[], Policy], *more: Path) -> Renderer:
    """Load texts and templates; the wiring calls it. ValueError: a text stands in two files.

    more: folders of further pages, each with `words.yaml` and `templates`, which may extend those of the inbox.
    """
    texts = words.load(WORDS, *MORE, *(folder / "words.yaml" for folder in more))
    found = frame.templates(*(folder / "templates" for folder in more), FOLDER)
    found.filters |= FILTERS
    found.tests |= TESTS
    return Renderer(policy=policy, words=texts, templates=found, sheet=static_file.sheet(SHEET, STATIC))


def _relative(written: Callable[[Words, Any, int], str]) -> Callable[[Context, Any], str]:
    """Return a filter that says a time in the reader's language, beside the time of the page."""
    return pass_context(lambda page, at: written(page["say"], at, page["now"]))


def _said(written: Callable[..., str]) -> Callable[..., str]:
    """Return a filter that says a value in the reader's language."""
    return pass_context(lambda page, value, *more: written(page["say"], value, *more))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "clock": _relative(relative_time.clock),
    "left": _relative(relative_time.left),
    "limit": _relative(relative_time.limit),
    "moment": _said(relative_time.moment),
    "until": _said(relative_time.between),
    "span": _said(relative_time.span),
    "stamp": relative_time.stamp,
    "second": relative_time.second,
    "machine": relative_time.machine,
    "iso": lambda written: micros(datetime.fromisoformat(written)),
    "tone": pass_context(lambda page, due: relative_time.tone(due, page["now"])),
    "case_number": case_number,
    "named": pass_context(lambda page, codes, kind: [(code, page["name"](kind, code)) for code in codes]),
    "label": pass_context(lambda page, names: content.label(names, page["say"])),
    "options": pass_context(lambda page, field, codes: content.options(field, page["name"], page["say"], codes)),
    "shown": pass_context(lambda page, text_of, text: content.shown(text_of, text, page["name"], page["say"])),
    "worded": pass_context(lambda page, codes, start: [(code, page["say"](f"{start}.{code}")) for code in codes]),
    "script": _said(Words.scripted),
    "rota": _said(week.worded),
    "duration": _said(report.length),
    "map_with": lambda values, function: [function(value) for value in values],
    "held": _said(offer.held),
    "ended": _said(offer.ended),
}
"""What a template does with the values of a row: times (µs UTC), codes and numbers become words. `{{ task.opened_at | clock }}`."""
TESTS: Mapping[str, Callable[..., bool]] = {"urgent": offer.is_urgent, "untold": lambda one: one.reason in offer.UNTOLD}
