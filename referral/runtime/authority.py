"""Name the act of every route and of every command, and stop a program at its start that has a route without one.

Each act has rows for everybody in policy/authority.yaml (its reader sees to it), so a route with an act has a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from referral.domain.authority import reading
from referral.domain.authority.matrix import Matrix
from referral.domain.authority.words import Act
from referral.domain.policy.policy import RIGHTS
from referral.errors import Misconfigured
from referral.runtime.settings import CHECKOUT

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Methods of a route for all paths that no other has; it is written `*`."""


def _form(path: str, *more: str) -> str:
    """Return the routes of pages with a form: GET shows it or leads back, POST sends it."""
    return "\n".join(f"{method} {one}" for one in (path, *more) for method in ("GET", "POST"))


def _back(*paths: str) -> str:
    """Return the routes that lead a browser, which loads a form's address again, back to its page. They show nothing."""
    return "\n".join(f"GET {path}" for path in paths)


CASE, SENT, OFFER = "/v1/cases/{case_id}", "/v1/referrals/{referral_id}", "/v1/offers/{offer_id}"
STEP, TASK, CALL, REPORT, PERSON = "/offers/{id}", "/tasks/{id}", "/calls/{id}", "/unverified/{id}", "/agency/person/{id}"
DRILL, DESK = "/exercises/{id}", "/staff/cases/{case_id}"
CHANGES = f"{_form(f'{STEP}/change/{{what}}')}\n{_form(f'{TASK}/change/{{what}}')}"
INTAKE: Mapping[Act, str] = {
    Act.REFER: "POST /v1/referrals",
    Act.ATTACH_REFERRAL: "POST /v1/referrals",
    Act.SEE_REFERRAL: f"GET {SENT}",
    Act.PROVE_RECEIPT: f"GET {SENT}/proof",
    Act.WITHDRAW_REFERRAL: f"POST {SENT}/withdrawal",
    Act.SEE_SUBMISSION: "GET /v1/submissions/{key:path}\nGET /v1/status",
    Act.SEE_CASE: f"GET {CASE}",
    Act.READ_FILE: f"GET {CASE}/file\nPOST {STEP}/show",
    Act.READ_VERSIONS: f"GET {CASE}/file/{{section}}/versions",
    Act.LIST_SECTIONS: f"GET {STEP}/write",
    Act.WRITE_SECTION: f"PUT {CASE}/file/{{section}}\nPOST {STEP}/write/{{section}}",
    Act.DISCARD_DRAFT: f"POST {STEP}/write/{{section}}",
    Act.RECORD_CONSENT: f"POST {CASE}/consent\n{CHANGES}",
    Act.RECORD_TRAITS: f"POST {CASE}/traits\n{CHANGES}",
    Act.EXCLUDE: f"POST {CASE}/exclusions\n{CHANGES}",
    Act.SEE_OFFER: f"GET {OFFER}\nGET {STEP}",
    Act.ANSWER: f"POST {OFFER}/responses\nPOST {STEP}/answer",
    Act.TAKE_BACK: f"POST {OFFER}/withdrawal\nPOST {STEP}/take-back",
    Act.SEE_CALL: f"GET {CALL}",
    Act.READ_CALL: f"POST {CALL}/show",
    Act.ANSWER_CALL: f"POST {OFFER}/responses\nPOST {CALL}/answer",
    Act.TAKE_BACK_CALL: f"POST {CALL}/take-back",
    Act.SEE_TASK: f"GET {TASK}",
    Act.INSTRUCT: f"POST {CASE}/instructions\nPOST {TASK}/instruct",
    Act.SEE_REPORT: f"GET {REPORT}",
    Act.OPEN_REPORT: f"POST {REPORT}/show",
    Act.ANSWER_REPORT: f"POST {REPORT}/answer",
    Act.LIFT_EXCLUSION: f"POST {DESK}/exclusions/lifting",
    Act.SEE_ERASURE: f"GET {DESK}/erasure",
    Act.ASK_ERASURE: f"POST {DESK}/erasure",
    Act.APPROVE_ERASURE: f"POST {DESK}/erasure/approval",
    Act.REFUSE_ERASURE: f"POST {DESK}/erasure/refusal",
    Act.HOLD: f"POST {DESK}/holds",
    Act.LIFT_HOLD: f"POST {DESK}/holds/lifting",
    Act.LIST_OFFERS: "GET /v1/offers",
    Act.LIST_CODES: "GET /v1/codes",
    Act.SEE_INBOX: "GET /\nGET /inbox\nGET /overview\nPOST /overview/find",
    Act.SEE_PROGRESS: "POST /overview/progress",
    Act.LIST_REPORTS: "GET /unverified\nPOST /unverified/read",
    Act.REFUSE_REPORTS: "POST /unverified/refuse",
    Act.LIST_ERASURES: "GET /staff/erasures",
    Act.ASK_ERASURE_REFUSED: "POST /staff/refused/erasure",
    Act.APPROVE_ERASURE_REFUSED: "POST /staff/refused/approval",
    Act.SEE_EXERCISES: f"GET /exercises\nGET {DRILL}",
    Act.START_EXERCISE: "POST /exercises/start",
    Act.END_EXERCISE: f"POST {DRILL}/end",
    Act.AGREE_NIGHTS: "POST /exercises/nights\nPOST /exercises/nights/end",
    Act.SEE_AGENCY: f"GET /agency\nGET {PERSON}\n" + _form("/agency/find"),
    Act.MANAGE_ROTA: _form("/agency/shift", "/agency/end/{part}/{number}"),
    Act.MANAGE_PEOPLE: _form("/agency/invite", *(f"{PERSON}/{what}" for what in ("rungs", "head", "off", "again"))),
    Act.RECORD_ABSENCE: _form("/agency/absence", "/agency/end/{part}/{number}"),
    Act.MANAGE_OWN_ACCOUNT: "GET /me\n"
    + _form(*(f"/me/{what}" for what in ("address", "code", "end", "test", "password", "sessions")))
    + "\n"
    + _form(*(f"/me/{what}" for what in ("feed", "nofeed", "answer", "takeover", "swap"))),
    Act.READ_OPEN_PAGES: "GET /openapi.json\nGET /v1/ingress-key\nGET /closed\nGET /static/inbox.css\nGET /static/mark.svg\n"
    + _back("/seen", "/overview/find", "/overview/progress", "/unverified/read", "/unverified/refuse", "/refer/language")
    + "\n"
    + _back(*(f"{STEP}/{form}" for form in ("show", "answer", "take-back", "write/{section}")), f"{TASK}/instruct")
    + "\n"
    + _back(*(f"{CALL}/{form}" for form in ("show", "answer", "take-back")), *(f"{REPORT}/{form}" for form in ("show", "answer")))
    + "\n"
    + _back("/exercises/start", "/exercises/nights", "/exercises/nights/end", f"{DRILL}/end"),
    Act.SIGN_IN: _form("/signin", "/signout", "/language"),
    Act.ACKNOWLEDGE_SEEN: "POST /seen",
    Act.ACCEPT_INVITATION: _form("/invitation"),
    Act.READ_CALENDAR: "GET /shifts/{secret}.ics",
    Act.REFER_PUBLICLY: f"{_form('/refer')}\nGET /help\nPOST /refer/language",
    Act.READ_RECEIPT: _form("/refer/receipt"),
}
NOTIFIER: Mapping[Act, str] = {
    Act.CALL_BACK: _form("/sms/{secret}/receipt/{reference}", "/sms/{secret}/reply"),
    Act.ASK_WHO_WAS_TOLD: "POST /told",
    Act.CHANGE_ROSTER: "POST /roster",
    Act.ANSWER_MESSAGE: _form("/k/{reference}"),
    Act.READ_OPEN_PAGES: "GET /k.css",
}
AUDIT: Mapping[Act, str] = {
    Act.READ_HASHES: "GET /checkpoint\nGET /tile/{path:path}",
    Act.READ_ENTRIES: "GET /tile/{path:path}",
    Act.READ_PROOF: "GET /proofs/{event_id:uuid}",
    Act.ASK_EXERCISE_LOG: "GET /exercises/{case_id:uuid}",
    Act.READ_LOG: "GET /auditor\nGET /auditor/readings\nGET /auditor/cases/{case_id:uuid}\n* /auditor/{rest:path}",
    Act.SIGN_IN: _form("/auditor/signin", "/auditor/signout", "/auditor/language"),
    Act.READ_OPEN_PAGES: "GET /auditor/audit.css\nGET /auditor/mark.svg",
}
_FIGURES = ("country", "deadlines", "procedures/{pathway:str}", "releases", "releases/{number:int}", "measures", "measures/{measure:str}")
_FILES = ("downloads", "dictionary.{kind:str}", "figures.{kind:str}", "releases/{number:int}/figures.{kind:str}")
OVERSIGHT: Mapping[Act, str] = {
    Act.READ_FIGURES: _back("/oversight", *(f"/oversight/{page}" for page in (*_FIGURES, *_FILES))) + "\n* /oversight/{rest:path}",
    Act.SIGN_IN: _form("/oversight/signin", "/oversight/signout", "/oversight/language"),
    Act.READ_OPEN_PAGES: "GET /oversight/oversight.css\nGET /oversight/mark.svg",
}
DOORS: Mapping[str, Mapping[Act, str]] = {
    "intake": INTAKE,
    "notifier": NOTIFIER,
    "audit": AUDIT,
    "oversight": OVERSIGHT,
    "watchman": {Act.BEAT: "POST /beat", Act.ALERT: "POST /alerts"},
}
"""Service → act → its routes, one a line. A route of several acts stands at each; its body says which of them it is."""
COMMANDS: Mapping[Act, str] = {
    Act.REFER: "submit, drill run",
    Act.WITHDRAW_REFERRAL: "drill end",
    Act.SEE_SUBMISSION: "submission",
    Act.PROVE_RECEIPT: "receipt",
    Act.LIST_OFFERS: "offers",
    Act.ANSWER: "respond",
    Act.SEE_CASE: "case show",
    Act.INSTRUCT: "case instruct",
    Act.EXCLUDE: "agency exclude",
    Act.ASK_ERASURE: "case erase",
    Act.APPROVE_ERASURE: "case erase",
    Act.REFUSE_ERASURE: "case erase",
    Act.ASK_ERASURE_REFUSED: "case erase-refused",
    Act.APPROVE_ERASURE_REFUSED: "case erase-refused",
    Act.HOLD: "case hold",
    Act.LIFT_HOLD: "case lift",
    Act.LIST_ERASURES: "case erasures",
    Act.OPERATE: "ca, init, up, demo, tour, handset, doctor, channels, prepare, drill list, drill report, drill pass, desk, prompts",
    Act.RECOVER: "recover, topics",
    Act.ADMINISTER_PEOPLE: "staff, duty",
    Act.ADMINISTER_AGENCIES: "agency token, agency topic, agency connect",
    Act.ADMINISTER_READERS: "audit token, audit key, audit reader, audit writer, audit renew, oversight, security honey",
    Act.CHANGE_POLICY: "policy activate",
    Act.CHECK_LOG: "audit, security events",
    Act.COMPUTE_OFFLINE: "policy, agency key, case key, ca request, ca install, operator",
}
"""Act → commands. A group of commands stands for those of it that are not named alone."""


@cache
def declared() -> Matrix:
    """Return the table that this program has: policy/authority.yaml of the same version. Raises PolicyErrors."""
    return reading.read((CHECKOUT / "policy" / RIGHTS).read_bytes())


def named(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Yield METHOD and path of each route, as the tables above write them."""
    for route in routes:
        assert isinstance(route, Route), "doors have plain routes alone"
        methods = sorted((route.methods or {"GET"}) - {"HEAD"})
        yield from [f"* {route.path}"] if methods == sorted(METHODS) else (f"{method} {route.path}" for method in methods)


def acts(service: str) -> dict[str, tuple[Act, ...]]:
    """Return METHOD and path → the acts of a service's route."""
    found: dict[str, tuple[Act, ...]] = {}
    for act, routes in DOORS[service].items():
        for route in routes.split("\n"):
            found[route] = (*found.get(route, ()), act)
    return found


def checked(service: str, app: Starlette) -> Starlette:
    """Return the application of a service, whose routes all have an act. Misconfigured: one has none, so nobody has said who may ask for
    it."""
    declared()
    known = acts(service)
    if missing := next((route for route in named(app.routes) if route not in known), None):
        raise Misconfigured(
            f"{service} has the route {missing}, and nobody has declared who may ask for it: "
            "name its act in referral/runtime/authority.py, with rows in policy/authority.yaml"
        )
    return app


def of_command(words: str) -> tuple[Act, ...]:
    """Return the acts of a command, by its words; empty where nobody has declared any."""
    listed = {act: text.split(", ") for act, text in COMMANDS.items()}
    at = words if any(words in commands for commands in listed.values()) else words.partition(" ")[0]
    return tuple(act for act, commands in listed.items() if at in commands)
