"""Render the pages: the only module that makes HTML, from templates, translated texts and the policy's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment
from starlette.responses import HTMLResponse

from referral.domain.durations import SECOND_US
from referral.domain.policy import Policy
from referral.runtime import i18n as words
from referral.runtime.i18n import Words
from referral.web import frame, static_file
from services.intake.accounts import rules
from services.intake.pages import relative_time
from services.intake.pages.forms import WRITTEN, Fields
from services.intake.pages.labels import Name
from services.intake.pages.resume import Kept
from services.intake.pages.session import Visit

FOLDER = Path(__file__).with_name("templates")
STATIC, SHEET = Path(__file__).with_name("static") / "inbox.css", "/static/inbox.css"
"""The style sheet of all pages, and its path."""
WORDS = Path(__file__).with_name("words.yaml")
MORE = (Path(__file__).with_name("words_writing.yaml"),)
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
            "stamp": relative_time.stamp(visit.now),
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

    def ended(self, visit: Visit, to: str, form: Fields, carried: Kept) -> HTMLResponse:
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
    return Renderer(policy=policy, words=texts, templates=found, sheet=static_file.sheet(SHEET, STATIC))
