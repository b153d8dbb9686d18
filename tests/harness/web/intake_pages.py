"""Every page of intake, by route: who opens it, and how. One list for whoever looks at all of them.

`routes()` reads the routes of the program; a route that `LOOKS` and `NO_PAGE` do not name turns `test_every_page.py` red. Words in braces
are names of the scene (`intake_scene.scene`): `{accepted}` is an offer that police have accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

from starlette.routing import Route

from services.intake.pages import routes as inbox
from services.intake.pages.page_request import Pages
from services.intake.public import routes as public

NOBODY, DUTY, WORKER, DESKS, COORDINATES = "", "duty", "worker", "clerk", "coordinator"
"""Logins: a stranger, the head of the police unit, a social worker, the desk, the municipality's coordinator for children's rights."""

Act = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Look:
    """One page. who: login that opens it. path: first opened.

    acts: in turn, a button that leads to another page (its CSS), or a field and what is entered there (CSS, value).
    """

    who: str
    path: str
    acts: tuple[Act, ...] = ()


def look(who: str, path: str, *acts: Act) -> Look:
    """Return a look."""
    return Look(who, path, acts)


@cache
def routes() -> list[str]:
    """Return every route of the pages as METHOD path."""
    nothing: Any = _Nothing()
    pages = Pages(nothing, nothing, nothing, nothing, nothing, 0)
    found = [route for route in (*inbox.routes(pages), *public.routes(pages)) if isinstance(route, Route)]
    return sorted(f"{method} {route.path}" for route in found for method in (route.methods or ()) if method != "HEAD")


class _Nothing(SimpleNamespace):
    """Stands for what only a request needs."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self


BACK = "leads back to the page of the form"
FILE = "no page"
SAME = "leads to a page that is looked at, or is that page with an error"
NO_PAGE = {
    "GET /": "leads to the inbox",
    "GET /shifts/{secret}.ics": FILE,
    "GET /static/inbox.css": FILE,
    "GET /static/mark.svg": FILE,
    "POST /signout": "leads to the sign-in page",
    "POST /language": BACK,
    "POST /refer/language": BACK,
    "POST /agency/find": SAME,
    "POST /me/sessions": "ends the sessions of this very test",
    **dict.fromkeys((f"POST /agency/person/{{id}}/{what}" for what in ("head", "off", "again", "rungs")), SAME),
    **dict.fromkeys((f"POST /me/{what}" for what in ("end", "test", "feed", "nofeed", "answer", "takeover", "swap")), SAME),
    "POST /agency/end/{part}/{number}": SAME,
    "POST /calls/{id}/take-back": "as of an offer",
    "POST /seen": BACK,
    "GET /exercises/{id}": "needs the audit log: tests/web/test_exercise.py",
    "POST /exercises/{id}/end": "as above",
    "POST /exercises/nights": SAME,
    "POST /exercises/nights/end": SAME,
    "POST /exercises/start": SAME,
}
"""Routes without a page of their own, each with the reason. A GET of a path that takes a form leads back to its page."""

ANSWER = "form[action$='/answer']"
OPENED = "form[action$='/show'] button"
ONE = "form[action$='/answer']:has(input[value={}]) button:not([disabled])"
ORDER = "form[action$='/instruct']:has(input[value={}]) button:not([disabled])"
NEXT, SUBMIT = "button[value=next]", "main form button.first"
CHANGES = ("consent", "keep-away", "age", "place")
REFER: tuple[Act, ...] = (
    NEXT,
    ("input[name=danger]", "yes"),
    NEXT,
    NEXT,
    ("#found_in", "prizren"),
    ("#concern", "trafficking"),
    ("#age_band", "12-14"),
    NEXT,
    NEXT,
    ("#happened", "A man waits for her after school. (made up)"),
    NEXT,
    ("#telephone", "044 000 000"),
    NEXT,
    "button[value=send]",
)
"""The public form from its first question to the receipt; each page is first sent empty."""

LOOKS: dict[str, tuple[Look, ...]] = {
    "GET /closed": (look(NOBODY, "/closed?to=/overview"),),
    "GET /signin": (look(NOBODY, "/signin"), look(NOBODY, "/signin?out=1")),
    "POST /signin": (look(NOBODY, "/signin", SUBMIT), look(NOBODY, "/signin", ("#login", "x"), ("#password", "y"), SUBMIT)),
    "GET /inbox": (look(DUTY, "/inbox"), look(WORKER, "/inbox"), look(DESKS, "/inbox")),
    "GET /overview": (look(DUTY, "/overview"), look(DESKS, "/overview"), look(COORDINATES, "/overview")),
    "POST /overview/find": (look(DESKS, "/overview", ("#number", "no number"), "form[action$='/find'] button"),),
    "POST /overview/progress": (look(COORDINATES, "/overview", "form[action$='/progress'] button"),),
    "GET /offers/{id}": tuple(
        look(who, f"/offers/{{{offer}}}")
        for who, offer in (
            (DUTY, "open"),
            (DUTY, "accepted"),
            (DUTY, "slip"),
            (DUTY, "over"),
            (DUTY, "expired"),
            (DUTY, "notice"),
            (WORKER, "decide"),
        )
    ),
    "POST /offers/{id}/show": (look(DUTY, "/offers/{accepted}", OPENED),),
    "POST /offers/{id}/answer": (
        look(DUTY, "/offers/{accepted}", ONE.format("COMPLETE")),
        look(DUTY, "/offers/{open}", ONE.format("DECLINE")),
        look(WORKER, "/offers/{decide}", ONE.format("DECIDE")),
    ),
    "POST /offers/{id}/take-back": (look(DUTY, "/offers/{slip}", "form[action$='/take-back'] button"),),
    "GET /offers/{id}/write": (look(WORKER, "/offers/{support}/write"), look(DUTY, "/offers/{over}/write")),
    "POST /offers/{id}/write/{section}": (
        look(WORKER, "/offers/{support}/write", "form[action$='/contact'] button"),
        look(WORKER, "/offers/{support}/write", "form[action$='/contact'] button", "button[value=draft]"),
        look(WORKER, "/offers/{support}/write", "form[action$='/safety-plan'] button", "button[value=save]"),
    ),
    "GET /offers/{id}/change/{what}": tuple(look(WORKER, f"/offers/{{support}}/change/{what}") for what in CHANGES),
    "POST /offers/{id}/change/{what}": (
        look(WORKER, "/offers/{support}/change/consent", SUBMIT),
        look(WORKER, "/offers/{support}/change/place", ("main [name=found_in]", "peje"), SUBMIT),
    ),
    "GET /tasks/{id}/change/{what}": (look(DESKS, "/tasks/{task}/change/keep-away"),),
    "POST /tasks/{id}/change/{what}": (look(DESKS, "/tasks/{task}/change/age", SUBMIT),),
    "GET /calls/{id}": (look(DESKS, "/calls/{call}"),),
    "POST /calls/{id}/show": (look(DESKS, "/calls/{called}", OPENED),),
    "POST /calls/{id}/answer": (look(DESKS, "/calls/{call}", ONE.format("DECLINE")),),
    "GET /tasks/{id}": (look(DESKS, "/tasks/{task}"), look(DESKS, "/tasks/{stopped}"), look(DESKS, "/tasks/{settled}")),
    "POST /tasks/{id}/instruct": (look(DESKS, "/tasks/{task}", ORDER.format("CLOSE")),),
    "GET /exercises": (look(DUTY, "/exercises"),),
    "GET /agency": (look(DUTY, "/agency"),),
    "GET /agency/shift": (look(DUTY, "/agency/shift"),),
    "POST /agency/shift": (look(DUTY, "/agency/shift", SUBMIT),),
    "GET /agency/absence": (look(DUTY, "/agency/absence"),),
    "POST /agency/absence": (look(DUTY, "/agency/absence", SUBMIT),),
    "GET /agency/end/{part}/{number}": (look(DUTY, "/agency/end/weekly/1"),),
    "GET /agency/invite": (look(DUTY, "/agency/invite"),),
    "POST /agency/invite": (look(DUTY, "/agency/invite", SUBMIT),),
    "GET /agency/person/{id}": (look(DUTY, "/agency/person/{person}"),),
    "GET /me": (look(DUTY, "/me"), look(WORKER, "/me")),
    "POST /me/address": (look(DUTY, "/me", "form[action$='/address'] button"),),
    "POST /me/code": (look(DUTY, "/me", "form[action$='/address'] button"),),
    "POST /me/password": (look(DUTY, "/me", "form[action$='/password'] button"),),
    "GET /me/takeover": (look(DUTY, "/me/takeover?rung=duty-officer"),),
    "GET /me/swap": (look(DUTY, "/me/swap"),),
    "GET /invitation": (look(NOBODY, "/invitation"),),
    "POST /invitation": (look(NOBODY, "/invitation", SUBMIT),),
    "GET /refer": (look(NOBODY, "/refer"), look(DUTY, "/refer")),
    "POST /refer": (*(look(NOBODY, "/refer", *REFER[:upto]) for upto in (1, 3, 4, 8, 9, 11, 13, 14)),),
    "GET /help": (look(NOBODY, "/help"),),
    "GET /refer/receipt": (look(NOBODY, "/refer/receipt"),),
    "POST /refer/receipt": (
        look(NOBODY, "/refer/receipt", SUBMIT),
        look(NOBODY, "/refer/receipt", ("#code", "AAAA-AAAA-AAAA-AAAA"), SUBMIT),
    ),
    "GET /unverified": (look(DESKS, "/unverified"),),
    "GET /unverified/{id}": (look(DESKS, "/unverified/{unverified}"),),
    "POST /unverified/read": (look(DESKS, "/unverified", "form[action$='/read'] button"),),
    "POST /unverified/refuse": (
        look(DESKS, "/unverified", "#refuse button[value=marked]"),
        look(DESKS, "/unverified", ("input[name='mark.1']", ""), ("#refuse [name=reason]", "made-up"), "#refuse button[value=marked]"),
    ),
    "POST /unverified/{id}/show": (look(DESKS, "/unverified/{unverified}", OPENED),),
    "POST /unverified/{id}/answer": (
        look(DESKS, "/unverified/{unverified}", OPENED, "form[action$='/answer']:has(input[value=refuse]) button"),
    ),
}
OTHERS = (look(DUTY, "/nothing"), look(NOBODY, "/nothing"), look(NOBODY, "/refer", *REFER[:-1], "button[value=back]"))
"""Pages that have no route of their own, or that another button of a page leads to."""
