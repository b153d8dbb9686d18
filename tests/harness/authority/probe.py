"""Probes of the authority table: for each cell the real requests that ask for it, and which answer a response is."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from msgspec import structs

from referral.domain.authority.matrix import Cell, Decision, Matrix
from referral.domain.authority.words import STATUS, About, Act, Kind, Relation
from services.intake.accounts import rules
from tests.harness.authority.scene import Case, Scene, body
from tests.harness.web.world import PASSWORD

ALLOWED, UNKNOWN, REFUSED, SIGN_IN = "allowed", "unknown", "refused", "sign in"
READY = (409, 503)
"""Statuses of who may, where the case is not ready, or the log (which these probes do not have) is away."""
TRAITS = {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "emergency", "age_band": "12-14"}
CONSENT = {"state": "GIVEN", "basis": "consent", "giver": "person"}
ORDER = {"word": "STOP", "reason": "other"}
SAID = {"f.text": "made up", "since": "0"}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. path: with {case}, {offer}, {task} and {referral}. json: body of a program. form: of a page; None for a GET."""

    method: str
    path: str
    json: Any = None
    form: Mapping[str, str] | None = None

    @property
    def is_page(self) -> bool:
        return not self.path.startswith(("/v1", "/staff"))


def _page(path: str, form: Mapping[str, str] | None = None) -> Ask:
    return Ask("GET" if form is None else "POST", path, form=form)


CASE, OFFER, STEP, TASK = "/v1/cases/{case}", "/v1/offers/{offer}", "/offers/{offer}", "/tasks/{task}"
CALL, REPORT = "/calls/{offer}", "/unverified/{task}"
STAFF, SENT = "/staff/cases/{case}", "/v1/referrals/{referral}"
CONSENTS = {"state": "GIVEN", "giver": "person", "do": "send"}
AGE, PLACE = {"age": "child", "do": "send"}, {"found_in": "peje", "do": "send"}
PEOPLE = (Kind.STAFF, Kind.DESK, Kind.OVERSIGHT)


def _changes(of: str) -> Mapping[Act, tuple[Ask, ...]]:
    return {
        Act.RECORD_CONSENT: (_page(f"{of}/change/consent"), _page(f"{of}/change/consent", CONSENTS)),
        Act.RECORD_TRAITS: (
            _page(f"{of}/change/age", {"age": "child", "do": "send"}),
            _page(f"{of}/change/place", {"found_in": "peje", "do": "send"}),
        ),
        Act.EXCLUDE: (_page(f"{of}/change/keep-away", {"kind": "RELATION", "relation": "parent", "do": "send"}),),
    }


ASKS: Mapping[tuple[Act, Kind], tuple[Ask, ...]] = {
    (Act.ATTACH_REFERRAL, Kind.SYSTEM): (Ask("POST", "/v1/referrals", json={}),),
    (Act.SEE_REFERRAL, Kind.SYSTEM): (Ask("GET", SENT),),
    (Act.PROVE_RECEIPT, Kind.SYSTEM): (Ask("GET", f"{SENT}/proof"),),
    (Act.WITHDRAW_REFERRAL, Kind.SYSTEM): (Ask("POST", f"{SENT}/withdrawal", json={"reason": "other"}),),
    (Act.SEE_CASE, Kind.SYSTEM): (Ask("GET", CASE),),
    (Act.READ_FILE, Kind.SYSTEM): (Ask("GET", f"{CASE}/file"),),
    (Act.READ_VERSIONS, Kind.SYSTEM): (Ask("GET", f"{CASE}/file/narrative/versions"),),
    (Act.WRITE_SECTION, Kind.SYSTEM): (Ask("PUT", f"{CASE}/file/narrative", json={"text": "made up"}),),
    (Act.RECORD_CONSENT, Kind.SYSTEM): (Ask("POST", f"{CASE}/consent", json=CONSENT),),
    (Act.RECORD_TRAITS, Kind.SYSTEM): (Ask("POST", f"{CASE}/traits", json=TRAITS),),
    (Act.EXCLUDE, Kind.SYSTEM): (Ask("POST", f"{CASE}/exclusions", json={"kind": "RELATION", "actor": "parent"}),),
    (Act.SEE_OFFER, Kind.SYSTEM): (Ask("GET", OFFER),),
    (Act.ANSWER, Kind.SYSTEM): (Ask("POST", f"{OFFER}/responses", json={"word": "COMPLETE"}),),
    (Act.TAKE_BACK, Kind.SYSTEM): (Ask("POST", f"{OFFER}/withdrawal", json={"word": "COMPLETE"}),),
    (Act.ANSWER_CALL, Kind.SYSTEM): (Ask("POST", f"{OFFER}/responses", json={"word": "COMPLETE", "via": "PHONE"}),),
    (Act.INSTRUCT, Kind.SYSTEM): (Ask("POST", f"{CASE}/instructions", json=ORDER),),
    (Act.READ_FILE, Kind.STAFF): (_page(f"{STEP}/show", {}),),
    (Act.LIST_SECTIONS, Kind.STAFF): (_page(f"{STEP}/write"),),
    (Act.WRITE_SECTION, Kind.STAFF): tuple(_page(f"{STEP}/write/narrative", SAID | {"do": do}) for do in ("open", "save", "draft")),
    (Act.DISCARD_DRAFT, Kind.STAFF): (_page(f"{STEP}/write/narrative", {"do": "discard"}),),
    **{(act, Kind.STAFF): asks for act, asks in _changes(STEP).items()},
    **{(act, Kind.DESK): asks for act, asks in _changes(TASK).items()},
    (Act.SEE_OFFER, Kind.STAFF): (_page(STEP),),
    (Act.ANSWER, Kind.STAFF): (_page(f"{STEP}/answer", {"word": "COMPLETE", "sure": "yes"}),),
    (Act.TAKE_BACK, Kind.STAFF): (_page(f"{STEP}/take-back", {}),),
    **{
        (act, kind): asks
        for kind in (Kind.STAFF, Kind.DESK)
        for act, asks in {
            Act.SEE_CALL: (_page(CALL),),
            Act.READ_CALL: (_page(f"{CALL}/show", {"called": "yes"}),),
            Act.ANSWER_CALL: (_page(f"{CALL}/answer", {"word": "COMPLETE", "sure": "yes"}),),
            Act.TAKE_BACK_CALL: (_page(f"{CALL}/take-back", {}),),
            Act.SEE_TASK: (_page(TASK),),
            Act.INSTRUCT: (_page(f"{TASK}/instruct", {"word": "REOPEN", "reason": "other"}),),
            Act.SEE_REPORT: (_page(REPORT),),
            Act.OPEN_REPORT: (_page(f"{REPORT}/show", {}),),
            Act.ANSWER_REPORT: (_page(f"{REPORT}/answer", {"answer": "refuse", "reason": "made-up"}),),
        }.items()
    },
    **{
        (act, kind): (ask,)
        for kind in PEOPLE
        for act, ask in {
            Act.LIFT_EXCLUSION: Ask("POST", f"{STAFF}/exclusions/lifting", json={"actor": "agency:{excluded}", "reason": "other"}),
            Act.SEE_ERASURE: Ask("GET", f"{STAFF}/erasure"),
            Act.ASK_ERASURE: Ask("POST", f"{STAFF}/erasure", json={"basis": "storage-ended"}),
            Act.APPROVE_ERASURE: Ask("POST", f"{STAFF}/erasure/approval", json={}),
            Act.REFUSE_ERASURE: Ask("POST", f"{STAFF}/erasure/refusal", json={}),
            Act.HOLD: Ask("POST", f"{STAFF}/holds", json={"basis": "person-asked"}),
            Act.LIFT_HOLD: Ask("POST", f"{STAFF}/holds/lifting", json={"basis": "court-order"}),
        }.items()
    },
}
"""Act and kind → the requests that ask for it. A stranger sends those of everybody."""
BACK = re.compile(r"/(offers|tasks|unverified)/[0-9a-f-]{36}")
"""Pages to which a form leads back that did nothing."""
REPORTS = (Act.SEE_REPORT, Act.OPEN_REPORT, Act.ANSWER_REPORT)


@dataclass(frozen=True, slots=True)
class Probe:
    """One request about one cell."""

    cell: Cell
    ask: Ask

    def __str__(self) -> str:
        at = " · ".join(word for word in self.cell if word)
        form = " ".join(f"{name}={value}" for name, value in (self.ask.form or {}).items())
        return f"{at}: {self.ask.method} {self.ask.path} {form}".strip()


def probes(matrix: Matrix) -> Iterator[Probe]:
    """Yield every probe of every cell about a case. KeyError: an act has no request here."""
    for cell in matrix.cells:
        if matrix.rules[cell.act].about is About.NOTHING:
            continue
        if cell.kind is Kind.STRANGER:
            every = [ask for (act, _), found in ASKS.items() if act is cell.act for ask in found]
            yield from (Probe(cell, ask) for ask in {(ask.method, ask.path): ask for ask in every}.values())
        else:
            yield from (Probe(cell, ask) for ask in ASKS[cell.act, cell.kind])


def send(scene: Scene, probe: Probe) -> httpx.Response:
    """Send one probe, as whom its cell names, about the case in its state."""
    cell, world = probe.cell, scene.world
    assert cell.relation is not None and cell.state is not None
    case = scene.cases[cell.state, cell.act not in REPORTS]
    path = _named(probe.ask, scene, case, cell.relation)
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    if probe.ask.json is not None:
        more["json"] = body(case, world) if cell.act is Act.ATTACH_REFERRAL else _filled(probe.ask.json, scene)
        headers["idempotency-key"] = str(uuid.uuid4())
    if cell.kind is Kind.SYSTEM:
        headers["authorization"] = f"Bearer token-of-{scene.agencies[cell.relation]}"
    elif cell.kind is not Kind.STRANGER:
        person = scene.people[cell.relation, Kind.STAFF if cell.kind is Kind.STAFF else Kind.DESK]
        if probe.ask.is_page:
            headers["cookie"] = person.cookie
        else:
            headers["authorization"] = "Basic " + base64.b64encode(f"{person.login}:{PASSWORD}".encode()).decode()
    form = ""
    if cell.kind is Kind.STRANGER and probe.ask.is_page:
        visit = uuid.uuid4().hex
        headers["cookie"], form = f"visit={visit}", rules.form_token(visit)
    elif probe.ask.is_page:
        form = person.form
    if probe.ask.is_page:
        headers["accept"] = "text/html"
        if probe.ask.form is not None:
            more["data"] = {**probe.ask.form, "form": form, "key": uuid.uuid4().hex}
    before = world.lists
    if cell.kind is Kind.OVERSIGHT:
        world.lists = structs.replace(before, oversight=scene.agencies[cell.relation])
    try:
        return world.send(probe.ask.method, path, headers=headers, **more)  # the page that a form made is undone with the form
    finally:
        world.lists = before


def _named(ask: Ask, scene: Scene, case: Case, relation: Relation) -> str:
    """Return the path about the relation's own offer, task and referral; about somebody else's, where it has none."""
    call = "/calls/" in ask.path or (ask.json or {}).get("via") == "PHONE"
    return ask.path.format(
        case=case.case_id,
        offer=case.offers[Relation.TELEPHONED] if call else case.offers.get(relation, case.offers[Relation.HOLDER]),
        task=case.tasks.get(relation, case.tasks[Relation.DESK_NOW]),
        referral=case.referrals.get(relation, case.referrals[Relation.SENDER]),
    )


def _filled(body: Any, scene: Scene) -> Any:
    excluded = scene.agencies[Relation.EXCLUDED]
    return {name: value.replace("{excluded}", excluded) if isinstance(value, str) else value for name, value in body.items()}


def judged(probe: Probe, answer: httpx.Response) -> str:
    """Return which answer a response is. A page that leads back to its own thing, without saying what was sent, has refused.

    ValueError: it is none of them, so that the probe asks nothing.
    """
    to = urlsplit(answer.headers.get("location", ""))
    if answer.status_code == 401 or (answer.status_code == 303 and to.path == "/signin"):
        return SIGN_IN
    if answer.status_code == 404:
        return UNKNOWN
    if answer.status_code == 403 or (
        answer.status_code == 303 and not to.query and re.fullmatch(r"/(offers|tasks|unverified)/[0-9a-f-]{36}", to.path)
    ):
        return REFUSED
    if answer.status_code < 400 or answer.status_code in READY:
        return ALLOWED
    raise ValueError(f"{probe}: {answer.status_code} {answer.text[:300] if not probe.ask.is_page else ''}")


def declared(decision: Decision) -> str:
    """Return which answer a decision of the table is."""
    if decision.allows:
        return ALLOWED
    return {STATUS["unknown"]: UNKNOWN, STATUS["sign-in"]: SIGN_IN}.get(STATUS[decision.refusal], REFUSED)
