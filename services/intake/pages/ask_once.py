"""Ask once before something ends: what was pressed, what ends by it, and a button that means it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from services.intake.pages.case_head import CaseHead
from services.intake.pages.page_request import PageRequest

SURE, YES = "sure", "yes"
"""Field of the second form, and its value."""
ENDING = frozenset({"COMPLETE", "RETURN", "CLOSE", "STOP", "OVERTAKEN"})
"""Answers and instructions that end something: a tap too many at 03:00 must not do it."""


def asks(call: PageRequest, word: str) -> bool:
    """Return whether a word ends something, and the person has not said yet that they mean it."""
    return word in ENDING and call.form.get(SURE) != YES


def question(call: PageRequest, head: CaseHead, title: str, label: str, means: Sequence[str], here: str) -> Response:
    """Return the page that asks.

    title: of the step or task. label: of the word. means: what ends, and whether it can be taken back. here: path of the page of the
    offer or task. Nothing is stored: the page carries what was entered.
    """
    entered = {name: value for name, value in call.form.items() if name not in ("form", SURE)}
    return call.pages.render.page(
        "ask_once.html",
        call.visit,
        here=here,
        head=head,
        title=title,
        label=label,
        means=means,
        action=call.request.url.path,
        entered=entered,
    )
