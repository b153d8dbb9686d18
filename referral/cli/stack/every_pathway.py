"""Run every procedure once on real servers: willing agencies answer, the drill clock passes months, until each case has ended.

`look` reads the state of a case from the databases, once intake has processed everything that routing has decided.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from functools import partial

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection, console
from referral.cli.stack.stage import Late, Stage
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway
from referral.errors import Rejected
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings

DEFAULTS = {"age": "child", "age_band": "12-14", "sex": "female", "found_in": "prishtine", "urgency": "urgent", "languages": ["sq"]}
"""The made-up child, unless the procedure requires something else."""
TEXTS = {"reason": "Made up: see the plan.", "child-view": "Made up: has been heard."}
WAITING = ("OFFERED", "ACKNOWLEDGED")
MANY = ("flags", "languages")
ANSWERS = 300
"""More answers than any procedure needs (ours): a walk that runs in a circle ends with a message."""
LISTED = {"found_in", "concern", "age", "age_band", "sex", "urgency", "origin", "asylum", *MANY}


def chosen(policy: Policy, names: str) -> tuple[Pathway, ...]:
    """Return the pathways that are named, separated by commas, or all. Rejected: one is not in force."""
    known = {pathway.id: pathway for pathway in policy.current}
    wanted = [*known] if names == "all" else names.split(",")
    for name in wanted:
        if name not in known:
            raise Rejected("unknown-pathway", name, f"use all, or one of: {', '.join(known)}")
    return tuple(known[name] for name in wanted)


def referral(pathway: Pathway) -> dict[str, object]:
    """Return a made-up referral that opens this procedure: it has the first word of each group that the procedure applies to."""
    traits: dict[str, object] = dict(DEFAULTS)
    for group in pathway.applies:
        name, _, word = min(group).partition("=")
        if name in LISTED:
            traits[name] = [word] if name in MANY else word
    if traits["age"] == "adult":
        traits["age_band"] = "18-120"
    body: dict[str, object] = {"traits": traits, "file": {"identity": {"name": "Testa Shembull (made up)"}}, "drill": True}
    if pathway.consent.needed:
        body["consent"] = {"state": "GIVEN", "basis": "consent", "giver": "person"}
    return body


def tell(stage: Stage, pathways: Iterable[Pathway]) -> None:
    """Run one case of each pathway to its end. Late: a case does not go on."""
    for pathway in pathways:
        console.console.rule(f"[bold]{pathway.id}")
        body = referral(pathway)
        receipt = stage.agency("school-drita").submit(body, key=f"every-pathway-{pathway.id}")
        case_id = str(receipt["case_id"])
        console.say(f"school-drita publishes one referral: {_traits(body)}\ncase {case_id}")
        to_their_end(stage, [case_id])
        stage.log(case_id, "case is closed")


def to_their_end(
    stage: Stage, case_ids: Collection[str], declines: Collection[str] = (), enough: Callable[[], bool] = lambda: False
) -> None:
    """Answer every open offer of these cases; where none is open, advance the clock to the next alarm of any of them.

    declines: agencies that decline what they may decline, and do everything else. enough: stop before the end, as soon as it holds.
    Late: a case does not go on.
    """
    for _ in range(ANSWERS * len(case_ids)):
        now = stage.wait("the doors know what was decided", lambda: look(stage.settings, case_ids))
        if all(case.closed for case in now.values()) or enough():
            return
        waiting = [asked for case in now.values() for asked in case.open if asked.state in WAITING or asked.due_what]
        alarms = [(case.due, case_id, case.at) for case_id, case in now.items() if not case.closed and case.due is not None]
        if waiting:
            asked = min(waiting, key=lambda asked: _order(asked, declines))
            word, more = _answer(asked, declines)
            person = _person(stage, asked) if word == "DECIDE" else ""
            stage.answer(asked.agency, asked.offer_id, word, person=person, **more)
        elif alarms:
            due, case_id, at = min(alarms)
            if due > at:
                stage.pass_time(timedelta(microseconds=due - at), "nothing to do until then")
            stage.wait("the alarm of the case goes off", partial(_went_off, stage, case_id, due))
        else:
            break
    raise Late(f"case {', '.join(case_ids)} does not go on")


def _went_off(stage: Stage, case_id: str, due: int) -> CaseNow | None:
    """Return the state of the case once routing has decided the alarm that was due; None until then."""
    now = look(stage.settings, [case_id])
    return now[case_id] if now is not None and now[case_id].due != due else None


def _person(stage: Stage, asked: OpenOffer) -> str:
    """Return the login of the first person of the agency who may decide: some steps need a person, some another one than before.

    Late: it has nobody else.
    """
    login = next((member.login for member in stage.staff(asked.agency) if member.account not in asked.skip), "")
    if not login:
        raise Late(f"{asked.agency} has nobody else who may decide {asked.step}")
    return login


def _order(asked: OpenOffer, declines: Collection[str]) -> tuple[int, int, str]:
    """Return the sort key of the next answer: offers not yet accepted, then arrivals and decisions, then completions; a stay last."""
    word = _answer(asked, declines)[0]
    return ("DECLINE", "ACCEPT", "ARRIVE", "DECIDE", "COMPLETE").index(word), asked.kind == "PLACE", asked.offer_id


def _answer(asked: OpenOffer, declines: Collection[str]) -> tuple[str, Mapping[str, object]]:
    """Return the next answer of a willing agency. A repeated review gets the next code each time, so that it ends."""
    if asked.kind == "DECIDE":
        texts = {need: TEXTS[need] for need in dict.fromkeys(("reason", *asked.needs))}  # a reason too for less than a form points to
        return "DECIDE", {"code": asked.codes[asked.round % len(asked.codes)], "texts": texts}
    if asked.state in WAITING:
        return ("DECLINE", {"reason": asked.reasons[0]}) if asked.agency in declines and asked.reasons else ("ACCEPT", {})
    if "ARRIVE" in asked.words and not asked.arrived:
        return "ARRIVE", {}
    return "COMPLETE", {}


def _traits(body: Mapping[str, object]) -> str:
    traits = body["traits"]
    assert isinstance(traits, dict)
    return ", ".join(f"{name} {' '.join(value) if isinstance(value, list) else value}" for name, value in traits.items())


SAME = text(
    "SELECT r.seq = i.seq AND NOT EXISTS (SELECT 1 FROM intake.queue WHERE case_id = :case AND NOT sent)"
    " AND coalesce((SELECT seq FROM routing.seen WHERE case_id = :case AND topic = 'referral-intake'), 0)"
    " = coalesce((SELECT seq FROM intake.seen WHERE case_id = :case AND topic = 'referral-intake'), 0)"
    " FROM routing.seen r JOIN intake.seen i USING (case_id, topic) WHERE case_id = :case AND topic = 'referral-routing'"
)
OPEN = text(
    "SELECT offer_id, agency, step, round, kind, words, reasons, codes, needs, skip, state, arrived, due_what FROM intake.offer"
    " WHERE case_id = :case AND closed_at IS NULL AND kind <> 'NOTIFY' ORDER BY opened_at, offer_id"
)
CLOSED = text("SELECT closed_at IS NOT NULL FROM intake.casefile WHERE case_id = :case")
ALARM = text("SELECT at FROM routing.alarm WHERE case_id = :case")


class OpenOffer(Struct, frozen=True, kw_only=True):
    """An open offer. due_what: the limit that runs, empty where none does. skip: accounts that may not answer it."""

    offer_id: str
    agency: str
    step: str
    round: int
    kind: str
    words: tuple[str, ...]
    reasons: tuple[str, ...]
    codes: tuple[str, ...]
    needs: tuple[str, ...]
    skip: tuple[str, ...]
    state: str
    arrived: bool
    due_what: str


class CaseNow(Struct, frozen=True, kw_only=True):
    """The state of a case. at: the stack's clock. due: the case's alarm. Both µs UTC."""

    at: int
    due: int | None
    closed: bool
    open: tuple[OpenOffer, ...]


def look(settings: Settings, case_ids: Iterable[str]) -> dict[str, CaseNow] | None:
    """Return case id → its state; None where intake is behind routing, or an input is not decided yet."""

    async def read(tx: AsyncConnection, _: Settings) -> dict[str, CaseNow] | None:
        found = {case_id: await _read(tx, case_id) for case_id in case_ids}
        return {id: now for id, now in found.items() if now is not None} if all(found.values()) else None

    return connection.ask(read, settings)


async def _read(tx: AsyncConnection, case_id: str) -> CaseNow | None:
    of = {"case": case_id}
    if not (await tx.execute(SAME, of)).scalar():
        return None
    rows = [dict(row._mapping) for row in await tx.execute(OPEN, of)]
    lists = ("words", "reasons", "codes", "needs", "skip")
    return CaseNow(
        at=await clock.now(tx),
        due=(await tx.execute(ALARM, of)).scalar(),
        closed=bool((await tx.execute(CLOSED, of)).scalar()),
        open=tuple(OpenOffer(**{**row, **{name: tuple(row[name]) for name in lists}}) for row in rows),
    )
